"""Runs that are run again, and what is said of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.capsules import hash_of
from holdfast.data.replay import MOST_CELLS, compare
from holdfast.types import Capsule, CapsuleError, CapsuleStatus, Table
from tests.data_runs.conftest import SALES, Desk

pytestmark = pytest.mark.anyio


async def replayed(desk: Desk, capsule: Any) -> Any:
    answer = await desk.http.post(f"/runs/{capsule['run_id']}/replay", json={})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "asked",
    [
        {"sql": "SELECT city, sum(amount) AS total FROM sales GROUP BY city ORDER BY city"},
        {"plan": {"table": "sales", "filters": [{"column": "city", "op": "=", "value": "Oslo"}]}, "max_rows": 1},
        {"python": "result = sales.describe()"},
        {"sql": "SELECT CAST(city AS INTEGER) FROM sales"},
        {"sql": "DROP TABLE sales"},
    ],
)
async def test_what_is_run_again_over_the_same_data_is_identical(desk: Desk, asked: dict[str, Any]) -> None:
    capsule = await desk.ask(**asked)
    replay = await replayed(desk, capsule)
    assert (replay["outcome"], replay["different_cells"], replay["replay_of"]) == ("identical", 0, capsule["run_id"])
    again = replay["capsule"]
    assert (again["result"], again["status"], again["limits"]) == (
        capsule["result"],
        capsule["status"],
        capsule["limits"],
    )
    assert again["run_id"] == replay["run_id"] != capsule["run_id"]
    assert await desk.get(f"/runs/{again['run_id']}") == again
    assert again["replay_of"] == capsule["run_id"]


async def test_what_depends_on_chance_is_different_and_says_why(desk: Desk) -> None:
    replay = await replayed(desk, await desk.ask(sql="SELECT id, uuid() AS u FROM sales ORDER BY id"))
    assert (replay["outcome"], replay["different_cells"]) == ("different", 4)
    assert [(cell["row"], cell["column"]) for cell in replay["cells"]] == [(n, "u") for n in range(4)]
    assert any("chance" in note for note in replay["notes"])


async def test_changed_data_are_said(desk: Desk) -> None:
    await desk.put(SALES, "changing")
    capsule = await desk.ask("changing", sql="SELECT id, amount FROM sales ORDER BY id")
    await desk.put(SALES.replace("10.5", "11.5"), "changing")
    replay = await replayed(desk, capsule)
    assert replay["outcome"] == "data_changed"
    [cell] = replay["cells"]
    assert cell == {"row": 0, "column": "amount", "before": 10.5, "after": 11.5, "only_in": None}
    assert replay["capsule"]["dataset_version_hash"] != capsule["dataset_version_hash"]
    await desk.put(SALES, "changing")
    assert (await replayed(desk, capsule))["outcome"] == "identical", "the same data have the same name"


async def test_a_dataset_that_is_gone_is_404(desk: Desk) -> None:
    await desk.put(SALES, "passing")
    capsule = await desk.ask("passing", sql="SELECT 1")
    await desk.http.delete("/datasets/passing")
    answer = await desk.http.post(f"/runs/{capsule['run_id']}/replay", json={})
    assert (answer.status_code, answer.json()["field"]) == (404, "dataset_id")
    assert (await desk.get(f"/runs/{capsule['run_id']}")) == capsule


def table(rows: list[list[Any]], columns: str = "ab", **changes: Any) -> Table:
    values = {"columns": list(columns), "column_types": ["X"] * len(columns), "rows": rows, "row_count": len(rows)}
    return Table(**{**values, "total_rows": len(rows), **changes})


def capsule(result: Table | None, **changes: Any) -> Capsule:
    values: dict[str, Any] = {
        "run_id": "run-1",
        "created_at": datetime.now(UTC),
        "dataset_id": "d",
        "dataset_version_hash": "h",
        "query_mode": "sql",
        "status": CapsuleStatus.SUCCEEDED,
        "result": result,
        "result_hash": None if result is None else hash_of(result),
    }
    return Capsule(**{**values, **changes})


def test_values_that_only_python_takes_for_equal_are_different() -> None:
    replay = compare(capsule(table([[1, 1]])), capsule(table([[True, 1.0]])))
    assert (replay.outcome, replay.different_cells) == ("different", 2)


def test_the_same_rows_in_another_order_are_different_and_said_to_be_reordered() -> None:
    replay = compare(capsule(table([[1, {"x": 1}], [2, None]])), capsule(table([[2, None], [1, {"x": 1}]])))
    assert (replay.outcome, replay.reordered) == ("different", True)
    replay = compare(capsule(table([[1, 1], [1, 1], [2, 2]])), capsule(table([[2, 2], [2, 2], [1, 1]])))
    assert (replay.outcome, replay.reordered) == ("different", False)


def test_rows_and_columns_that_only_one_has_are_said_to_be_so() -> None:
    replay = compare(capsule(table([[1, 2]], "aa")), capsule(table([[1, 3, 4], [5, 6, 7]], "aab")))
    cells = [(cell.row, cell.column, cell.before, cell.after, cell.only_in) for cell in replay.cells]
    assert cells == [
        (0, "a", 2, 3, None),
        (0, "b", None, 4, "after"),
        (1, "a", None, 5, "after"),
        (1, "a", None, 6, "after"),
        (1, "b", None, 7, "after"),
    ]
    assert any("columns" in note for note in replay.notes) and any("1 rows" in note for note in replay.notes)


def test_no_more_than_the_first_cells_are_shown_and_all_are_counted() -> None:
    replay = compare(capsule(table([[n, 0] for n in range(500)])), capsule(table([[n, 1] for n in range(500)])))
    assert (len(replay.cells), replay.different_cells) == (MOST_CELLS, 500)


def test_another_end_and_other_libraries_are_said() -> None:
    error = CapsuleError(code="out_of_memory", message="No.")
    replay = compare(
        capsule(table([[1, 1]]), libraries={"duckdb": "1"}),
        capsule(None, status=CapsuleStatus.FAILED, error=error, libraries={"duckdb": "2"}),
    )
    assert replay.outcome == "different"
    assert replay.notes == (
        "It was succeeded before, and is failed (out_of_memory) now.",
        "duckdb was 1, and is 2 now.",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(st.lists(JSON, min_size=2, max_size=2), max_size=6)


@given(before=ROWS, after=ROWS)
def test_tables_are_identical_exactly_when_no_cell_differs(before: list[list[Any]], after: list[list[Any]]) -> None:
    replay = compare(capsule(table(before)), capsule(table(after)))
    assert (replay.outcome == "identical") == (replay.different_cells == 0)
    assert compare(capsule(table(before)), capsule(table(before))).outcome == "identical"
