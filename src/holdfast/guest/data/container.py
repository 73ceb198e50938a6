"""The stdin programs in the runner image, where the container is the wall.

The program runs in a child with limits of its own and is killed from here, whatever it catches; what it prints goes
through pipes, so that the one line on stdout is ours.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path

from holdfast.guest.data import answer, main, protocol
from holdfast.guest.data.checked import ROOM_BESIDE_THE_TABLE, checked
from holdfast.guest.data.protocol import Refusal, RunnerRequest, response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ISOLATION = {"engine": "container"}
MEMORY_BYTES = 512 << 20
ADDRESS_SPACE = 8 << 30
"""Interpreters reserve far more than they use; what is used the container bounds."""

START_SECONDS = 30
FILE_BYTES = 64 << 20
OPEN_FILES = 256
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
_MEMORY_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from holdfast.guest.data import container
container.child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"""
FIGURE = re.compile(r"figure-[0-9]{1,3}\.(?:png|vl\.json)")
_PIECE = 65_536
_DRAIN_SECONDS = 2.0
_KILLED = "It was killed, most likely because it needed more memory than the container has."
_SILENT = "It ended without an answer."


def run(kind: str, root: str = protocol.IMAGE_ROOT) -> int:
    """Answer the request on stdin; the exit code is 0 for success alone."""
    _guard()
    out = os.fdopen(os.dup(1), "w")
    try:
        line, succeeded = _respond(kind, root)
    except Refusal as refusal:
        line, succeeded = response(status="error", error=refusal.error, isolation=ISOLATION), False
    except Exception as error:
        said = {"type": protocol.INTERNAL, "message": f"{type(error).__name__}: {error}"}
        line, succeeded = response(status="error", error=said, isolation=ISOLATION), False
    print(line, file=out, flush=True)
    return 0 if succeeded else 1


def _guard() -> None:
    """Let the child, which has our uid, not look into this process or its descriptors, nor outlive it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _respond(kind: str, root: str) -> tuple[str, bool]:
    if kind == "python" and os.environ.get("ENABLE_PYTHON_EXECUTION", "true").lower() != "true":
        raise Refusal(protocol.DENIED, protocol.DISABLED)
    request = protocol.parse(sys.stdin.buffer.read(protocol.MAX_REQUEST_BYTES + 1), kind, root)
    folder = tempfile.mkdtemp(prefix="run-")
    try:
        (Path(folder) / ".holdfast").mkdir()
        (Path(folder) / main.JOB).write_text(json.dumps(_job(request)))
        code, streams = _execute(folder, request)
        told = _read(folder, request)
        return _response(request, told, code, streams, _figures(folder, told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _job(request: RunnerRequest) -> dict[str, Any]:
    return {
        "kind": request.kind,
        "code": request.code,
        "parameters": [],
        "database": None,
        "files": dict(request.files),
        "max_rows": request.max_rows,
        "max_output_bytes": request.max_output_bytes,
        "memory_mib": _memory() * 6 // 10 >> 20,
        "threads": 1,
        "seconds": None,
    }


def _memory() -> int:
    """What the container may use."""
    for path in _MEMORY_FILES:
        try:
            limit = int(Path(path).read_text())
        except (OSError, ValueError):
            continue
        return min(limit, 1 << 40)
    return MEMORY_BYTES


def child(kind: str, seconds: int, ready: int) -> None:
    """What the child does: limit itself, load what it needs, say so, and become the program."""
    for name, most in (
        (resource.RLIMIT_CPU, seconds + START_SECONDS),
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (most, most))
    import_module(f"holdfast.guest.data.{kind}")
    os.close(ready)
    main.main()


def _execute(folder: str, request: RunnerRequest) -> tuple[int | None, tuple[str, str]]:
    """The exit code, None for one that was out of time, and what was printed."""
    library = str(Path(__file__).resolve().parents[3])
    started, ready = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, library, request.kind, str(request.timeout_seconds), str(ready)],
        cwd=folder,
        pass_fds=(ready,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "MPLCONFIGDIR": folder, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    drains = [_Drain(process.stdout), _Drain(process.stderr)]
    os.close(ready)
    with os.fdopen(started, "rb") as pipe:
        # The time of a program begins when what it needs is loaded, which on half a processor takes long.
        select.select([pipe], [], [], START_SECONDS)
    try:
        code = process.wait(request.timeout_seconds)
    except subprocess.TimeoutExpired:
        code = None
    _end(process)
    return code, (drains[0].text(), drains[1].text())


class _Drain(threading.Thread):
    """Reads a pipe to its end, and keeps its beginning."""

    def __init__(self, stream: Any) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        """Read until everybody who could write is gone."""
        while piece := os.read(self._stream.fileno(), _PIECE):
            if len(self._kept) < 4 * protocol.MAX_STREAM_CHARACTERS:
                self._kept += piece

    def text(self) -> str:
        """What was kept."""
        self.join(_DRAIN_SECONDS)
        return bytes(self._kept).decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and whatever it has started: those whose parents are dead are our children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    while children := _children():
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children() -> list[int]:
    found = [task / "children" for task in Path("/proc/self/task").iterdir()]
    return [int(pid) for path in found if path.exists() for pid in path.read_text().split()]


def _read(folder: str, request: RunnerRequest) -> dict[str, Any] | None:
    """The answer; None where there is none."""
    most = request.max_output_bytes + ROOM_BESIDE_THE_TABLE
    try:
        text = _content(folder, answer.ANSWER, most)
        return None if text is None else checked(text, kind=request.kind, max_rows=request.max_rows)
    except ValueError:
        return None


def _figures(folder: str, told: dict[str, Any] | None) -> list[tuple[str, bytes]]:
    """What was drawn, as long as there is room. The names are the child's: only one in its own folder is read."""
    found, room = [], protocol.MAX_FIGURE_BYTES
    for name in dict.fromkeys(told["figures"] if told and told["error"] is None else ()):
        content = _content(folder, name, room) if FIGURE.fullmatch(name) else None
        if content is not None:
            found.append((name, content))
            room -= len(content)
    return found


def _content(folder: str, name: str, most: int) -> bytes | None:
    """A regular file of the child's folder; None for one that is none, or longer."""
    try:
        fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            content = file.read(most + 1)
    except OSError:
        return None
    return content if len(content) <= most else None


def _response(
    request: RunnerRequest,
    told: dict[str, Any] | None,
    code: int | None,
    streams: tuple[str, str],
    figures: list[tuple[str, bytes]],
) -> tuple[str, bool]:
    if code is None or code == -signal.SIGXCPU:
        error = protocol.timed_out(request.kind, request.timeout_seconds)
        took = {"exec_ms": request.timeout_seconds * 1000}
        return response(took, status="timeout", error=error, streams=streams, isolation=ISOLATION), False
    if told is None:
        error = {"type": protocol.FAILED[request.kind], "message": _KILLED if code == -signal.SIGKILL else _SILENT}
        return response(status="error", error=error, streams=streams, isolation=ISOLATION), False
    said = response(told, streams=streams, isolation=ISOLATION, artifacts=figures)
    return said, told["error"] is None
