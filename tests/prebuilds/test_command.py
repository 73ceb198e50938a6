"""`holdfast prebuild` and `holdfast run --language TAG`, as a user types them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.engines.local import LocalConfig
from holdfast.settings import load_settings

pytestmark = pytest.mark.anyio

Typed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def typed(config: LocalConfig, tmp_path: Path) -> Typed:
    settings = load_settings()
    own = {
        "HOLDFAST_STATE_DIR": str(tmp_path / "state"),
        "HOLDFAST_GUEST_ENV": str(settings.guest_environment),
        "HOLDFAST_LANGUAGES_DIR": str(settings.toolchains),
    }

    def run(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = (sys.executable, "-m", "holdfast.cli", *words)
        return subprocess.run(
            command, env={**os.environ, **own}, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=60
        )

    return run


def test_build_run_list_and_remove(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text('{"a": 1}')
    (tmp_path / "main.py").write_text("print(open('/opt/holdfast/layer/table.json').read())")
    script = "echo copying; cp /workspace/table.json ."
    built = typed("prebuild", "build", "tables", "--script", "-", "--file", "table.json", stdin=script)
    assert (built.returncode, built.stderr) == (0, "copying\n"), built
    assert built.stdout.startswith("Ready: 'tables'")
    for name in ("tables", "prebuilt-tables"):
        assert typed("run", "main.py", "--language", name).stdout == '{"a": 1}\n'
    listed = json.loads(typed("prebuild", "list", "--json").stdout)
    assert [each["tag"] for each in listed["prebuilds"]] == ["prebuilt-tables"]
    assert "prebuilt-tables" in typed("prebuild", "list").stdout
    assert typed("prebuild", "rm", "tables").returncode == 0
    assert list((tmp_path / "state/prebuilds/layers").iterdir()) == []
    gone = typed("run", "main.py", "--language", "tables")
    assert (gone.returncode, "'tables' is not one of" in gone.stderr) == (2, True)


def test_a_long_tag_is_listed_whole(typed: Typed) -> None:
    tag = "x" * 60
    assert typed("prebuild", "build", tag, "--script", "-", stdin="true").returncode == 0
    assert typed("prebuild", "list").stdout.count("x") == len(tag)


def test_grading_in_a_prebuilt_environment(typed: Typed, tmp_path: Path) -> None:
    script = "echo 'value = 42' > $(echo lib/python3*)/site-packages/tinymod.py"
    assert typed("prebuild", "build", "tiny", "--script", "-", stdin=script).returncode == 0
    (tmp_path / "main.py").write_text("import tinymod\nx = tinymod.value")
    (tmp_path / "tests.yaml").write_text("[{type: variable_value, variable: x, expected: 42}]")
    graded = typed("grade", "main.py", "--tests", "tests.yaml", "--language", "tiny")
    assert graded.returncode == 0, graded


def test_failures_have_exit_codes_of_their_own(typed: Typed) -> None:
    failed = typed("prebuild", "build", "bad", "--script", "-", stdin="echo so far; exit 3")
    assert failed.returncode == 1
    assert failed.stderr.startswith("so far\nholdfast: Build failed: the setup script ended with exit code 3")
    for words in (("build", "Bad Tag", "--script", "-"), ("rm", "absent"), ("build", "x", "--script", "/absent")):
        wrong = typed("prebuild", *words, stdin="true")
        assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False), wrong


def test_cleaning_up_by_age(typed: Typed) -> None:
    typed("prebuild", "build", "old", "--script", "-", stdin="true")
    assert typed("prebuild", "cleanup").stdout == "Nothing is that old.\n"
    cleaned = typed("prebuild", "cleanup", "--max-age-days", "0", "--json")
    assert json.loads(cleaned.stdout) == {"removed": ["old"], "count": 1}
