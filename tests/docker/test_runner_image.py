"""The image of the stdin programs, with the commands of the README that it takes over."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import lacks
from tests.dockerd import PLACE, Dockerd

ROOT = Path(__file__).parents[2]
TICKETS = "id,priority\n1,high\n2,low\n3,high\n"

PLAIN = """
echo '{
  "dataset_id": "support",
  "files": [{"name": "tickets.csv", "path": "/data/support/tickets.csv"}],
  "sql": "SELECT COUNT(*) AS n FROM tickets",
  "timeout_seconds": 5,
  "max_rows": 10
}' | docker run -i --rm --network none -v ../datasets:/data:ro csv-analyst-runner:latest
"""
RESTRICTED = r"""
docker run -i --rm \
  --network none \
  --read-only \
  --pids-limit 64 \
  --memory 512m \
  --cpus 0.5 \
  --tmpfs /tmp:rw,noexec,nosuid,size=64m \
  -v ../datasets:/data:ro \
  csv-analyst-runner:latest < request.json
"""
PYTHON = r"""
echo '{
  "dataset_id": "support",
  "files": [{"name": "tickets.csv", "path": "/data/support/tickets.csv"}],
  "python_code": "result_df = tickets.groupby(\"priority\").size().reset_index(name=\"n\")",
  "timeout_seconds": 5,
  "max_rows": 10,
  "max_output_bytes": 65536
}' | docker run -i --rm --network none --entrypoint python3 -v ../datasets:/data:ro \
  csv-analyst-runner:latest /app/runner_python.py
"""
"""What the README says to paste, in the folder of the image; with no network, as this daemon has none to give."""

Paste = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def daemon() -> Dockerd:
    """With the image, built as the guide says."""
    found = Dockerd(PLACE)
    if not found.answers():
        lacks("docker", "there is no Docker daemon of the tests; run: make dockerd")
    found.docker("build", "--file", f"{ROOT}/images/runner/Dockerfile", "--tag", "csv-analyst-runner", str(ROOT))
    return found


@pytest.fixture
def paste(daemon: Dockerd, tmp_path: Path) -> Paste:
    """Run a command in a folder beside the data; what it answers, after its exit code was looked at."""
    (tmp_path / "runner").mkdir()
    (tmp_path / "datasets/support").mkdir(parents=True)
    (tmp_path / "datasets/support/tickets.csv").write_text(TICKETS)
    # Debian's Docker takes no relative paths yet.
    there = f"{shlex.quote(str(tmp_path))}/datasets:/data"
    environment = os.environ | {"DOCKER_HOST": f"unix://{daemon.socket}"}

    def pasted(command: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        (tmp_path / "runner/request.json").write_text(json.dumps(request))
        done = subprocess.run(
            [
                "sh",
                "-c",
                command.replace("../datasets:/data", there),
            ],
            cwd=tmp_path / "runner",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout.count("\n") == 1, (done.stdout, done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode == 0) == (answer["status"] == "success"), answer
        return answer

    return pasted


def request(**given: Any) -> dict[str, Any]:
    files = [{"name": "tickets.csv", "path": "/data/support/tickets.csv"}]
    return {"dataset_id": "support", "files": files, "timeout_seconds": 5, "max_rows": 10, **given}


def test_the_command_for_sql_answers_what_the_readme_promises(paste: Paste) -> None:
    answer = paste(PLAIN)
    assert (answer["status"], answer["columns"], answer["rows"]) == ("success", ["n"], [[3]])
    assert answer["row_count"] == 1 and answer["error"] is None and answer["isolation"] == {"engine": "container"}


def test_the_command_for_python_answers_what_the_readme_promises(paste: Paste) -> None:
    answer = paste(PYTHON)
    assert (answer["status"], answer["columns"]) == ("success", ["priority", "n"])
    assert answer["rows"] == [["high", 2], ["low", 1]]


def test_the_command_with_restrictions_answers_the_same(paste: Paste) -> None:
    answer = paste(RESTRICTED, request(sql="SELECT priority, COUNT(*) AS n FROM tickets GROUP BY 1 ORDER BY 1"))
    assert (answer["status"], answer["rows"]) == ("success", [["high", 2], ["low", 1]])


def test_a_program_that_never_ends_is_ended_from_outside(paste: Paste) -> None:
    command = RESTRICTED.replace("csv-", "--entrypoint python3 csv-").replace(
        ":latest", ":latest /app/runner_python.py"
    )
    answer = paste(command, request(python_code="while True: pass", timeout_seconds=1))
    assert (answer["status"], answer["error"]["type"]) == ("timeout", "RUNNER_TIMEOUT")


def test_the_image_runs_as_nobody_special_and_has_both_programs(daemon: Dockerd) -> None:
    (about,) = json.loads(daemon.docker("inspect", "csv-analyst-runner"))
    assert about["Config"]["User"] == "1000:1000"
    assert about["Config"]["Entrypoint"] == ["python3", "/app/runner.py"]
