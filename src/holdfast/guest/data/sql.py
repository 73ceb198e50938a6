"""Runs SQL over one dataset, or over files, in a DuckDB that can reach nothing else.

What DuckDB does not bound (the text of `repeat`, `sleep_ms`) the cell bounds.
"""

from __future__ import annotations

import os
import re
import time
from functools import partial

import duckdb  # type: ignore[import-not-found, unused-ignore]

from holdfast.guest.data import ready, values
from holdfast.guest.data.answer import Failure, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FAILED = "SQL_EXECUTION_ERROR"
LOOK_AHEAD = 4_096
"""A result of more rows is counted by asking a second time, for no more than the count: of a scan that is nothing."""

SORTED = re.compile(r"\border\b", re.IGNORECASE)
"""Where DuckDB is told how many rows are wanted, because it sorts for them alone. All else streams its first rows."""

COSTLY = re.compile(r"\b(?:group|distinct|union|intersect|except|pivot|over|recursive|random)\b|uuid", re.IGNORECASE)
"""Where a statement may have to do everything before its first row, or not the same twice, it is asked once, and counts
its rows itself. For a small result that takes a few milliseconds longer; nothing else depends on it."""

READERS = {
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".parquet": "read_parquet",
}
"""What reads a file, by its ending; everything else is CSV."""

TABLES = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT internal"
ATTACH = "ATTACH {path} AS dataset (READ_ONLY); USE dataset;"
CLOSE = (
    # Queries of the earlier systems write lambdas as `x -> x + 1`, and nobody here can set what DuckDB asks for then.
    "SET TimeZone = 'UTC'; SET lambda_syntax = 'ENABLE_SINGLE_ARROW'; SET enable_external_access = false;"
)
HOLD = "SET memory_limit = '{memory_mib}MiB'; SET threads = {threads};"
LOCK = "SET lock_configuration = true;"
_opened: dict[str | None, Any] = {}
"""Datasets that were opened before the job came, by their paths."""

_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)


def run(job: dict[str, Any]) -> tuple[Rows, int, float]:
    """The rows, how many there are in all, and the milliseconds it took. Raises Failure."""
    begun = time.perf_counter()
    try:
        connection = open_data(job)
        rows, total = ask(connection, job)
    except duckdb.Error as error:
        raise failure(error, FAILED) from None
    return rows, total, (time.perf_counter() - begun) * 1000


def open_data(job: dict[str, Any]) -> Any:
    """A connection to what the job is about; nothing else can be opened from there."""
    connection = _opened.pop(job["database"], None)
    is_held = connection is not None and all(job[name] == value for name, value in ready.USUAL.items())
    if connection is None:
        connection = _open(job["database"], job["files"])
    connection.execute(LOCK if is_held else HOLD.format(**job) + LOCK)
    return connection


def _open(database: str | None, files: dict[str, str]) -> Any:
    connection = duckdb.connect(ready.NAME, config=ready.CONFIG)
    for table, path in files.items():
        reader = READERS.get(os.path.splitext(path)[1].lower(), "read_csv")
        connection.execute(f"CREATE TABLE {values.quoted(table)} AS FROM {reader}(?)", [path])
    connection.execute((ATTACH.format(path=values.literal(database)) if database else "") + CLOSE)
    return connection


def opened_before(database: str) -> Any:
    """The connection that the job will have, made before there is one."""
    connection = _opened[database] = _open(database, {})
    connection.execute(HOLD.format(**ready.USUAL))
    return connection


def ask(connection: Any, job: dict[str, Any]) -> tuple[Rows, int]:
    """The first rows of what the job asks, and how many there are."""
    parameters = job["parameters"] or None
    asked = connection.sql(job["code"], params=parameters)
    if asked is None or not asked.columns:
        return Rows([], [], max_rows=0, max_bytes=job["max_output_bytes"]), 0
    # Of anything but a query DuckDB has run it by now, and holds what it came to.
    is_query = asked.type == "QUERY_RELATION"
    return collect(asked, job, partial(_first, connection, asked.sql_query(), parameters) if is_query else None)


def _first(connection: Any, query: str, parameters: Any, most: int) -> list[Any]:
    """The first rows, as they come."""
    found: list[Any] = connection.execute(query, parameters).fetchmany(most)
    connection.abort()  # Else nothing more could be asked.
    return found


def collect(asked: Any, job: dict[str, Any], first: Callable[[int], list[Any]] | None = None) -> tuple[Rows, int]:
    """The first rows of a relation, and how many it has. `first` asks the same for rows as they come."""
    types = list(asked.types)
    rows = Rows(
        list(asked.columns), [str(kind) for kind in types], max_rows=job["max_rows"], max_bytes=job["max_output_bytes"]
    )
    if rows.wide:
        raise Failure(FAILED, "The names and types of the columns alone are larger than max_output_bytes.")
    turns = [values.turn(kind) for kind in types]
    changed = values.select(types)
    shown = asked if changed is None else asked.project(changed)
    if COSTLY.search(job["code"]):
        found, total = _once(asked, shown, job["max_rows"])
    else:
        streams = changed is None and not SORTED.search(job["code"])
        found, total = _looking_ahead(asked, shown, job["max_rows"], first if streams else None)
    for row in found:
        if rows.full:
            break
        rows.take(item if made is None else made(item) for item, made in zip(row, turns, strict=True))
    return rows, total


def _looking_ahead(
    asked: Any, shown: Any, most: int, first: Callable[[int], list[Any]] | None
) -> tuple[list[Any], int]:
    """The first rows and the number of all; asked twice where there are many."""
    limit = max(LOOK_AHEAD, most + 1)
    found = first(limit) if first else shown.limit(limit).fetchall()
    if len(found) < limit:
        return found, len(found)
    return found, max(limit, asked.aggregate("count(*)").fetchall()[0][0])


def _once(asked: Any, shown: Any, most: int) -> tuple[list[Any], int]:
    """The same, asked once: DuckDB counts all rows and keeps the first."""
    columns = ", ".join(f"#{number}" for number in range(1, len(shown.columns) + 1))
    numbered = shown.project(f"row(row_number() OVER (), {columns}) AS numbered")
    kept = f"list(numbered) FILTER (WHERE numbered[1] <= {most})"
    total, found = numbered.aggregate(f"count(*), {kept}").fetchall()[0]
    # Where several threads have filled it, its order is theirs.
    return [row[1:] for row in sorted(found or [], key=lambda row: row[0])], total


def failure(error: Exception, kind: str) -> Failure:
    """What DuckDB said, and the line of the statement it said it of."""
    found = _LINE.search(str(error))
    return Failure(kind, str(error), line=int(found[1]) if found else None)
