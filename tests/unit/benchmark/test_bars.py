"""A bar holds at its limit and not beyond, in every pass, and says when it was not measured."""

from holdfast.testing.bench.bars import BARS, Bar, verdicts
from holdfast.testing.bench.figures import Burst, Findings, Memory, Weight
from holdfast.testing.bench.jobs import BARE, PRINT, WARM
from tests.unit.benchmark.samples import findings, of


def holds(name: str, *passes: Findings) -> bool | None:
    return next(verdict.holds for verdict in verdicts(passes) if verdict.name == name)


def test_a_bar_holds_at_its_limit_and_not_beyond_it() -> None:
    most, least = (
        Bar("", 2.0, lambda found: found.start_milliseconds),
        Bar("", 2.0, lambda f: f.start_milliseconds, True),
    )
    values = [findings(start_milliseconds=value) for value in (1.9, 2.0, 2.1)]
    assert [most.holds(found) for found in values] == [True, True, False]
    assert [least.holds(found) for found in values] == [False, True, True]
    assert (most.wanted, least.wanted) == ("≤ 2", "≥ 2")


def test_a_bar_must_hold_in_every_pass() -> None:
    name = "print(1), p50 ÷ bare process"
    slow = findings(latency={PRINT: {WARM: of(5.0), BARE: of(8.0)}})
    assert holds(name, findings(), findings()) is True
    assert holds(name, findings(), slow, findings()) is False


def test_what_was_not_measured_neither_holds_nor_fails() -> None:
    assert holds("print(1), p50 ÷ docker run", findings()) is None
    assert holds("node, p50 ÷ bare process", findings(latency={PRINT: {WARM: of(4.0), BARE: of(8.0)}})) is None


def test_a_wrong_result_or_a_refusal_in_the_burst_is_no_success() -> None:
    name, memory = "of 100 that import numpy succeed", Memory(1, 1, 1)
    assert holds(name, findings()) is True
    assert holds(name, findings(numpy_burst=Burst({200: 100}, 1, 1.0, memory))) is False
    assert holds(name, findings(numpy_burst=Burst({200: 99, 429: 1}, 0, 1.0, memory))) is False


def test_idle_memory_is_the_worse_of_before_and_after_the_burst() -> None:
    heavy, light = Weight(100.0, 100.0, 60.0, 16), Weight(50.0, 50.0, 50.0, 16)
    name = "idle with 16 warm cells, MB"
    assert holds(name, findings(idle=light, idle_after_burst=light)) is True
    assert holds(name, findings(idle=light, idle_after_burst=heavy)) is False
    assert holds(name, findings(idle=heavy, idle_after_burst=light)) is False


def test_throughput_is_judged_against_the_faster_driver_of_bare_processes() -> None:
    verdict = next(found for found in verdicts([findings()]) if found.name.startswith("runs/s of 8 clients"))
    assert (verdict.values, verdict.holds) == ([1.2], True)


def test_no_two_bars_have_one_name() -> None:
    assert len({bar.name for bar in BARS}) == len(BARS)
