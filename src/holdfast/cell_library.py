"""What is compiled on this host, in C: without it cells cost more processor time, and do the same."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from holdfast.languages import ENVIRONMENT_AT

FOLDER = "cell"
SOURCES = ("cell.c", "warm_node.c")
PARTS = "cell"
"""The directory of what `cell.c` includes."""

COMPILE_SECONDS = 60
_FLAGS = ("-O2", "-shared", "-fPIC", "-fstack-protector-strong", "-Wl,-z,relro,-z,now", "-Wl,--build-id=none")


def install(environment: Path, progress: Callable[[str], None]) -> None:
    """Compile it into the environment of the programs, which every launcher sees, unless it is there.

    A host without a C compiler goes without. Raises OSError when it cannot be written.
    """
    target = environment / _name()
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if target.exists():
        return
    if compiler is None:
        progress("No C compiler: runs take a little longer. To change that: sudo apt install gcc libc6-dev")
        return
    target.parent.mkdir(exist_ok=True)
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with resources.as_file(resources.files("holdfast.guest")) as folder:
            command = (compiler, *_FLAGS, "-o", str(made), *(str(folder / name) for name in SOURCES))
            told = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        if told.returncode:
            last = (told.stderr.strip().splitlines() or ["it said nothing"])[-1]
            progress(f"The C compiler does not work, and runs take a little longer: {last}")
            return
        made.chmod(0o644)
        made.rename(target)
    finally:
        made.unlink(missing_ok=True)


def in_tree(environment: Path) -> str | None:
    """Where a launcher finds it, None where it is not compiled for this version."""
    name = _name()
    return f"{ENVIRONMENT_AT}/{name}" if (environment / name).exists() else None


def _name() -> str:
    guest = resources.files("holdfast.guest")
    parts = sorted((guest / PARTS).iterdir(), key=lambda part: part.name)
    sources = [file.read_bytes() for file in (*(guest / name for name in SOURCES), *parts)]
    return f"{FOLDER}/{hashlib.sha256(b''.join(sources)).hexdigest()[:16]}.so"
