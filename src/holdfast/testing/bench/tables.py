"""What was measured as tables of text, for the terminal and for the page alike."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.testing.bench.bars import WARM_CELLS, verdicts
from holdfast.testing.bench.figures import Burst, Findings, Machine, ProcessorTime, Rate, Weight
from holdfast.testing.bench.jobs import BARE, DOCKER, PRINT, PUBLISHED_DOCKER_P50, WARM, XARGS

NOTHING = "-"
_IN_TURN = (
    "Ten in a row of each way of doing a job, in turn and in an order that changes, so that all see the same machine. "
    "What came first of its ten is also told by itself."
)
_IN_SLICES = (
    "Medians of short slices of each kind in turn; what ends in the first 0.4 s of a slice, which may live on "
    "stock, is not counted. '× bare' is beside the faster of the two drivers of bare processes. The client of "
    "Holdfast checks the output of every run; bare processes write to /dev/null."
)
_HOLDS = {True: "yes", False: "no", None: "not measured"}


@dataclass(frozen=True, slots=True)
class Report:
    """One or more passes over the benchmark on one machine; `absent` says what could not be measured, and why."""

    machine: Machine
    absent: Sequence[str]
    passes: Sequence[Findings]

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "bars": [asdict(verdict) for verdict in verdicts(self.passes)]}


@dataclass(frozen=True, slots=True)
class Table:
    """One table, with a remark below it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""


def tables(report: Report) -> Iterator[Table]:
    """The bars first, then each pass."""
    yield _machine(report)
    yield _bars(report)
    for number, findings in enumerate(report.passes, start=1):
        of = f", pass {number} of {len(report.passes)}" if len(report.passes) > 1 else ""
        yield from (
            Table(made.title + of, made.head, made.rows, made.remark)
            for made in (*_latencies(findings), *_throughput(findings), _costs(findings), _floods(findings))
        )


def _machine(report: Report) -> Table:
    machine = report.machine
    rows = [
        ("Holdfast", f"{machine.holdfast}, default settings"),
        ("Taken", machine.taken),
        ("Processor", f"{machine.processor}, {machine.cores} cores"),
        ("Memory", f"{machine.memory_gigabytes:.0f} GB"),
        ("Busy before", f"load average {machine.load:.2f}; others' work makes every number worse, ratios less so"),
        ("Kernel", machine.kernel),
        ("Isolation", machine.isolation),
        ("Python", f"server {machine.python}, peers {machine.peer}"),
        *(("Not measured", reason) for reason in report.absent),
    ]
    return Table("The machine", ("", ""), rows)


def _bars(report: Report) -> Table:
    passes = [f"pass {number}" for number in range(1, len(report.passes) + 1)] if len(report.passes) > 1 else ["found"]
    judged = verdicts(report.passes)
    rows = [(verdict.name, verdict.wanted, *map(_value, verdict.values), _HOLDS[verdict.holds]) for verdict in judged]
    missed = [verdict.name for verdict in judged if verdict.holds is False]
    remark = f"{len(missed)} of {len(judged)} bars do not hold here: {'; '.join(missed)}." if missed else ""
    return Table("The bars", ("Bar", "wanted", *passes, "holds"), rows, remark)


def _value(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.3f}" if value < 1 else f"{value:.4g}"


def _latencies(findings: Findings) -> Iterator[Table]:
    for job, kinds in findings.latency.items():
        ours = kinds[WARM].p50
        rows = [
            (name, _ms(found.p50), _ms(found.p90), _ms(found.p99), str(found.samples), f"{ours / found.p50:.3f}")
            for name, found in kinds.items()
        ]
        if job == PRINT and DOCKER not in kinds:
            rows.append(
                (f"{DOCKER}, measured elsewhere", _ms(PUBLISHED_DOCKER_P50), NOTHING, NOTHING, NOTHING, NOTHING)
            )
        head = ("", "p50 ms", "p90 ms", "p99 ms", "samples", "warm ÷ this, p50")
        yield Table(f"One at a time: {job}", head, rows, _IN_TURN if job == PRINT else "")


def _throughput(findings: Findings) -> Iterator[Table]:
    by_clients = findings.throughput
    kinds = list(next(iter(by_clients.values())))
    rates = [(kind, *(_rate(findings, clients, kind) for clients in by_clients)) for kind in kinds]
    waits = [(kind, *(_waits(found[kind]) for found in by_clients.values())) for kind in kinds]
    drivers = [(kind, *(_driver(found[kind]) for found in by_clients.values())) for kind in kinds if kind != XARGS]
    head = ("clients", *map(str, by_clients))
    yield Table("Steady load of print(1): runs per second, and × bare", head, rates, _IN_SLICES)
    yield Table("Steady load of print(1): p50 and p99, ms", head, [row for row in waits if row[0] != XARGS])
    yield Table("Processor time of the load's driver, % of one core", head, drivers)


def _rate(findings: Findings, clients: int, kind: str) -> str:
    ratio = findings.rate_ratio(clients, kind, BARE, XARGS)
    rate = f"{findings.throughput[clients][kind].per_second:.0f}"
    return rate if ratio is None else f"{rate}, {ratio:.2f} ×"


def _waits(found: Rate) -> str:
    return f"{_ms(found.waits.p50)}, {_ms(found.waits.p99)}" if found.waits else NOTHING


def _driver(found: Rate) -> str:
    return f"{found.driver_percent:.0f}"


def _costs(findings: Findings) -> Table:
    rows = [
        ("CPU per run, ms", _processor_time(findings.processor_time)),
        ("CPU per bare process, ms", f"{findings.bare_processor_time:.2f}"),
        ("Ready after its start", f"{findings.start_milliseconds:.0f} ms"),
        ("Idle", _weight(findings.idle)),
        ("Idle after the burst", _weight(findings.idle_after_burst)),
        ("Programs at once that import numpy", _burst(findings.numpy_burst)),
        ("print(1) at once", _burst(findings.burst)),
        ("Server before, peak and after that", _memory(findings.burst)),
    ]
    return Table(
        "What it costs",
        ("", ""),
        rows,
        "Idle is the proportional set size of the server, its launchers and all sandboxes in stock. Programs that "
        "import numpy are sent to a server with a longer queue, so that none is answered 429; nothing is sent again.",
    )


def _processor_time(spent: ProcessorTime) -> str:
    parts = f"server {spent.server:.2f}, launchers {spent.launchers:.2f}, cell {spent.cells:.2f}"
    return f"{parts}; together {spent.total:.2f}"


def _weight(weight: Weight) -> str:
    return (
        f"server {weight.server:.0f} MB, launchers {weight.launchers:.0f} MB, "
        f"{weight.stock} cells {weight.cells:.0f} MB; with {WARM_CELLS} cells {weight.with_stock(WARM_CELLS):.0f} MB"
    )


def _burst(burst: Burst) -> str:
    answers = ", ".join(f"{count} × {status}" for status, count in burst.answers.items())
    wrong = f", {burst.failed} with a wrong result" if burst.failed else ""
    return f"{answers}{wrong}, after {burst.seconds:.1f} s"


def _memory(burst: Burst) -> str:
    memory = burst.memory
    return f"{memory.before:.1f}, {memory.peak:.1f}, {memory.after:.1f} MB resident"


def _floods(findings: Findings) -> Table:
    rows = [
        (
            f"{flood.cap_bytes >> 20} MiB",
            flood.status,
            f"{flood.kept_bytes:,}",
            f"{flood.seconds:.1f}",
            f"{flood.memory.growth:.1f}",
            f"{flood.memory.kept:.1f}",
        )
        for flood in findings.floods
    ]
    head = ("cap", "status", "bytes kept", "seconds", "server grows by MB", "and keeps MB")
    return Table("A program that writes 1 GB", head, rows)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"
