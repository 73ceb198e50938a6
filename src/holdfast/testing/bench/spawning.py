"""Processes as the peers start them: one alone, or a steady number of them, in a clean environment."""

import contextlib
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from holdfast.errors import EngineError
from holdfast.testing.bench.client import DriverTime
from holdfast.testing.bench.figures import Slice
from holdfast.testing.bench.server import CLEAN_PATH

ENVIRONMENT = {"PATH": CLEAN_PATH, "LANG": "C.UTF-8"}
XARGS = Path("/usr/bin/xargs")
_MOST_PER_SECOND = 5000


@dataclass(frozen=True, slots=True)
class Program:
    """A command that starts with an absolute path, and what it prints."""

    command: tuple[str, ...]
    stdout: str

    def works(self) -> bool:
        """Whether it can be started here and prints that."""
        try:
            done = subprocess.run(self.command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        except OSError:
            return False
        return done.returncode == 0 and done.stdout == self.stdout


def once(program: Program) -> float:
    """Milliseconds from before the start until all output and the end are known. Raises EngineError."""
    read, write = os.pipe()
    began = time.perf_counter()
    pid = _start(program.command, stdout=write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        output = pipe.read()
    _, status = os.waitpid(pid, 0)
    milliseconds = (time.perf_counter() - began) * 1000
    _expect(program, status, output.decode(errors="replace"))
    return milliseconds


def steadily(program: Program, clients: int, lead_seconds: float, seconds: float) -> Slice:
    """Load of a steady number of processes, started by `posix_spawn` and awaited in one thread: a driver as light as
    there is."""
    begin = time.perf_counter() + lead_seconds
    end = begin + seconds
    waits: list[float] = []
    driver = DriverTime(begin)
    with _Running(program) as running:
        for _ in range(clients):
            running.start()
        while running:
            for began in running.ended():
                now = time.perf_counter()
                driver.look(now)
                if begin <= now < end:
                    waits.append((now - began) * 1000)
                if now < end:
                    running.start()
    return Slice(len(waits), waits, seconds, driver.spent())


class _Running:
    """Processes that run at the same time; leaving the block waits for them all."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._selector = selectors.DefaultSelector()
        self._nowhere = os.open(os.devnull, os.O_WRONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            self._reap(key)
        self._selector.close()
        os.close(self._nowhere)

    def __bool__(self) -> bool:
        return bool(self._selector.get_map())

    def start(self) -> None:
        began = time.perf_counter()
        pid = _start(self._program.command, stdout=self._nowhere)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, began))

    def ended(self) -> Iterator[float]:
        """Wait until one or more have ended; when each of them was started. Raises EngineError for one that failed."""
        for key, _ in self._selector.select():
            _expect(self._program, self._reap(key), self._program.stdout)
            yield key.data[1]

    def _reap(self, key: selectors.SelectorKey) -> int:
        self._selector.unregister(key.fd)
        os.close(key.fd)
        return os.waitpid(key.data[0], 0)[1]


def steadily_by_xargs(program: Program, clients: int, lead_seconds: float, seconds: float) -> Slice:
    """The same load from a driver in C, to see whether ours is what is slow. Each process prints one line."""
    jobs = int((lead_seconds + seconds) * _MOST_PER_SECOND)
    command = (str(XARGS), f"-P{clients}", "-n1", *program.command)
    with tempfile.TemporaryFile() as lines:
        lines.write(b"1\n" * jobs)
        lines.seek(0)
        with subprocess.Popen(command, env=ENVIRONMENT, stdin=lines, stdout=subprocess.PIPE) as xargs:
            assert xargs.stdout is not None
            begin = time.perf_counter() + lead_seconds
            end = begin + seconds
            ended = 0
            while part := os.read(xargs.stdout.fileno(), 1 << 16):
                now = time.perf_counter()
                ended += part.count(b"\n") if begin <= now < end else 0
                if now >= end:
                    with contextlib.suppress(ProcessLookupError):
                        xargs.terminate()
    return Slice(ended, (), seconds, 0.0)


def _start(command: tuple[str, ...], *, stdout: int) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    return os.posix_spawn(command[0], command, ENVIRONMENT, file_actions=actions)


def _expect(program: Program, status: int, output: str) -> None:
    if status or output != program.stdout:
        name = " ".join(program.command)[:200]
        raise EngineError(f"The benchmark broke off: {name} ended with {status} and printed {output[:100]!r}.")
