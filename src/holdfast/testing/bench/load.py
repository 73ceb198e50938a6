"""What many runs at once, and a program that never stops writing, do to the server."""

import http.client
import json
import resource
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from holdfast.testing.bench import client, spawning
from holdfast.testing.bench.figures import Burst, Flood, Memory, ProcessorTime, Rate, Slice, rate
from holdfast.testing.bench.jobs import BARE, BWRAP, COLD, WARM, XARGS, Job
from holdfast.testing.bench.server import Server

T = TypeVar("T")

LEAD_SECONDS = 0.4
CALM_SECONDS = 0.3
BURST = 200
NUMPY_BURST = 100
NUMPY, NUMPY_STDOUT = "import numpy\nprint(int(numpy.arange(10).sum()))", "45\n"
FLOOD = "import os\nblock = b'x' * 1_000_000\nfor _ in range(1000):\n    os.write(1, block)\n"

Driver = Callable[[int, float], Slice]
"""Steady load from so many clients for so many seconds."""


def steady_load(
    job: Job, warm: Server, cold: Server, slices: Mapping[int, int], seconds: float
) -> dict[int, dict[str, Rate]]:
    """Runs per second by number of clients, in so many short slices of each kind in turn: noise hits all alike."""
    drivers = _drivers(job, warm, cold)
    found: dict[int, dict[str, Rate]] = {}
    for count, rounds in slices.items():
        taken: dict[str, list[Slice]] = {name: [] for name in drivers}
        for number in range(rounds):
            for name in list(drivers)[:: -1 if number % 2 else 1]:
                taken[name].append(drivers[name](count, seconds))
                time.sleep(CALM_SECONDS)
        found[count] = {name: rate(of_one) for name, of_one in taken.items()}
    return found


def _drivers(job: Job, warm: Server, cold: Server) -> dict[str, Driver]:
    bare = job.peers[BARE]
    drivers: dict[str, Driver] = {
        WARM: lambda count, seconds: _http_load(warm, job, count, seconds),
        BARE: lambda count, seconds: spawning.steadily(bare, count, LEAD_SECONDS, seconds),
        COLD: lambda count, seconds: _http_load(cold, job, count, seconds),
    }
    if spawning.XARGS.exists():
        drivers[XARGS] = lambda count, seconds: spawning.steadily_by_xargs(bare, count, LEAD_SECONDS, seconds)
    if BWRAP in job.peers:
        drivers[BWRAP] = lambda count, seconds: spawning.steadily(job.peers[BWRAP], count, LEAD_SECONDS, seconds)
    return drivers


def _http_load(server: Server, job: Job, clients: int, seconds: float) -> Slice:
    return client.steadily(server.port, job.request, job.stdout, clients, LEAD_SECONDS, seconds)


def processor_time_per_run(server: Server, job: Job, clients: int, seconds: float) -> ProcessorTime:
    """What a run costs under steady load, from a full stock to a full stock again, so that its sandbox counts too."""
    server.full_stock()
    before = server.processor_time()
    found = client.steadily(server.port, job.request, job.stdout, clients, 0, seconds)
    server.full_stock()
    # One run of each client ended too late to be counted.
    return server.processor_time().per_run(before, found.ended + clients)


def bare_processor_time_per_run(job: Job, clients: int, seconds: float) -> float:
    """What a bare process costs under the same load, in milliseconds."""
    before = _spent_by_children()
    found = spawning.steadily(job.peers[BARE], clients, 0, seconds)
    return (_spent_by_children() - before) / (found.ended + clients)


def _spent_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1000


def concurrent_requests(server: Server, job: Job, settle_seconds: float) -> Burst:
    """200 requests at once: each is answered, with a result or with 429."""
    return _burst(server, job.request, job.stdout, BURST, settle_seconds)


def numpy_at_once(server: Server, settle_seconds: float) -> Burst:
    """100 programs at once that import numpy. The server must have a queue for them; nothing is sent again."""
    return _burst(server, client.post("/run", {"code": NUMPY}), NUMPY_STDOUT, NUMPY_BURST, settle_seconds)


def _burst(server: Server, request: bytes, stdout: str, count: int, settle_seconds: float) -> Burst:
    answers, seconds, memory = _watched(server, settle_seconds, lambda: client.at_once(server.port, request, count))
    failed = sum(answer.status == 200 and not answer.prints(stdout) for answer in answers)
    counted = dict(sorted(Counter(answer.status for answer in answers).items()))
    return Burst(counted, failed, seconds, memory)


def flood_of_output(server: Server, cap_bytes: int, settle_seconds: float) -> Flood:
    """One program writes 1 GB to stdout."""
    body = {"code": FLOOD, "max_output_bytes": cap_bytes, "timeout": 120}
    (code, result), seconds, memory = _watched(server, settle_seconds, lambda: _ask_for_much(server.port, body))
    return Flood(cap_bytes, result.get("status", f"HTTP {code}"), len(result.get("stdout", "")), seconds, memory)


def _ask_for_much(port: int, body: Mapping[str, object]) -> tuple[int, dict[str, str]]:
    """Status and body of an answer that comes in chunks, which the light client does not know."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=client.ANSWER_SECONDS)
    try:
        connection.request("POST", "/run", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _watched(server: Server, settle_seconds: float, act: Callable[[], T]) -> tuple[T, float, Memory]:
    server.forget_peak()
    before = server.resident_megabytes()
    began = time.monotonic()
    outcome = act()
    seconds = time.monotonic() - began
    peak = server.peak_megabytes()
    time.sleep(settle_seconds)
    return outcome, seconds, Memory(before, peak, server.resident_megabytes())
