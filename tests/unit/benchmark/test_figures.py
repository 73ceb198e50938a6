"""Percentiles, rates and ratios."""

import pytest

from holdfast.testing.bench.figures import ProcessorTime, Rate, Slice, Spread, Weight, rate, spread
from tests.unit.benchmark.samples import findings


def test_percentiles_of_a_hundred_and_one_even_steps_are_the_steps() -> None:
    assert spread([float(value) for value in reversed(range(101))]) == Spread(50.0, 90.0, 99.0, 101)


def test_the_percentiles_of_one_sample_are_that_sample() -> None:
    assert spread([7.5]) == Spread(7.5, 7.5, 7.5, 1)


def test_one_slow_run_in_a_hundred_moves_the_p99_and_not_the_median() -> None:
    calm, disturbed = spread([1.0] * 100), spread([1.0] * 98 + [50.0] * 2)
    assert calm.p50 == disturbed.p50 == disturbed.p90 == 1.0
    assert disturbed.p99 == pytest.approx(50.0)


def test_nothing_measured_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


def test_a_rate_is_the_median_of_its_slices_so_one_disturbed_slice_does_not_count() -> None:
    slices = [Slice(count, [10.0] * count, 0.5, 0.05) for count in (100, 3, 104)]
    found = rate(slices)
    assert (found.per_second, found.slices) == (200.0, [200.0, 6.0, 208.0])
    assert found.waits == Spread(10.0, 10.0, 10.0, 207)
    assert found.driver_percent == pytest.approx(10.0)


def test_a_driver_that_cannot_tell_waits_still_has_a_rate() -> None:
    found = rate([Slice(30, (), 2.0, 0.0)])
    assert (found.per_second, found.waits) == (15.0, None)


def test_a_slice_in_which_nothing_ended_is_a_rate_of_zero() -> None:
    assert rate([Slice(0, (), 1.0, 0.0)]).per_second == 0.0


def test_the_weight_of_more_cells_than_there_are_is_told_by_those_there_are() -> None:
    assert Weight(server=50.0, launchers=100.0, cells=70.0, stock=14).with_stock(16) == 50.0 + 100.0 + 80.0
    assert Weight(server=50.0, launchers=100.0, cells=0.0, stock=0).with_stock(16) == 150.0


def test_processor_time_per_run_is_what_was_added_by_each() -> None:
    spent = ProcessorTime(130.0, 60.0, 1010.0).per_run(ProcessorTime(30.0, 10.0, 10.0), runs=100)
    assert spent == ProcessorTime(1.0, 0.5, 10.0)
    assert spent.total == 11.5


def test_a_ratio_to_a_peer_that_is_absent_is_none() -> None:
    found = findings()
    assert found.p50_ratio("print(1)", "Holdfast, warm", "bare process") == 0.5
    assert found.p50_ratio("print(1)", "Holdfast, warm", "docker run") is None
    assert found.p50_ratio("a job nobody did", "Holdfast, warm", "bare process") is None


def test_rates_are_compared_slice_by_slice_so_that_noise_between_slices_hits_both_sides() -> None:
    ours, peer = Rate(100.0, [100.0, 50.0, 200.0], None, 0.0), Rate(100.0, [50.0, 25.0, 100.0], None, 0.0)
    found = findings(throughput={8: {"Holdfast, warm": ours, "bare process": peer}})
    assert found.rate_ratio(8, "Holdfast, warm", "bare process") == 2.0


def test_a_slice_in_which_the_peer_did_nothing_is_not_compared() -> None:
    ours, peer = Rate(10.0, [10.0, 10.0], None, 0.0), Rate(0.0, [0.0, 5.0], None, 0.0)
    found = findings(throughput={8: {"a": ours, "b": peer, "c": Rate(0.0, [0.0, 0.0], None, 0.0)}})
    assert found.rate_ratio(8, "a", "b") == 2.0
    assert found.rate_ratio(8, "a", "c") is None


def test_rates_are_compared_with_the_faster_of_the_drivers_of_the_peer() -> None:
    found = findings()
    assert found.rate_ratio(8, "Holdfast, warm", "bare process") == 2.4
    assert found.rate_ratio(8, "Holdfast, warm", "bare process", "bare process, by xargs") == 1.2
    assert found.rate_ratio(8, "Holdfast, warm", "docker run") is None
    assert found.rate_ratio(64, "Holdfast, warm", "bare process") is None
