"""`holdfast run` and `holdfast grade` on a server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def holdfast(
    *arguments: str, here: Path, stdin: str = "", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast.cli", *arguments]
    environ = {**os.environ, **(environ or {})}
    return subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=60, cwd=here, env=environ)


def test_a_program_runs_on_the_server_and_its_output_exit_code_and_files_come_back(tmp_path: Path, live: str) -> None:
    (tmp_path / "data.txt").write_text("from file")
    code = "import sys; print(open('d.txt').read()); print('x', file=sys.stderr); open('out', 'w').write('y'); exit(7)"
    options = ["--file", "data.txt:d.txt", "--artifact", "out", "--server", live]
    done = holdfast("run", "-", *options, here=tmp_path, stdin=code)
    assert (done.returncode, done.stdout) == (7, "from file\n")
    assert done.stderr == "x\nholdfast: wrote out\n"
    assert (tmp_path / "out").read_text() == "y"


def test_the_server_and_the_key_can_come_from_the_environment(tmp_path: Path, guarded: str) -> None:
    environ = {"HOLDFAST_SERVER": guarded, "HOLDFAST_API_KEY": "sesame"}
    done = holdfast("run", "-", "--json", here=tmp_path, stdin="print(1)", environ=environ)
    result = json.loads(done.stdout)
    assert (done.returncode, done.stderr, result["stdout"]) == (0, "", "1\n")
    assert result["isolation"]["engine"] == "unisolated", "it ran over there"
    wrong = holdfast("run", "-", "--api-key", "wrong", here=tmp_path, stdin="print(1)", environ=environ)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1


def test_a_submission_is_graded_on_the_server(tmp_path: Path, live: str) -> None:
    tests = [{"type": "variable_value", "variable": "x", "expected": 5, "description": "x is five"}]
    (tmp_path / "tests.json").write_text(json.dumps(tests))
    for code, exit_code, shown in (("x = 5", 0, "1 of 1 passed"), ("x = 6", 1, "0 of 1 passed")):
        done = holdfast("grade", "-", "--tests", "tests.json", "--server", live, here=tmp_path, stdin=code)
        assert done.returncode == exit_code, done.stderr
        assert "x is five" in done.stdout
        assert shown in done.stdout


@pytest.mark.parametrize("command", [("run", "-"), ("grade", "-", "--tests", "tests.json")], ids=["run", "grade"])
def test_a_server_that_is_not_there_is_one_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "tests.json").write_text('[{"type": "output", "expected": "1"}]')
    done = holdfast(*command, "--server", "http://127.0.0.1:1", here=tmp_path, stdin="print(1)")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("holdfast: The server at http://127.0.0.1:1 cannot be reached: ")
    assert done.stderr.count("\n") == 1


def test_a_refusal_of_the_server_is_wrong_usage(tmp_path: Path, live: str) -> None:
    done = holdfast("run", "-", "--timeout", "301", "--server", live, here=tmp_path, stdin="print(1)")
    assert (done.returncode, done.stderr) == (2, "holdfast: 'timeout' is above this server's ceiling of 300 s.\n")


def test_a_session_is_made_used_listed_and_ended(tmp_path: Path, guarded: str) -> None:
    environ = {"HOLDFAST_SERVER": guarded, "HOLDFAST_API_KEY": "sesame"}

    def session(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return holdfast("session", *arguments, here=tmp_path, stdin=stdin, environ=environ)

    made = session("new", "--language", "bash", "--idle", "60")
    name = made.stdout.strip()
    assert (made.returncode, made.stderr, name[:4]) == (0, "", "ses-")
    done = session("run", name, "-", stdin="echo out; echo err >&2; printf hi > made.txt; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert session("list").stdout == f"{name}\tbash\tidle\t\n"
    assert "2\tmade.txt\n" in session("files", name).stdout
    assert session("files", name, "made.txt").stdout == "hi"
    assert session("rm", name).returncode == 0
    gone = session("run", name, "-", stdin="true")
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.count("\n") == 1
