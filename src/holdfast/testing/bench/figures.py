"""What is measured, as numbers: waits, rates, memory, processor time. Everything here is plain data for JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of what was waited for one kind of run, in milliseconds."""

    p50: float
    p90: float
    p99: float
    samples: int


def spread(milliseconds: Sequence[float]) -> Spread:
    """The percentiles of some samples, interpolated; of one sample, that sample. Raises ValueError for none."""
    if not milliseconds:
        raise ValueError("nothing was measured")
    if len(milliseconds) == 1:
        return Spread(milliseconds[0], milliseconds[0], milliseconds[0], 1)
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return Spread(statistics.median(milliseconds), cuts[89], cuts[98], len(milliseconds))


@dataclass(frozen=True, slots=True)
class Slice:
    """What ended within one stretch of steady load, and what the driver of the load took of a processor meanwhile.

    `waits` are milliseconds, as far as the driver can tell them.
    """

    ended: int
    waits: Sequence[float]
    seconds: float
    driver_seconds: float

    @property
    def per_second(self) -> float:
        return self.ended / self.seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """Steady load from a number of clients, each of which starts its next run when the last has ended."""

    per_second: float
    slices: Sequence[float]
    waits: Spread | None
    driver_percent: float
    """What the driver took of one processor."""


def rate(slices: Sequence[Slice]) -> Rate:
    """The median of some slices, so that one disturbed slice does not count."""
    waits = [wait for found in slices for wait in found.waits]
    each = [found.per_second for found in slices]
    driver = sum(found.driver_seconds for found in slices) / sum(found.seconds for found in slices)
    return Rate(statistics.median(each), each, spread(waits) if waits else None, 100 * driver)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the server process, in megabytes, around something it did."""

    before: float
    peak: float
    after: float

    @property
    def growth(self) -> float:
        return self.peak - self.before

    @property
    def kept(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Weight:
    """Proportional set sizes in megabytes: the server, its launchers, and the cells in stock with all in them."""

    server: float
    launchers: float
    cells: float
    stock: int

    def with_stock(self, cells: int) -> float:
        """What all would weigh with this many cells in stock, each as heavy as those there are."""
        return self.server + self.launchers + (cells * self.cells / self.stock if self.stock else 0.0)


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """User and system time in milliseconds, by who spent it."""

    server: float
    launchers: float
    cells: float

    @property
    def total(self) -> float:
        return self.server + self.launchers + self.cells

    def per_run(self, before: "ProcessorTime", runs: int) -> "ProcessorTime":
        """What each of these runs took since `before`."""
        return ProcessorTime(
            (self.server - before.server) / runs,
            (self.launchers - before.launchers) / runs,
            (self.cells - before.cells) / runs,
        )


@dataclass(frozen=True, slots=True)
class Burst:
    """How many requests at once were answered; `failed` are answers 200 that are not what the program prints."""

    answers: Mapping[int, int]
    failed: int
    seconds: float
    memory: Memory

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    @property
    def succeeded(self) -> int:
        return self.answers.get(200, 0) - self.failed


@dataclass(frozen=True, slots=True)
class Flood:
    """A program that writes 1 GB, and what was kept of it."""

    cap_bytes: int
    status: str
    kept_bytes: int
    seconds: float
    memory: Memory


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    holdfast: str
    taken: str
    processor: str
    cores: int
    memory_gigabytes: float
    load: float
    kernel: str
    isolation: str
    python: str
    peer: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that one pass over the benchmark found: latency by job and kind, rates by clients and kind."""

    start_milliseconds: float
    latency: Mapping[str, Mapping[str, Spread]]
    throughput: Mapping[int, Mapping[str, Rate]]
    processor_time: ProcessorTime
    bare_processor_time: float
    idle: Weight
    idle_after_burst: Weight
    numpy_burst: Burst
    burst: Burst
    floods: Sequence[Flood]

    def p50_ratio(self, job: str, ours: str, peer: str) -> float | None:
        """Our median wait in parts of the peer's, None where the peer is not on this machine."""
        kinds = self.latency.get(job, {})
        return kinds[ours].p50 / kinds[peer].p50 if ours in kinds and peer in kinds else None

    def rate_ratio(self, clients: int, ours: str, *peers: str) -> float | None:
        """Our rate in multiples of the fastest of these peers, None where none was measured.

        Slices that were taken one after the other are compared, and the median counts: noise that comes and goes
        between them then hits both sides.
        """
        kinds = self.throughput.get(clients, {})
        if ours not in kinds:
            return None
        pairs = [zip(kinds[ours].slices, kinds[peer].slices, strict=True) for peer in peers if peer in kinds]
        ratios = [[one / other for one, other in pair if other] for pair in pairs]
        return min((statistics.median(of_peer) for of_peer in ratios if of_peer), default=None)
