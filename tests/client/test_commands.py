"""`holdfast run` and `holdfast grade` on a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from holdfast.cli import app

ASKING = [
    *(("session", name) for name in ("new", "run", "list", "files", "rm")),
    *(("prebuild", name) for name in ("build", "list", "rm", "cleanup")),
]
"""The commands of groups that are about things on a server."""


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


def test_a_prebuilt_environment_is_made_used_listed_and_removed_on_the_server(tmp_path: Path, local: str) -> None:
    (tmp_path / "table.txt").write_text("from a file")

    def prebuild(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return holdfast("prebuild", *arguments, "--server", local, here=tmp_path, stdin=stdin)

    script = "echo copying; cp /workspace/table.txt ."
    built = prebuild("build", "tables", "--base", "bash", "--script", "-", "--file", "table.txt", stdin=script)
    assert (built.returncode, built.stderr) == (0, "copying\n"), built
    assert built.stdout.startswith("Ready: 'tables'")
    listed = json.loads(prebuild("list", "--json").stdout)["prebuilds"]
    assert [each["tag"] for each in listed] == ["prebuilt-tables"]
    assert "prebuilt-tables" in prebuild("list").stdout
    code = "cat /opt/holdfast/layer/table.txt"
    ran = holdfast("run", "-", "--language", "tables", "--server", local, here=tmp_path, stdin=code)
    assert ran.stdout == "from a file", ran
    made = holdfast("session", "new", "--language", "tables", "--server", local, here=tmp_path)
    told = holdfast("session", "run", made.stdout.strip(), "-", "--server", local, here=tmp_path, stdin=code)
    assert told.stdout == "from a file", (made, told)
    assert prebuild("cleanup").stdout == "Nothing is that old.\n"
    assert prebuild("rm", "tables").returncode == 0
    gone = prebuild("rm", "tables")
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    assert prebuild("build", "old", "--base", "bash", "--script", "-", stdin="true").returncode == 0
    cleaned = prebuild("cleanup", "--max-age-days", "0", "--json")
    assert json.loads(cleaned.stdout) == {"removed": ["old"], "count": 1}


def test_a_session_is_made_in_an_environment_that_a_script_makes(tmp_path: Path, local: str) -> None:
    new = ("session", "new", "--setup", "-", "--language", "bash", "--server", local)
    made = holdfast(*new, here=tmp_path, stdin="echo brought > table.txt")
    code = "cat /opt/holdfast/layer/table.txt"
    told = holdfast("session", "run", made.stdout.strip(), "-", "--server", local, here=tmp_path, stdin=code)
    assert told.stdout == "brought\n", (made, told)


def test_a_script_that_fails_on_the_server_is_exit_code_1_and_a_missing_network_is_said(
    tmp_path: Path, local: str
) -> None:
    words = ("prebuild", "build", "bad", "--base", "bash", "--script", "-", "--server", local)
    failed = holdfast(*words, here=tmp_path, stdin="echo so far; exit 3")
    assert failed.returncode == 1, failed
    assert failed.stderr.startswith("so far\nholdfast: Build failed: the setup script ended with exit code 3")
    refused = holdfast(*words, "--network", here=tmp_path, stdin="true")
    assert (refused.returncode, "HOLDFAST_PREBUILD_NETWORK" in refused.stderr) == (2, True), refused


def test_every_command_that_asks_a_server_takes_its_address_and_a_key() -> None:
    commands = [("run",), ("grade",), *((group, name) for group, name in ASKING)]
    for words in commands:
        command: Any = typer.main.get_command(app)
        for word in words:
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--server", "--api-key"} <= options, words
