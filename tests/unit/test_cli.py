"""The command line as a user types it, up to the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from holdfast import __version__
from holdfast.cli import running
from holdfast.types import File, RunRequest


def holdfast(*arguments: str, state: Path, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return subprocess.run(
        [sys.executable, "-m", "holdfast.cli", *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
        cwd=state,
        env={**clean, "HOLDFAST_STATE_DIR": str(state), **environ},
    )


def build(file: Path | str, **given: object) -> RunRequest:
    plain: dict[str, object] = {"language": None, "stdin": None, "env": [], "files": [], "options": {}}
    return running.build(str(file), **{**plain, **given})  # type: ignore[arg-type]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text("print(1)")
    return path


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert holdfast("--version", state=tmp_path).stdout == f"holdfast {__version__}\n"


@pytest.mark.parametrize("ending", [("py", "python"), ("sh", "bash"), ("js", "node")])
def test_the_ending_of_a_file_tells_its_language(ending: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / f"x.{ending[0]}"
    path.write_text("1")
    assert build(path).image == ending[1]
    assert build(path, language="python").image == "python"


def test_an_unknown_ending_needs_a_language(tmp_path: Path) -> None:
    path = tmp_path / "x.cob"
    path.write_text("1")
    with pytest.raises(typer.BadParameter, match="--language"):
        build(path)
    assert build(path, language="bash").code == "1"


def test_options_become_the_fields_of_a_request(script: Path, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\xff")
    request = build(
        script,
        env=["A=b=c", "D="],
        files=[f"{script}:dir/other.py", str(tmp_path / "data.bin")],
        stdin=str(script),
        options={"timeout": 3.0, "mem_limit": "64m", "args": ["x"], "artifacts": ["*.png"]},
    )
    assert (request.code, request.stdin, request.args) == ("print(1)", "print(1)", ["x"])
    assert request.environment == {"A": "b=c", "D": ""}
    assert (request.timeout, request.mem_limit, request.artifacts) == (3.0, "64m", ["*.png"])
    contents = {name: file.content() for name, file in request.files.items() if isinstance(file, File)}
    assert contents == {"dir/other.py": b"print(1)", "data.bin": b"\xff"}


@pytest.mark.parametrize("given", [{"env": ["AB"]}, {"stdin": "/nowhere"}, {"files": ["/nowhere"]}])
def test_what_cannot_be_meant_is_wrong_usage(given: dict[str, object], script: Path) -> None:
    with pytest.raises(typer.BadParameter):
        build(script, **given)


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", "nowhere.py"],
        ["run", "script.py", "--bogus"],
        ["run", "script.py", "--timeout", "x"],
        ["run", "script.py", "--timeout", "-1"],
        ["run", "script.py", "--memory", "much"],
        ["bench", "--runs", "0"],
        ["keys", "revoke", "nobody"],
        ["keys", "add", "a b"],
        ["keys", "add", "a", "--scope", "god"],
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(arguments: list[str], script: Path) -> None:
    done = holdfast(*arguments, state=script.parent)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


@pytest.mark.parametrize("written", ["x", "[A]", "3"])
def test_secrets_of_a_task_that_are_no_names_and_values_are_one_sentence(written: str, tmp_path: Path) -> None:
    task = f"secrets: {written}\nsteps: [{{run: ls}}]"
    done = holdfast("task", "run", "-", "--secret", "B=b", state=tmp_path, stdin=task)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "secrets: write names and values" in done.stderr


def test_a_state_directory_that_cannot_be_made_refuses_and_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = holdfast("serve", "--port", "0", state=tmp_path, HOLDFAST_STATE_DIR=str(tmp_path / "file" / "state"))
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert "choose another with HOLDFAST_STATE_DIR" in done.stderr


def test_a_server_open_to_the_network_without_a_key_refuses_and_says_how_to_make_one(tmp_path: Path) -> None:
    done = holdfast("serve", "--host", "0.0.0.0", "--port", "0", state=tmp_path)
    assert done.returncode == 125
    assert done.stderr.startswith(
        "holdfast: Refusing to listen on 0.0.0.0 without an API key; make one with: holdfast keys"
    )
    assert done.stderr.count("\n") == 1


def test_an_unknown_key_in_the_settings_file_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("colour = 'red'")
    done = holdfast("serve", "--config", "own.toml", state=tmp_path)
    assert (done.returncode, done.stderr) == (125, "holdfast: Wrong settings: colour is not a setting.\n")


def test_the_application_for_other_servers_refuses_by_the_same_rules(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uvicorn", "holdfast.asgi:app", "--port", "0"]
    environ = {**os.environ, "HOLDFAST_STATE_DIR": str(tmp_path), "HOLDFAST_HOST": "0.0.0.0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, cwd=tmp_path)
    assert done.returncode != 0
    assert "Refusing to listen on 0.0.0.0 without an API key" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = holdfast("keys", "add", "laptop", "--scope", "admin", state=tmp_path)
    assert made.returncode == 0
    assert made.stdout.startswith("hf_")
    assert made.stdout.count("\n") == 1, "only the key, so that it can be captured"
    listed = json.loads(holdfast("keys", "list", "--json", state=tmp_path).stdout)
    assert [(key["name"], key["scope"]) for key in listed] == [("laptop", "admin")]
    assert made.stdout.strip() not in json.dumps(listed)
    assert holdfast("keys", "revoke", "laptop", state=tmp_path).returncode == 0
    assert json.loads(holdfast("keys", "list", "--json", state=tmp_path).stdout) == []


def test_help_does_not_wait_for_heavy_imports() -> None:
    heavy = {"starlette", "pydantic", "uvicorn", "uvloop", "rich.table"}
    code = f"import sys, holdfast.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


def test_a_language_nobody_knows_cannot_be_added(tmp_path: Path) -> None:
    done = holdfast("languages", "add", "cobol", state=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "holdfast: 'cobol' is not one of: python, node, deno, bun, go, rust, bash, sql.\n"


def test_a_language_of_the_system_is_added_by_the_system(tmp_path: Path) -> None:
    done = holdfast("languages", "add", "bash", state=tmp_path)
    assert (done.returncode, done.stderr) == (125, "holdfast: Bash comes with the system; run: sudo apt install bash\n")


ENDINGS = {
    "py": "python",
    "js": "node",
    "mjs": "node",
    "ts": "deno",
    "go": "go",
    "rs": "rust",
    "sh": "bash",
    "sql": "sql",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_tells_the_language(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a.{ending}").write_text("x")
    assert build(tmp_path / f"a.{ending}").image == ENDINGS[ending]


@pytest.mark.parametrize("ending", ["ts", "mts", "mjs"])
def test_a_program_of_another_kind_than_usual_keeps_its_ending(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"sum.{ending}").write_text("console.log(1)")
    request = build(tmp_path / f"sum.{ending}", language="node")
    assert (request.code, request.files) == (None, {f"main.{ending}": "console.log(1)"})
