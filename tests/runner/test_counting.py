"""How many rows a result has, of which the first are returned: a statement that does much first is asked once."""

from pathlib import Path

import pytest

from tests.runner.conftest import InGuest

MANY = 10_000


@pytest.mark.parametrize(
    "code",
    [
        "SELECT i, max(nextval('s')) FROM range(10_000) t(i) GROUP BY i ORDER BY i",
        "SELECT DISTINCT i, nextval('s') FROM range(10_000) t(i) ORDER BY i",
        "SELECT i, nextval('s'), row_number() OVER (ORDER BY i) FROM range(10_000) t(i)",
        "SELECT i, nextval('s') FROM range(5_000) t(i) UNION ALL SELECT i, nextval('s') FROM range(5_000, 10_000) t(i)",
    ],
)
def test_what_has_to_be_done_before_the_first_row_is_done_once(in_guest: InGuest, code: str) -> None:
    answer = in_guest.ask(ask=code)
    assert (answer["total_rows"], answer["truncated"], [row[0] for row in answer["rows"]]) == (MANY, True, [0, 1, 2])
    assert answer["numbers"] == MANY, "each row was made once"


@pytest.mark.parametrize(
    "code",
    [
        "CREATE OR REPLACE TABLE n AS FROM range(0) t(i); INSERT INTO n SELECT nextval('s') RETURNING i",
        "CREATE OR REPLACE TABLE n AS SELECT nextval('s') AS i; FROM n",
        "SELECT nextval('s') AS i",
    ],
)
def test_what_changes_something_is_done_once(in_guest: InGuest, code: str) -> None:
    answer = in_guest.ask(ask=code)
    assert (answer["rows"], answer["total_rows"], answer["numbers"]) == ([[0]], 1, 1)


@pytest.mark.parametrize(
    "values",
    [
        "i, i",
        "i, INTERVAL (i) MONTH",
        "i, NULL",
        "i, {'a': i, 'b': [i::HUGEINT, NULL]}",
        "i, DATE '9999-12-31' + i::INT",
        "i, 1e308 * 10 * i",
        "i, MAP {i: 'x'}",
        "i, 'a''b' || i",
        "i, (i::DECIMAL(38, 4) / 3)",
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5_000])
def test_both_ways_to_count_say_the_same(in_guest: InGuest, values: str, rows: int) -> None:
    query = f"SELECT {values} FROM range({rows}) t(i)"
    plain, once = in_guest.ask(ask=query), in_guest.ask(ask=f"{query} WHERE 'group' <> ''")
    assert {**plain, "exec_ms": 0} == {**once, "exec_ms": 0}
    assert (plain["total_rows"], len(plain["rows"])) == (rows, min(3, rows))


def test_a_dataset_that_is_opened_ahead_makes_no_job_wait_for_what_is_left_of_that(
    in_guest: InGuest, tmp_path: Path
) -> None:
    path = str(tmp_path / "data.duckdb")
    for after, looks in ((9, 4), (0, 1), (2, 3)):
        assert in_guest.ask(ahead=[path, after]) == {"looks": looks, "rows": [[1, 2]]}


MIB = 1 << 20


@pytest.mark.parametrize(
    ("room", "after", "there"),
    [
        (0, 10_000, (False, False, False)),
        (300 * MIB, 10_000, (True, True, True)),
        (12 * MIB, 10_000, (True, False, True)),
        (300 * MIB, 3, (False, False, False)),
    ],
    ids=("nothing is wanted", "there is room for all", "only for what takes the least", "a job comes"),
)
def test_columns_that_take_the_least_are_read_ahead_while_there_is_room_and_time(
    in_guest: InGuest, tmp_path: Path, room: int, after: int, there: tuple[bool, ...]
) -> None:
    lacking = in_guest.ask(read_ahead=[str(tmp_path / "data.duckdb"), room, after])
    assert tuple(each < MIB for each in lacking) == there, lacking
