"""Cells that wait in stock for a dataset have it open; nothing else is different for a run."""

import json
from typing import Any

import anyio
import pytest

from holdfast.data.query import DataQuery, command, data_limits, execute
from holdfast.engines.pooled import PooledEngine
from holdfast.guest.data.main import JOB
from holdfast.guest.data.ready import USUAL
from holdfast.languages import SQL_PROFILE
from holdfast.types import OPERATOR
from tests.data_runs.conftest import Desk

pytestmark = pytest.mark.anyio

STOCK = {"pool_size": 6, "pool_memory": "2g"}
PATIENCE_SECONDS = 30.0
ROWS = 400_000
OPENED_SECONDS = 3.0
"""By then a cell that waits has opened its dataset."""

ASKED: list[dict[str, Any]] = [
    {"sql": "SELECT city, count(*), sum(amount) FROM sales GROUP BY city ORDER BY city"},
    {"plan": {"table": "sales", "filters": [{"column": "city", "op": "=", "value": "Oslo"}]}},
    {"python_code": "import duckdb, pandas\nsales.groupby('city').amount.sum()"},
    {"python_code": "import sys\nsorted(dfs), 'duckdb' in sys.modules, len(dfs['sales'])"},
    {"sql": "SELECT nothing FROM sales"},
]


async def stocked(desk: Desk) -> None:
    """Return when a cell with the dataset waits."""
    dataset = await desk.app.datasets.get("sales", OPERATOR)
    engine = desk.app.executor.engine
    assert isinstance(engine, PooledEngine)
    with anyio.fail_after(PATIENCE_SECONDS):
        while not any(spec.data == dataset.digest and shelf.stock for spec, shelf in engine._shelves.items()):
            await desk.ask(sql="SELECT 1")
            await anyio.sleep(0.1)


@pytest.mark.parametrize("asked", ASKED)
async def test_a_run_in_a_cell_that_had_its_dataset_open_comes_to_the_same(
    desk_with: Any, asked: dict[str, Any]
) -> None:
    desk = await desk_with(**STOCK)
    first = await desk.ask(**asked)
    await stocked(desk)
    for _ in range(3):
        again = await desk.ask(**asked)
        same = ("status", "result", "error", "limits", "isolation")
        assert {name: again[name] for name in same} == {name: first[name] for name in same}


@pytest.mark.parametrize(
    "code",
    [
        "FROM '/etc/passwd'",
        "FROM read_text('/etc/passwd')",
        "ATTACH '/data/data.duckdb' AS again",
        "SET memory_limit = '100GB'",
        "SET threads = 64",
        "RESET lock_configuration",
        "DELETE FROM sales",
        "CREATE TABLE dataset.x AS SELECT 1",
        "FROM sys",
    ],
)
async def test_a_duckdb_that_was_opened_ahead_reaches_nothing_but_the_data(desk_with: Any, code: str) -> None:
    desk = await desk_with(**STOCK)
    await stocked(desk)
    dataset = await desk.app.datasets.get("sales", OPERATOR)
    limits = data_limits(desk.app.executor.bounds, desk.app.executor.engine.capabilities)
    for sql, works in ((code, False), ("SELECT count(*) FROM sales", True)):
        answer = await execute(desk.app.executor, DataQuery("sql", sql, limits, dataset=dataset.digest))
        assert (answer.table is not None) is works, (sql, answer.error)


async def test_what_was_opened_ahead_can_be_read_to_its_end(desk_with: Any) -> None:
    """Also what was not read when it was opened: a table of several blocks."""
    desk = await desk_with(**{**STOCK, "pool_size": 12})
    lines = "".join(f"{number},{number * 7919 % 1_000_003},x{number * 31 % 99_991}\n" for number in range(ROWS))
    await desk.put(f"id,amount,name\n{lines}")
    asked = {"sql": "SELECT count(*), sum(amount), count(DISTINCT name) FROM sales"}
    first = await desk.ask(**asked)
    assert first["status"] == "succeeded", first["error"]
    await waiting(desk)
    again = await desk.ask(**asked)
    assert (again["status"], again["result"]) == ("succeeded", first["result"]), again["error"]


async def waiting(desk: Desk) -> None:
    """Return when a cell that nobody asks has been in stock for so long that it has opened its dataset."""
    dataset = await desk.app.datasets.get("sales", OPERATOR)
    engine = desk.app.executor.engine
    assert isinstance(engine, PooledEngine)
    kind = (dataset.digest, SQL_PROFILE)
    with anyio.fail_after(PATIENCE_SECONDS):
        while not any((spec.data, spec.profile) == kind and shelf.stock for spec, shelf in engine._shelves.items()):
            await desk.ask(sql="SELECT 1")
            await anyio.sleep(1)
    await anyio.sleep(OPENED_SECONDS)


async def test_what_is_opened_ahead_is_held_to_what_runs_usually_get(desk_with: Any) -> None:
    """Otherwise each run would turn the same limits once more, while somebody waits."""
    desk = await desk_with()
    limits = data_limits(desk.app.executor.bounds, desk.app.executor.engine.capabilities)
    job = json.loads(command(DataQuery("sql", "SELECT 1", limits)).files[JOB])
    assert {name: job[name] for name in USUAL} == USUAL


async def test_other_data_under_the_same_id_are_asked_at_once(desk_with: Any) -> None:
    desk = await desk_with(**STOCK)
    await stocked(desk)
    await desk.put("id,city,amount\n7,Rome,1\n")
    assert (await desk.ask(sql="SELECT id, city FROM sales"))["result"]["rows"] == [[7, "Rome"]]
