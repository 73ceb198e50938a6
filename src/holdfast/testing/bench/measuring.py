"""One pass over the whole benchmark, and the machine it runs on."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from holdfast import __version__
from holdfast.engines.pooled import BURST_MEMORY_SECONDS, LOOK_SECONDS
from holdfast.settings import Settings
from holdfast.testing.bench import load
from holdfast.testing.bench.bars import DEFAULT_CAP, LARGEST_CAP
from holdfast.testing.bench.client import Connection
from holdfast.testing.bench.figures import Findings, Machine, Spread
from holdfast.testing.bench.jobs import Job, Jobs, system_python
from holdfast.testing.bench.latency import alternating
from holdfast.testing.bench.server import Server, started

LOADED_CLIENTS = 8
BURST_QUEUE = 128

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is measured: rounds of each latency, and for each number of clients how many slices of steady load."""

    print_rounds: int = 300
    pandas_rounds: int = 20
    node_rounds: int = 60
    slices: Mapping[int, int] = field(default_factory=lambda: {1: 3, 4: 2, 8: 5, 32: 2})
    slice_seconds: float = 1.0
    settle_seconds: float = 2.0
    forget_seconds: float = BURST_MEMORY_SECONDS + 2 * LOOK_SECONDS


QUICK = Pace(print_rounds=40, pandas_rounds=5, node_rounds=10, slices={1: 1, 4: 1, 8: 1, 32: 1}, slice_seconds=0.5)


def measure(settings: Settings, jobs: Jobs, pace: Pace, say: Say) -> Findings:
    """Everything once, the calm parts first. Raises StartupError, EngineError."""
    with started(settings) as warm:
        with started(settings, pool_size=0) as cold:
            say("latency, one run after the other")
            latency = _latency(jobs, warm, cold, pace)
            say(f"steady load of {', '.join(map(str, pace.slices))} clients")
            throughput = load.steady_load(jobs.print, warm, cold, pace.slices, pace.slice_seconds)
        say("processor time of a run")
        seconds = 2 * pace.slice_seconds
        spent = load.processor_time_per_run(warm, jobs.print, LOADED_CLIENTS, seconds)
        bare_spent = load.bare_processor_time_per_run(jobs.print, LOADED_CLIENTS, seconds)
        say("200 requests at once, and programs that write 1 GB")
        burst = load.concurrent_requests(warm, jobs.print, pace.settle_seconds)
        floods = [load.flood_of_output(warm, cap, pace.settle_seconds) for cap in (DEFAULT_CAP, LARGEST_CAP)]
    say("100 programs at once that import numpy")
    with started(settings, queue=BURST_QUEUE) as fresh:
        time.sleep(pace.settle_seconds)
        idle = fresh.weight()
        numpy_burst = load.numpy_at_once(fresh, pace.settle_seconds)
        time.sleep(pace.forget_seconds)
        idle_after_burst = fresh.weight()
    return Findings(
        start_milliseconds=warm.start_milliseconds,
        latency=latency,
        throughput=throughput,
        processor_time=spent,
        bare_processor_time=bare_spent,
        idle=idle,
        idle_after_burst=idle_after_burst,
        numpy_burst=numpy_burst,
        burst=burst,
        floods=floods,
    )


def _latency(jobs: Jobs, warm: Server, cold: Server, pace: Pace) -> dict[str, dict[str, Spread]]:
    wanted: list[tuple[Job | None, int]] = [
        (jobs.print, pace.print_rounds),
        (jobs.pandas, pace.pandas_rounds),
        (jobs.node, pace.node_rounds),
    ]
    return {job.name: alternating(job, warm, cold, rounds) for job, rounds in wanted if job is not None}


def machine(settings: Settings, jobs: Jobs) -> Machine:
    """Where this is, and what isolates the programs; one is run to see that."""
    load_average = os.getloadavg()[0]
    with started(settings, pool_size=0) as server:
        connection = Connection(server.port)
        isolation = connection.ask(jobs.print.request).body["isolation"]
        connection.close()
    landlock = "none" if isolation["landlock"] is None else f"ABI {isolation['landlock']}"
    return Machine(
        holdfast=__version__,
        taken=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gigabytes=int(Path("/proc/meminfo").read_text().split()[1]) / 1e6,
        load=load_average,
        kernel=f"{platform.system()} {platform.release()}",
        isolation=f"cgroup {isolation['cgroup']}, seccomp {isolation['seccomp']}, Landlock {landlock}",
        python=platform.python_version(),
        peer=system_python(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
