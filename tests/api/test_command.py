"""`holdfast run` and `holdfast serve` as they are, over the local engine of this host."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import lacks


@pytest.fixture(scope="module", autouse=True)
def local_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where this host has no local engine, unless `HOLDFAST_EXPECT` names it."""
    done = holdfast("doctor", "--json", here=tmp_path_factory.mktemp("doctor"))
    if done.returncode == 0:
        return
    lacks("local", f"the engine 'local' is absent: {done.stdout or done.stderr}")


def holdfast(*arguments: str, here: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=60, cwd=here)


def test_output_and_exit_code_are_the_programs_own(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    done = holdfast("run", "x.py", here=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_arguments_input_environment_and_files_go_in_and_artifacts_come_out(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("from stdin")
    (tmp_path / "data.txt").write_text("from file")
    code = """
import os, pathlib, sys
text = [os.environ["WORD"], *sys.argv[1:], sys.stdin.read(), pathlib.Path("sub/d.txt").read_text()]
pathlib.Path("made").mkdir()
pathlib.Path("made/out.txt").write_text("|".join(text))
"""
    options = ["--env", "WORD=w", "--file", "data.txt:sub/d.txt", "--stdin", "in.txt", "--artifact", "made/*"]
    done = holdfast("run", "-", *options, "--out", "results", "a", "--", "-b", here=tmp_path, stdin=code)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/made/out.txt").read_text() == "w|a|-b|from stdin|from file"


def test_json_is_the_whole_result_and_nothing_else(tmp_path: Path) -> None:
    done = holdfast("run", "-", "--language", "bash", "--json", here=tmp_path, stdin="echo hi; kill -9 $$")
    result = json.loads(done.stdout)
    assert (done.returncode, result["exit_code"], result["status"]) == (137, 137, "signaled")
    assert result["stdout"] == "hi\n"
    assert result["isolation"]["engine"] == "local"


def test_a_timeout_exits_with_124_and_says_so(tmp_path: Path) -> None:
    done = holdfast("run", "-", "--timeout", "0.5", here=tmp_path, stdin="import time; time.sleep(60)")
    assert (done.returncode, done.stderr) == (124, "holdfast: the program was ended at its time limit.\n")


def test_a_limit_above_the_ceiling_is_wrong_usage(tmp_path: Path) -> None:
    done = holdfast("run", "-", "--timeout", "301", here=tmp_path, stdin="print(1)")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "holdfast: 'timeout' is above this server's ceiling of 300 s.\n"


def test_ctrl_c_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import time; print('up', flush=True); time.sleep(600)")
    command = [sys.executable, "-m", "holdfast.cli", "run", "x.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "up\n", "output is shown while the program runs"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "holdfast: stopped.\n"
        assert process.wait(30) == 130


def test_a_second_server_on_one_state_directory_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "holdfast.cli", "serve", "--port", "0"]
    environ = {**os.environ, "HOLDFAST_STATE_DIR": str(tmp_path), "HOLDFAST_LOG_LEVEL": "warning"}
    environ.setdefault("HOLDFAST_GUEST_ENV", str(guest_environment(tmp_path)))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ, cwd=tmp_path) as first:
        assert first.stderr is not None
        assert "listens on http://127.0.0.1:" in first.stderr.readline()
        second = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=60)
        first.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert first.wait(30) == 0
        assert time.monotonic() - began < 20, "ruling 33 promises 20 s"
    assert second.returncode == 125
    assert second.stderr.startswith("holdfast: Another Holdfast server already uses")


def guest_environment(here: Path) -> Path:
    """The environment of programs that this host has been set up with."""
    shown = "from holdfast.settings import load_settings; print(load_settings().guest_environment)"
    return Path(subprocess.check_output([sys.executable, "-c", shown], text=True, cwd=here).strip())


def test_what_the_compiler_says_goes_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "x.go").write_text("package main\nfunc main() { nothing() }")
    done = holdfast("run", "x.go", here=tmp_path)
    if "languages add go" in done.stderr:
        lacks("languages", done.stderr)
    assert (done.returncode, done.stdout) == (1, "")
    assert "undefined: nothing" in done.stderr
    assert done.stderr.endswith("holdfast: the program did not compile.\n")


def test_the_languages_are_listed_with_their_versions(tmp_path: Path) -> None:
    listed = json.loads(holdfast("languages", "list", "--json", here=tmp_path).stdout)
    assert {"python", "go", "sql"} <= {language["name"] for language in listed}
    assert all(language["version"] for language in listed if language["name"] in ("python", "bash", "sql"))


def test_a_language_that_is_missing_is_said_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_GUEST_ENV", str(guest_environment(tmp_path)))
    monkeypatch.setenv("HOLDFAST_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "x.ts").write_text("const said: string = `${6 * 7}`; console.log(said)")
    done = holdfast("run", "x.ts", here=tmp_path)
    assert (done.returncode, done.stdout) == (125, "")
    assert "with: holdfast languages add deno" in done.stderr
    added = holdfast("languages", "add", "deno", here=tmp_path)
    if added.returncode:
        lacks("languages", f"packages cannot be installed here: {added.stderr}")
    done = holdfast("run", "x.ts", here=tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    listed = json.loads(holdfast("languages", "list", "--json", here=tmp_path).stdout)
    versions = {language["name"]: language["version"] for language in listed}
    assert versions["deno"] and not versions["go"]


def test_gc_says_what_was_removed_and_kept(tmp_path: Path) -> None:
    environment = {**os.environ, "HOLDFAST_STATE_DIR": str(tmp_path / "state")}
    command = [sys.executable, "-m", "holdfast.cli", "gc", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)
    told = {"removed": 0, "kept": 0, "tasks_removed": 0, "datasets_removed": []}
    assert json.loads(done.stdout) == told, done.stderr
