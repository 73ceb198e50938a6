"""`docker run` as a peer, where its daemon answers. Its image is the system's own interpreter; nothing is pulled."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from holdfast.testing.bench.server import CLEAN_PATH
from holdfast.testing.bench.spawning import ENVIRONMENT, Program

FLAGS = ("run", "--rm", "--network", "none", "--read-only", "--memory", "256m", "--pids-limit", "64")
IMAGE = "holdfast-bench:python"
ANSWER_SECONDS = 20
IMPORT_SECONDS = 120
_WHERE = "import sysconfig; print(sysconfig.get_path('stdlib'))"


def docker_program(bare: Program, socket: Path, at_the_end: ExitStack) -> Program | str:
    """A bare process's program in a container, or why there is none; the image is removed at the end."""
    client = shutil.which("docker", path=CLEAN_PATH)
    if client is None:
        return "it is not installed"
    docker = (client, "--host", f"unix://{socket}")
    if not _done([*docker, "version"], ANSWER_SECONDS):
        return "its daemon does not answer"
    try:
        archive = tree_command(bare.command[0])
    except (OSError, subprocess.CalledProcessError):
        return "what the system's interpreter consists of cannot be found out with ldd"
    at_the_end.callback(_done, [*docker, "image", "rm", "--force", IMAGE], ANSWER_SECONDS)
    with subprocess.Popen(archive, env=ENVIRONMENT, stdout=subprocess.PIPE) as tree:
        imported = _done([*docker, "import", "-", IMAGE], IMPORT_SECONDS, stdin=tree.stdout)
    program = Program((*docker, *FLAGS, IMAGE, *bare.command), bare.stdout)
    if not imported or not program.works():
        return "an image made of the system's interpreter does not work here"
    return program


def tree_command(python: str) -> list[str]:
    """The command that writes an interpreter with all it needs to start, as an archive, to its stdout."""
    stdlib = _output([python, "-I", "-c", _WHERE]).strip()
    # "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" and, for the loader, "/lib64/ld-linux-x86-64.so.2 (0x…)"
    libraries = [word for word in _output(["ldd", python]).split() if word.startswith("/")]
    paths = [path.lstrip("/") for path in (python, stdlib, *libraries)]
    return ["tar", "--create", "--dereference", "--directory=/", *paths]


def _output(command: list[str]) -> str:
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


def _done(command: list[str], seconds: float, stdin: IO[bytes] | None = None) -> bool:
    try:
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=seconds, stdin=stdin, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
