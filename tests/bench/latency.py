"""How long one small program takes: over HTTP, under bubblewrap, and without any sandbox, alternating one by one."""

import os
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.server import CLEAN_PATH, Client, Server

ROUNDS = 50
WARM_UP = 5
PROGRAM = "print(1)"


@dataclass(frozen=True, slots=True)
class Latency:
    """What was waited for one kind of run, in milliseconds."""

    name: str
    p50: float
    p95: float
    p99: float


def sequential_runs(server: Server) -> list[Latency]:
    """50 sequential runs of each kind, one of each in turn. The first is Holdfast; bubblewrap only where it is."""
    client = Client(server.port)
    kinds: dict[str, Callable[[], float]] = {"Holdfast, `POST /run`": lambda: _over_http(client)}
    if shutil.which("bwrap", path=CLEAN_PATH):
        kinds["bubblewrap"] = lambda: _spawn(bubblewrap_command())
    kinds["bare interpreter"] = lambda: _spawn(bare_command())
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(WARM_UP + ROUNDS):
        for name, measure in kinds.items():
            milliseconds = measure()
            if number >= WARM_UP:
                samples[name].append(milliseconds)
    client.close()
    return [summarise(name, values) for name, values in samples.items()]


def summarise(name: str, values: list[float]) -> Latency:
    """The percentiles of some samples."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return Latency(name, statistics.median(values), cuts[94], cuts[98])


def bare_command() -> list[str]:
    """The system's own interpreter: another one may carry start-up files that make the peer look slow."""
    python = next(path for path in ("/usr/bin/python3.11", "/usr/bin/python3") if Path(path).exists())
    return [python, "-I", "-c", PROGRAM]


def bubblewrap_command() -> list[str]:
    """The peer: a fresh sandbox by the usual tool."""
    mounts = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    return ["/usr/bin/bwrap", "--unshare-all", *mounts, "--", *bare_command()]


def _over_http(client: Client) -> float:
    answer = client.run({"code": PROGRAM})
    if answer.status != 200 or answer.body["stdout"] != "1\n":
        raise SystemExit(f"The run failed: {answer}")
    return answer.milliseconds


def _spawn(command: list[str]) -> float:
    """From before the start until the end is known; `posix_spawn` is the cheapest start there is."""
    read, write = os.pipe()
    began = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read), (os.POSIX_SPAWN_CLOSE, write)]
    pid = os.posix_spawn(command[0], command, {"PATH": CLEAN_PATH}, file_actions=actions)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        output = pipe.read()
    _, status = os.waitpid(pid, 0)
    milliseconds = (time.perf_counter() - began) * 1000
    if output != b"1\n" or status:
        raise SystemExit(f"{command} ended with {status} and printed {output!r}")
    return milliseconds
