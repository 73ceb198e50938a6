"""The environment that programs see: whole or absent, and a clear sentence when it cannot be made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import guest_environment
from holdfast.errors import RuntimeNotAvailableError, StorageFullError
from holdfast.guest_environment import explain_failure, install, is_ready
from holdfast.settings import load_settings

INSTALL = """
import sys
from pathlib import Path
from holdfast.errors import HoldfastError
from holdfast.guest_environment import install
try:
    install(Path(sys.argv[1]), lambda step: None)
except HoldfastError as error:
    print(type(error).__name__, error.detail)
"""
UNREACHABLE = "http://127.0.0.1:9"


def try_to_install(path: Path, **environment: str) -> str:
    """What `install` answers in a process with this environment."""
    command = [sys.executable, "-c", INSTALL, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def ready() -> Path:
    path = load_settings().guest_environment
    if not is_ready(path):
        give_up = pytest.fail if "local" in os.environ.get("HOLDFAST_EXPECT", "").split(",") else pytest.skip
        give_up(f"{path} is not there; run: holdfast setup")
    return path


def test_a_missing_or_half_made_environment_is_not_ready(tmp_path: Path) -> None:
    assert not is_ready(tmp_path / "absent")
    (tmp_path / "bin").mkdir()
    (tmp_path / guest_environment.STAMP).write_text("{}")
    assert not is_ready(tmp_path)


@pytest.mark.skipif(not any(Path(p, "uv").exists() for p in os.get_exec_path()), reason="uv is not on this machine")
def test_without_a_network_uv_leaves_nothing_behind_and_says_what_to_do(tmp_path: Path) -> None:
    path = os.environ["PATH"]
    answer = try_to_install(tmp_path / "guest", PATH=path, UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "cache"))
    assert answer.startswith("RuntimeNotAvailableError")
    assert "check the network" in answer
    assert not list(tmp_path.glob("*guest")) and not list(tmp_path.glob(".guest.[no]*"))


def test_without_a_network_pip_leaves_nothing_behind_and_says_what_to_do(tmp_path: Path) -> None:
    options = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": UNREACHABLE, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    answer = try_to_install(tmp_path / "guest", PATH=os.defpath, **options)
    assert answer.startswith("RuntimeNotAvailableError")
    assert "check the network" in answer
    assert not list(tmp_path.glob("*guest")) and not list(tmp_path.glob(".guest.[no]*"))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeNotAvailableError, match="file/guest cannot be written"):
        install(tmp_path / "file" / "guest", lambda step: None)


@pytest.mark.parametrize(
    ("output", "error", "sentence"),
    [
        ("error: failed to write: No space left on device (os error 28)", StorageFullError, "free 1 GB"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", RuntimeNotAvailableError, "not the one that was pinned"),
        ("ERROR: No matching distribution found for numpy==9", RuntimeNotAvailableError, "check the network"),
        ("No module named ensurepip", RuntimeNotAvailableError, "sudo apt install python3-venv"),
        ("", RuntimeNotAvailableError, "no output"),
    ],
)
def test_a_failed_step_is_explained_in_one_sentence(output: str, error: type[Exception], sentence: str) -> None:
    explained = explain_failure(output)
    assert type(explained) is error
    assert sentence in explained.detail and "\n" not in explained.detail


def test_an_environment_that_is_ready_is_left_alone(ready: Path) -> None:
    steps: list[str] = []
    before = (ready / guest_environment.STAMP).stat()
    install(ready, steps.append)
    assert steps == []
    assert (ready / guest_environment.STAMP).stat() == before


def test_programs_find_no_installer_and_no_start_up_hook(ready: Path) -> None:
    packages = next(ready.glob("lib/python3.*/site-packages"))
    assert [path.name for path in packages.glob("*.pth")] == []
    assert [name for name in ("pip", "setuptools", "wheel") if (packages / name).exists()] == []
    assert {path.name.rstrip("0123456789.") for path in (ready / "bin").iterdir()} == {"python"}


def test_numerical_packages_start_no_threads_when_asked_not_to(ready: Path) -> None:
    program = "import numpy, duckdb, os; print(len(os.listdir('/proc/self/task')))"
    result = subprocess.run(
        [ready / "bin" / "python", "-c", program],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "1\n"


def test_nothing_of_the_server_can_be_imported_by_programs(ready: Path) -> None:
    program = "import starlette"
    result = subprocess.run([ready / "bin" / "python", "-c", program], env={}, capture_output=True, check=False)
    assert b"ModuleNotFoundError" in result.stderr
