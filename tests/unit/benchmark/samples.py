"""Findings as a pass over the benchmark makes them, with round numbers."""

from dataclasses import replace
from typing import Any

from holdfast.testing.bench.figures import (
    Burst,
    Findings,
    Flood,
    Machine,
    Memory,
    ProcessorTime,
    Rate,
    Spread,
    Weight,
)
from holdfast.testing.bench.jobs import BARE, BWRAP, COLD, NODE, PANDAS, PRINT, WARM, XARGS

MACHINE = Machine("0.1.0", "today", "a processor", 2, 24.0, 0.1, "Linux 6", "cgroup v2", "3.11", "/usr/bin/python3")


def of(p50: float) -> Spread:
    return Spread(p50, p50 * 1.5, p50 * 2, 100)


def findings(**changes: Any) -> Findings:
    memory = Memory(50.0, 60.0, 55.0)
    rates = {WARM: 240.0, COLD: 100.0, BARE: 100.0, XARGS: 200.0, BWRAP: 50.0}
    made = Findings(
        start_milliseconds=600.0,
        latency={
            PRINT: {WARM: of(4.0), COLD: of(8.0), BARE: of(8.0), BWRAP: of(10.0)},
            PANDAS: {WARM: of(15.0), COLD: of(300.0), BARE: of(300.0)},
            NODE: {WARM: of(10.0), COLD: of(40.0), BARE: of(30.0)},
        },
        throughput={
            clients: {
                kind: Rate(value, [value], None if kind == XARGS else of(9.0), 3.0) for kind, value in rates.items()
            }
            for clients in (1, 8)
        },
        processor_time=ProcessorTime(1.0, 2.0, 3.0),
        bare_processor_time=8.0,
        idle=Weight(50.0, 100.0, 80.0, 16),
        idle_after_burst=Weight(50.0, 100.0, 100.0, 16),
        numpy_burst=Burst({200: 100}, 0, 1.0, memory),
        burst=Burst({200: 80, 429: 120}, 0, 1.0, memory),
        floods=[
            Flood(1 << 20, "output_limit", 1 << 20, 0.1, memory),
            Flood(16 << 20, "succeeded", 16 << 20, 1, memory),
        ],
    )
    return replace(made, **changes)
