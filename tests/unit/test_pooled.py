"""Stock: filled in advance, taken once, refilled in calm moments, bounded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from holdfast.engines import SandboxSpec
from holdfast.engines.pooled import (
    ALONE_SECONDS,
    BURST_MEMORY_SECONDS,
    BURST_MOST,
    BURST_PAUSE_SECONDS,
    CALM_SECONDS,
    IDLE_SECONDS,
    PooledEngine,
    Shelf,
    Stocking,
)
from holdfast.errors import EngineError
from holdfast.testing.unisolated import NO_LIMITS, UnisolatedEngine

SPEC = SandboxSpec("python", NO_LIMITS)
NOW = 1000.0


@asynccontextmanager
async def a_pool(standing: int, most: int, most_bytes: int = 1 << 30) -> AsyncIterator[PooledEngine]:
    engine = UnisolatedEngine()
    async with PooledEngine.open(engine, Stocking({SPEC: standing}, most, most_bytes)) as pooled:
        yield pooled
    await engine.aclose()


async def until_there_are(count: int, pooled: PooledEngine) -> None:
    with anyio.fail_after(20):
        while pooled.in_stock != count:  # noqa: ASYNC110  # stock has no event
            await anyio.sleep(0.005)


def a_shelf(stock: int, standing: int, last_arrival: float) -> Shelf:
    shelf = Shelf(SPEC, standing=standing, last_arrival=last_arrival)
    shelf.stock.extend([None] * stock)  # type: ignore[list-item]  # only counted
    return shelf


@pytest.mark.anyio
async def test_the_standing_stock_is_made_in_advance_and_made_again() -> None:
    async with a_pool(standing=3, most=8) as pooled:
        await until_there_are(3, pooled)
        taken = await pooled.create(SPEC)
        await until_there_are(3, pooled)
        await taken.aclose()


@pytest.mark.anyio
async def test_a_sandbox_is_given_to_one_owner_only() -> None:
    async with a_pool(standing=4, most=8) as pooled:
        await until_there_are(4, pooled)
        taken = [await pooled.create(SPEC) for _ in range(12)]
        assert len({sandbox.id for sandbox in taken}) == 12
        for sandbox in taken:
            await sandbox.aclose()


@pytest.mark.anyio
async def test_what_is_closed_leaves_no_stock_behind() -> None:
    async with a_pool(standing=2, most=4) as pooled:
        await until_there_are(2, pooled)
    assert pooled.in_stock == 0


@pytest.mark.anyio
async def test_the_stock_is_bounded_in_number_whatever_is_wanted() -> None:
    async with a_pool(standing=9, most=2) as pooled:
        await until_there_are(2, pooled)
        await anyio.sleep(0.1)
        assert pooled.in_stock == 2


class WithoutData(UnisolatedEngine):
    """Has no dataset, so that no sandbox with one can be made for stock."""

    async def create(self, spec: SandboxSpec) -> Any:
        if spec.data:
            raise EngineError("There is no such dataset.")
        return await super().create(spec)


@pytest.mark.anyio
async def test_a_kind_that_cannot_be_made_holds_up_no_other() -> None:
    engine = WithoutData()
    async with PooledEngine.open(engine, Stocking({replace(SPEC, data="gone"): 2, SPEC: 2}, 8, 1 << 30)) as pooled:
        await until_there_are(2, pooled)
    await engine.aclose()


@pytest.mark.anyio
async def test_of_what_is_made_once_nothing_is_kept_in_stock() -> None:
    async with a_pool(standing=1, most=8) as pooled:
        await until_there_are(1, pooled)
        for once, stock in ((True, 1), (False, 2)):
            made = await pooled.create(replace(SPEC, language="bash", once=once))
            await anyio.sleep(0.2)
            assert pooled.in_stock == stock
            await made.aclose()


def test_a_shelf_that_is_a_quarter_full_is_refilled_in_a_calm_moment() -> None:
    shelf = a_shelf(stock=2, standing=8, last_arrival=NOW)
    assert shelf.calm_in(NOW, most=16) == pytest.approx(CALM_SECONDS)
    assert shelf.calm_in(NOW + CALM_SECONDS, most=16) == 0


def test_who_takes_the_only_one_is_not_slowed_down_by_making_the_next() -> None:
    shelf = a_shelf(stock=0, standing=1, last_arrival=NOW)
    assert shelf.calm_in(NOW, most=16) == pytest.approx(ALONE_SECONDS)


def test_a_shelf_that_runs_out_is_refilled_at_once() -> None:
    assert a_shelf(stock=1, standing=8, last_arrival=NOW).calm_in(NOW, most=16) == 0


def test_more_is_wanted_of_what_is_asked_for_often_and_only_the_standing_stock_later() -> None:
    shelf = a_shelf(stock=0, standing=1, last_arrival=NOW)
    for _ in range(400):
        shelf.arrival(NOW)
    assert shelf.wanted(NOW, most=16) == 16
    assert shelf.wanted(NOW + IDLE_SECONDS + 1, most=16) == 1


def test_a_shelf_keeps_enough_for_its_longest_burst_lately() -> None:
    shelf = a_shelf(stock=2, standing=2, last_arrival=NOW)
    for beat in range(8):
        shelf.arrival(NOW + 10 + beat * BURST_PAUSE_SECONDS / 2)
    last = shelf.last_arrival
    assert shelf.wanted(last + BURST_MEMORY_SECONDS / 2, most=24) == 8
    assert shelf.wanted(last + BURST_MEMORY_SECONDS + 1, most=24) == 2


def test_no_burst_asks_for_more_than_is_sensible() -> None:
    shelf = a_shelf(stock=2, standing=2, last_arrival=NOW)
    for beat in range(100):
        shelf.arrival(NOW + beat * BURST_PAUSE_SECONDS / 2)
    assert shelf.wanted(shelf.last_arrival + BURST_MEMORY_SECONDS - 1, most=24) == BURST_MOST


def test_requests_that_come_one_by_one_are_no_burst() -> None:
    shelf = a_shelf(stock=1, standing=1, last_arrival=NOW)
    for beat in range(1, 9):
        shelf.arrival(NOW + beat * 2 * BURST_PAUSE_SECONDS)
    assert shelf.wanted(shelf.last_arrival, most=24) == 1
