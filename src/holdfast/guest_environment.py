"""The Python environment that programs see: the server's interpreter with pandas, duckdb, matplotlib, IPython, …

It is not the server's own environment, so that none of the server's packages can be imported in a cell. It is built
beside its place and renamed into it, so it is there completely or not at all.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from holdfast import cell_library
from holdfast.errors import HoldfastError, RuntimeNotAvailableError, StorageFullError
from holdfast.languages import SDK_AT

Progress = Callable[[str], None]

LOCK_FILE = "guest-requirements.lock"
STAMP = "holdfast.json"
ENVIRONMENT = "The environment of the programs"
NEEDED_BYTES = 1 << 30
NOT_COMPILED = r"/tests?/"
CAUSES = (
    (re.compile(r"no space left|disk quota|os error 28", re.I), StorageFullError, "the disk is full; free 1 GB"),
    (
        re.compile(r"hash mismatch|match the hashes", re.I),
        RuntimeNotAvailableError,
        "a package is not the one that was pinned; check the package index that pip or uv is configured with",
    ),
    (
        re.compile(
            r"resolve|connect|network|timed? ?out|unreachable|proxy|certificate|no matching|no version|unsatisfiable",
            re.I,
        ),
        RuntimeNotAvailableError,
        "the package index cannot be reached or lacks a package; check the network and the index of pip or uv",
    ),
)


def is_ready(path: Path) -> bool:
    """Whether the environment at `path` is complete and made for this version of Holdfast and of Python."""
    try:
        return (path / STAMP).read_text() == _stamp() and (path / "bin" / "python").exists()
    except OSError:
        return False


def lock_text() -> str:
    """The pinned packages, each with its hashes."""
    return (resources.files("holdfast") / LOCK_FILE).read_text()


def install(path: Path, progress: Progress) -> None:
    """Make the environment at `path`, unless it is ready. `progress` is told each step.

    Raises StorageFullError when the disk is full, RuntimeNotAvailableError when the packages cannot be had.
    """
    with translated_errors(path):
        if not is_ready(path):
            with alone(path):
                if not is_ready(path):
                    _build(path, progress)
        _place_sdk(path)
        cell_library.install(path, progress)


def _build(path: Path, progress: Progress) -> None:
    _require_space(path)
    building = path.with_name(f".{path.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    try:
        progress(f"Making the environment of the programs with Python {sys.version.split()[0]}")
        _make_venv(building)
        progress("Installing pandas, numpy, duckdb, pyarrow, matplotlib and IPython into it (about 400 MB)")
        _install_packages(building)
        _strip(building)
        progress("Compiling it")
        _compile(building)
        (building / STAMP).write_text(_stamp())
        replace(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    progress(f"Ready: {path}")


def _place_sdk(path: Path) -> None:
    """A link that leads nowhere here, and to the SDK of this version inside the tree that programs see."""
    link = _packages(path) / "sdk.py"
    target = f"{SDK_AT}/sdk.py"
    if not link.is_symlink() or str(link.readlink()) != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _make_venv(building: Path) -> None:
    arguments = ["-m", "venv", "--without-pip", str(building)]
    run_step([_base_interpreter(), "-I", *arguments])


def _install_packages(building: Path) -> None:
    lock = resources.files("holdfast") / LOCK_FILE
    python = building / "bin" / "python"
    with resources.as_file(lock) as requirements:
        options = ("--require-hashes", "--only-binary", ":all:", "-r", str(requirements))
        run_step([*installer(building, python), *options])


def installer(building: Path, python: Path) -> list[str]:
    """The command that installs into `python`: uv, else the server's pip, else the pip that Python ships."""
    if uv := shutil.which("uv"):
        return [uv, "--quiet", "pip", "install", "--link-mode", "copy", "--python", str(python)]
    owner = sys.executable if importlib.util.find_spec("pip") else str(_make_pip(building))
    return [owner, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile", "--no-input"]


def _make_pip(building: Path) -> Path:
    tools = building / "tools"
    run_step([_base_interpreter(), "-I", "-m", "venv", str(tools)])
    return tools / "bin" / "python"


def _strip(building: Path) -> None:
    """Leave the interpreter and the packages: no installer, no scripts, no start-up hooks (each costs every run)."""
    shutil.rmtree(building / "tools", ignore_errors=True)
    (building / ".lock").unlink(missing_ok=True)
    for script in (building / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    for hook in _packages(building).glob("*.pth"):
        hook.unlink()


def _compile(building: Path) -> None:
    """Bytecode that is used whatever the time stamps of its source say after an upgrade, copy or restore."""
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-x", NOT_COMPILED]
    run_step([str(building / "bin" / "python"), "-I", "-m", "compileall", *options, str(_packages(building))])


def replace(building: Path, path: Path) -> None:
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        path.rename(old)
    building.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))


def _base_interpreter() -> str:
    """The interpreter below the server's virtual environment: a venv of a venv would still see the first one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    installed = Path(sys.base_prefix) / "bin" / version
    return str(installed if installed.exists() else sys._base_executable)  # type: ignore[attr-defined]


def _stamp() -> str:
    lock = hashlib.sha256(lock_text().encode()).hexdigest()
    return json.dumps({"lock": lock, "python": sys.version, "interpreter": _base_interpreter()})


def run_step(command: list[str], making: str = ENVIRONMENT) -> None:
    """A step of the set-up; whatever the umask, every user of this machine may read what it makes."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, umask=0o022)
    if result.returncode:
        raise explain_failure(result.stderr.strip() or result.stdout.strip(), making)


def explain_failure(output: str, making: str = ENVIRONMENT) -> HoldfastError:
    """What the output of a failed step means for the operator, as one sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1][:300] if lines else "no output"
    for pattern, error, cause in CAUSES:
        if pattern.search(output):
            return error(f"{making} was not made: {cause}, then run 'holdfast setup' ({last}).")
    if "ensurepip" in output:
        return RuntimeNotAvailableError("Neither uv nor pip was found; run: sudo apt install python3-venv")
    return RuntimeNotAvailableError(f"{making} was not made: {last}")


@contextlib.contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(path) from error
        raise RuntimeNotAvailableError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Two set-ups at once build it once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_space(path: Path) -> None:
    if shutil.disk_usage(path.parent).free < NEEDED_BYTES:
        raise _disk_full(path)


def _disk_full(path: Path) -> StorageFullError:
    return StorageFullError(f"The disk of {path.parent} is full; free 1 GB, then run 'holdfast setup' again.")
