"""Processes as the peers start them: one alone, or a steady number of them, in a clean environment."""

import contextlib
import os
import selectors
import subprocess
import tempfile
import time
from dataclasses import dataclass

from holdfast.errors import EngineError
from holdfast.testing.bench.client import DriverTime
from holdfast.testing.bench.figures import Slice
from holdfast.testing.bench.server import CLEAN_PATH

ENVIRONMENT = {"PATH": CLEAN_PATH, "LANG": "C.UTF-8"}
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
    with open(os.devnull, "wb") as nowhere, selectors.DefaultSelector() as running:

        def start() -> None:
            began = time.perf_counter()
            pid = _start(program.command, stdout=nowhere.fileno())
            running.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, began))

        for _ in range(clients):
            start()
        while running.get_map():
            for key, _ in running.select():
                pid, began = key.data
                _, status = os.waitpid(pid, 0)
                now = time.perf_counter()
                running.unregister(key.fd)
                os.close(key.fd)
                _expect(program, status, program.stdout)
                driver.look(now)
                if begin <= now < end:
                    waits.append((now - began) * 1000)
                if now < end:
                    start()
    return Slice(len(waits), waits, seconds, driver.spent())


def steadily_by_xargs(program: Program, clients: int, lead_seconds: float, seconds: float) -> Slice:
    """The same load from a driver in C, to see whether ours is what is slow. Each process prints one line."""
    jobs = int((lead_seconds + seconds) * _MOST_PER_SECOND)
    command = ("/usr/bin/xargs", f"-P{clients}", "-n1", *program.command)
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
