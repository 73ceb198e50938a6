"""The stdin programs: the samples of the seed, on a host and as they are in the image."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anyio
import pytest

from tests.conftest import local_app
from tests.runner.conftest import ROOT

CODE = {"sql": "sql", "python": "python_code"}
PROGRAM = {"sql": "runner.py", "python": "runner_python.py"}


class Said(NamedTuple):
    exit_code: int
    body: dict[str, Any]


class Programs:
    """Both programs, in one of the two ways to call them."""

    def __init__(self, where: Literal["host", "image"], root: Path, app: Path, python: Path) -> None:
        self.where, self.root, self.app, self.python = where, root, app, python

    def ask(self, kind: str, request: dict[str, Any] | str, **environment: str) -> Said:
        text = request if isinstance(request, str) else json.dumps(request)
        done = subprocess.run(
            self.command(kind), input=text, capture_output=True, text=True, env=os.environ | environment, check=False
        )
        (line,) = done.stdout.splitlines()
        return Said(done.returncode, json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")))

    def command(self, kind: str) -> list[str]:
        if self.where == "host":
            return [str(Path(sys.executable).parent / "holdfast"), "runner", kind, "--data-dir", str(self.root)]
        # The root of the files is /data there, where a test can put nothing.
        started = f"from holdfast.guest.data import container; sys.exit(container.run({kind!r}, {str(self.root)!r}))"
        return [str(self.python), "-c", f"import sys; sys.path.insert(0, {str(self.app / 'lib')!r}); {started}"]


@pytest.fixture(scope="module")
def host() -> None:
    """Skips where the host cannot hold programs."""

    async def look() -> None:
        async with local_app(pool_size=0):
            return

    anyio.run(look)


@pytest.fixture(scope="module", params=["host", "image"])
def programs(request: Any, image: Programs) -> Programs:
    if request.param == "image":
        return image
    request.getfixturevalue("host")
    return Programs("host", image.root, image.app, image.python)


@pytest.fixture(scope="module")
def image(guest_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The programs as they lie in the image."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "support").mkdir()
    (folder / "support" / "tickets.csv").write_text("id,priority,csat\n1,High,4\n2,Low,\n3,High,5\n")
    app = tmp_path_factory.mktemp("app")
    for name in PROGRAM.values():
        (app / name).write_bytes((ROOT / "images/runner" / name).read_bytes())
    (app / "lib/holdfast/guest").mkdir(parents=True)
    (app / "lib/holdfast/guest/data").symlink_to(ROOT / "src/holdfast/guest/data")
    return Programs("image", folder, app, guest_python)


def asked(kind: str, code: str, **fields: Any) -> dict[str, Any]:
    files = [{"name": "tickets.csv", "path": "/data/support/tickets.csv"}]
    return {"dataset_id": "support", "files": files, CODE[kind]: code, "timeout_seconds": 5, "max_rows": 10} | fields


def test_the_samples_of_the_seed_are_answered(programs: Programs) -> None:
    said = programs.ask("sql", asked("sql", "SELECT COUNT(*) AS n FROM tickets"))
    assert said.exit_code == 0
    expected = {"status": "success", "columns": ["n"], "rows": [[3]], "row_count": 1, "error": None}
    assert said.body.items() >= expected.items()
    assert said.body.items() >= {"total_rows": 1, "truncated": False, "column_types": ["BIGINT"]}.items()
    code = 'result_df = tickets.groupby("priority").size().reset_index(name="n")'
    said = programs.ask("python", asked("python", code, max_output_bytes=65536))
    assert (said.exit_code, said.body["rows"], said.body["columns"]) == (
        0,
        [["High", 2], ["Low", 1]],
        ["priority", "n"],
    )
    assert said.body["isolation"]["engine"] == ("local" if programs.where == "host" else "container")


def test_figures_are_artifacts_of_the_answer(programs: Programs) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.figure()\nplt.bar([1], [2])\nresult = 7"
    said = programs.ask("python", asked("python", code, timeout_seconds=30))
    assert (said.exit_code, said.body["rows"]) == (0, [[7]]), said.body
    drawn = {each["path"]: base64.b64decode(each["base64"]) for each in said.body["artifacts"]}
    assert sorted(drawn) == ["figure-1.png", "figure-2.png"]
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())
    assert [each["size_bytes"] for each in said.body["artifacts"]] == [len(content) for content in drawn.values()]
    assert programs.ask("sql", asked("sql", "SELECT 1")).body["artifacts"] == []


def test_in_the_image_only_files_of_the_program_are_figures(image: Programs) -> None:
    (image.root / "secret.png").write_bytes(b"secret")
    names = ["figure-1.png", "../secret.png", "figure-2.png", "figure-3.vl.json", "/etc/passwd"]
    answer = {"status": "success", "exec_ms": 1, "columns": [], "figures": names}
    code = f"""
import json, os
os.symlink({str(image.root / "secret.png")!r}, "figure-1.png")
os.mkfifo("figure-2.png")
open("figure-3.vl.json", "w").write("{{}}")
json.dump({answer!r} | {{"error": None}}, open(".holdfast/answer.json", "w"))
os._exit(0)"""
    said = image.ask("python", asked("python", code))
    assert [each["path"] for each in said.body["artifacts"]] in ([], ["figure-3.vl.json"]), said.body
    assert "secret" not in json.dumps(said.body["artifacts"])


def test_what_python_prints_is_beside_the_answer(programs: Programs) -> None:
    code = 'import json\nprint(json.dumps({"status": "success"}))\nprint("x" * 100000)\nresult = tickets.csat'
    body = programs.ask("python", asked("python", code)).body
    assert body["stdout_trunc"].startswith('{"status": "success"}\nxxx') and len(body["stdout_trunc"]) <= 65_536
    assert body["rows"] == [[0, 4.0], [1, None], [2, 5.0]]


@pytest.mark.parametrize(
    ("kind", "code", "status", "error"),
    [
        ("sql", "SELECT nope FROM tickets", "error", "SQL_EXECUTION_ERROR"),
        ("sql", "SELECT sleep_ms(60000)", "timeout", "RUNNER_TIMEOUT"),
        ("sql", "FROM read_text('/etc/passwd')", "error", "SQL_EXECUTION_ERROR"),
        ("python", "1 / 0", "error", "PYTHON_EXECUTION_ERROR"),
        ("python", "import os", "error", "PYTHON_POLICY_VIOLATION"),
        ("python", "while True:\n    try:\n        while True: pass\n    except: pass", "timeout", "RUNNER_TIMEOUT"),
        ("python", "import posix\nposix._exit(0)", "error", "PYTHON_EXECUTION_ERROR"),
        ("python", "x = bytearray(100 * 10**9)\n1", "error", "PYTHON_EXECUTION_ERROR"),
    ],
)
def test_every_end_but_success_has_its_status_its_type_and_exit_code_1(
    programs: Programs, kind: str, code: str, status: str, error: str
) -> None:
    said = programs.ask(kind, asked(kind, code, timeout_seconds=2))
    assert (said.exit_code, said.body["status"], said.body["error"]["type"]) == (1, status, error)
    assert said.body["rows"] == [] and said.body["row_count"] == 0


def test_what_is_no_request_is_answered_too(programs: Programs) -> None:
    for text, kind in (("", "INVALID_INPUT"), ("{", "INVALID_JSON"), ("{}", "VALIDATION_ERROR")):
        said = programs.ask("sql", text)
        assert (said.exit_code, said.body["error"]["type"]) == (1, kind)


def test_python_can_be_turned_off(programs: Programs) -> None:
    said = programs.ask("python", asked("python", "1"), ENABLE_PYTHON_EXECUTION="false")
    assert (said.exit_code, said.body["error"]["type"]) == (1, "PYTHON_POLICY_VIOLATION")


def test_in_the_image_a_program_can_neither_write_our_line_nor_outlive_us(image: Programs, tmp_path: Path) -> None:
    code = f"""
import posix
seen = []
for place in ("fd/1", "mem", "environ"):
    try:
        posix.open(f"/proc/{{posix.getppid()}}/{{place}}", posix.O_RDWR)
        seen.append(place)
    except OSError:
        pass
if posix.fork() == 0:
    posix.setsid()
    if posix.fork() == 0:
        import time
        while True:
            fd = posix.open({str(tmp_path / "alive")!r}, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC)
            posix.write(fd, str(posix.getpid()).encode())
            time.sleep(0.05)
    posix._exit(0)
import time
time.sleep(1)
seen
"""
    command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*command, *image.command("python")],
        input=json.dumps(asked("python", code, timeout_seconds=10)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["rows"] == []
    pid = int((tmp_path / "alive").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_the_programs_of_the_image_start(image: Programs) -> None:
    for kind, name in PROGRAM.items():
        done = subprocess.run(
            [str(image.python), str(image.app / name)],
            input=json.dumps({CODE[kind]: "1"}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert json.loads(done.stdout)["error"] == {
            "type": "VALIDATION_ERROR",
            "message": "files must contain at least one file",
        }
