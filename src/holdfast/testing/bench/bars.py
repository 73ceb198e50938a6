"""What Holdfast promises to reach, as data: each bar is a ratio or an amount within one pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.testing.bench.figures import Findings
from holdfast.testing.bench.jobs import BARE, BWRAP, DOCKER, NODE, PANDAS, PRINT, WARM, XARGS
from holdfast.testing.bench.load import NUMPY_BURST

WARM_CELLS = 16
DEFAULT_CAP, LARGEST_CAP = 1 << 20, 16 << 20


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `value` is None where this machine lacks what it is about."""

    name: str
    limit: float
    value: Callable[[Findings], float | None]
    at_least: bool = False

    def holds(self, findings: Findings) -> bool | None:
        value = self.value(findings)
        if value is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:.4g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and what each pass found; it holds when it holds in every pass."""

    name: str
    wanted: str
    values: Sequence[float | None]
    holds: bool | None


def verdicts(passes: Sequence[Findings]) -> list[Verdict]:
    """Every bar, judged."""
    return [_judge(bar, passes) for bar in BARS]


def _judge(bar: Bar, passes: Sequence[Findings]) -> Verdict:
    each = [bar.holds(findings) for findings in passes]
    holds = False if False in each else None if None in each else True
    return Verdict(bar.name, bar.wanted, [bar.value(findings) for findings in passes], holds)


def _p99_of_ours(findings: Findings) -> float:
    ours = findings.latency[PRINT][WARM]
    return ours.p99 / ours.p50


def _growth_by_flood(cap_bytes: int) -> Callable[[Findings], float | None]:
    def growth(findings: Findings) -> float | None:
        return next((flood.memory.growth for flood in findings.floods if flood.cap_bytes == cap_bytes), None)

    return growth


def _idle(findings: Findings) -> float:
    return max(weight.with_stock(WARM_CELLS) for weight in (findings.idle, findings.idle_after_burst))


BARS = (
    Bar("print(1), p50 ÷ bare process", 1 / 2, lambda found: found.p50_ratio(PRINT, WARM, BARE)),
    Bar("print(1), p50 ÷ bubblewrap", 0.4, lambda found: found.p50_ratio(PRINT, WARM, BWRAP)),
    Bar("print(1), p50 ÷ docker run", 1 / 40, lambda found: found.p50_ratio(PRINT, WARM, DOCKER)),
    Bar("print(1), p99 ÷ p50", 4, _p99_of_ours),
    Bar("pandas job, p50 ÷ bare process", 1 / 15, lambda found: found.p50_ratio(PANDAS, WARM, BARE)),
    Bar("node, p50 ÷ bare process", 1 / 3, lambda found: found.p50_ratio(NODE, WARM, BARE)),
    Bar("runs/s of 8 clients ÷ bare processes", 1.2, lambda found: found.rate_ratio(8, WARM, BARE, XARGS), True),
    Bar(f"of {NUMPY_BURST} that import numpy succeed", NUMPY_BURST, lambda found: found.numpy_burst.succeeded, True),
    Bar(f"idle with {WARM_CELLS} warm cells, MB", 250, _idle),
    Bar("200 at once: server grows by MB", 100, lambda found: found.burst.memory.growth),
    Bar("200 at once: server keeps MB", 20, lambda found: found.burst.memory.kept),
    Bar("1 GB written, default cap: server grows by MB", 20, _growth_by_flood(DEFAULT_CAP)),
    Bar("1 GB written, 16 MiB cap: server grows by MB", 20, _growth_by_flood(LARGEST_CAP)),
)
