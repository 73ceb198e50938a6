"""What many requests at once, and a program that never stops writing, do to the server."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.bench.latency import PROGRAM, summarise
from tests.bench.server import Client, Server

T = TypeVar("T")

BURST = 200
THROUGHPUT_SECONDS = 5.0
SETTLE_SECONDS = 2.0
FLOOD = "import os\nblock = b'x' * 1_000_000\nfor _ in range(1000):\n    os.write(1, block)\n"


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the server process, in megabytes, around something it did."""

    before: float
    peak: float
    after: float


@dataclass(frozen=True, slots=True)
class Burst:
    """How a burst of requests was answered."""

    answers: Mapping[int, int]
    seconds: float
    memory: Memory
    helpers: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Steady load from some clients, each of which sends the next request when it has its answer."""

    clients: int
    runs_per_second: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Flood:
    """A program that writes 1 GB, and what was kept of it."""

    cap_bytes: int
    status: str
    kept_bytes: int
    seconds: float
    memory: Memory


def concurrent_requests(server: Server) -> Burst:
    """200 requests at once: each is answered, with a result or with 429."""

    def one(_: int) -> int:
        client = Client(server.port)
        try:
            return client.run({"code": PROGRAM}).status
        finally:
            client.close()

    def burst() -> Counter[int]:
        with ThreadPoolExecutor(BURST) as pool:
            return Counter(pool.map(one, range(BURST)))

    answers, seconds, memory = _watched(server, burst)
    return Burst(answers, seconds, memory, server.helpers_megabytes())


def steady_load(server: Server, clients: int) -> Throughput:
    """Runs per second with this many clients; 429 does not count."""
    deadline = time.monotonic() + THROUGHPUT_SECONDS

    def one(_: int) -> list[float]:
        client = Client(server.port)
        waits = []
        while time.monotonic() < deadline:
            answer = client.run({"code": PROGRAM})
            if answer.status == 200:
                waits.append(answer.milliseconds)
        client.close()
        return waits

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        waits = [wait for found in pool.map(one, range(clients)) for wait in found]
    latency = summarise("", waits)
    return Throughput(clients, len(waits) / (time.monotonic() - began), latency.p50, latency.p99)


def flood_of_output(server: Server, cap_bytes: int) -> Flood:
    """One program writes 1 GB to stdout."""
    client = Client(server.port)
    body = {"code": FLOOD, "max_output_bytes": cap_bytes, "timeout": 120}
    answer, seconds, memory = _watched(server, lambda: client.run(body))
    client.close()
    result: dict[str, Any] = answer.body
    return Flood(
        cap_bytes, result.get("status", f"HTTP {answer.status}"), len(result.get("stdout", "")), seconds, memory
    )


def _watched(server: Server, act: Callable[[], T]) -> tuple[T, float, Memory]:
    server.forget_peak()
    before = server.resident_megabytes()
    began = time.monotonic()
    outcome = act()
    seconds = time.monotonic() - began
    peak = server.peak_megabytes()
    time.sleep(SETTLE_SECONDS)
    return outcome, seconds, Memory(before, peak, server.resident_megabytes())
