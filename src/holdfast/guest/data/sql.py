"""Runs SQL over one dataset, or over files, in a DuckDB that can reach nothing else.

What DuckDB does not bound (the text of `repeat`, `sleep_ms`) the cell bounds.
"""

from __future__ import annotations

import os
import re
import time

import duckdb  # type: ignore[import-not-found, unused-ignore]

from holdfast.guest.data import ready, values
from holdfast.guest.data.answer import Failure, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAILED = "SQL_EXECUTION_ERROR"
LOOK_AHEAD = 4_096
"""A result of more rows is counted by asking a second time, for no more than the count."""

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
HARDEN = """
SET memory_limit = '{memory_mib}MiB';
SET threads = {threads};
SET TimeZone = 'UTC';
SET enable_external_access = false;
SET lock_configuration = true;
"""
_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)


def run(job: dict[str, Any]) -> tuple[Rows, int, float]:
    """The rows, how many there are in all, and the milliseconds it took. Raises Failure."""
    begun = time.perf_counter()
    try:
        connection = open_data(job)
        rows, total = _ask(connection, job)
    except duckdb.Error as error:
        raise failure(error, FAILED) from None
    return rows, total, (time.perf_counter() - begun) * 1000


def open_data(job: dict[str, Any]) -> Any:
    """A connection to what the job is about; nothing else can be opened from there."""
    connection = duckdb.connect(ready.NAME, config=ready.CONFIG)
    for table, path in job["files"].items():
        reader = READERS.get(os.path.splitext(path)[1].lower(), "read_csv")
        connection.execute(f"CREATE TABLE {values.quoted(table)} AS FROM {reader}(?)", [path])
    attach = ATTACH.format(path=values.literal(job["database"])) if job["database"] else ""
    connection.execute(attach + HARDEN.format(**job))
    return connection


def _ask(connection: Any, job: dict[str, Any]) -> tuple[Rows, int]:
    asked = connection.sql(job["code"], params=job["parameters"] or None)
    if asked is None or not asked.columns:
        return Rows([], [], max_rows=0, max_bytes=job["max_output_bytes"]), 0
    return collect(asked, job)


def collect(asked: Any, job: dict[str, Any]) -> tuple[Rows, int]:
    """The first rows of a relation, and how many it has."""
    types = list(asked.types)
    rows = Rows(
        list(asked.columns), [str(kind) for kind in types], max_rows=job["max_rows"], max_bytes=job["max_output_bytes"]
    )
    if rows.wide:
        raise Failure(FAILED, "The names and types of the columns alone are larger than max_output_bytes.")
    turns = [values.turn(kind) for kind in types]
    changed = values.select(types)
    shown = asked if changed is None else asked.project(changed)
    seen = 0
    for row in shown.limit(max(LOOK_AHEAD, job["max_rows"] + 1)).fetchall():
        seen += 1
        if not rows.full:
            rows.take(item if made is None else made(item) for item, made in zip(row, turns, strict=True))
    if seen < max(LOOK_AHEAD, job["max_rows"] + 1):
        return rows, seen
    return rows, max(seen, asked.aggregate("count(*)").fetchall()[0][0])


def failure(error: Exception, kind: str) -> Failure:
    """What DuckDB said, and the line of the statement it said it of."""
    found = _LINE.search(str(error))
    return Failure(kind, str(error), line=int(found[1]) if found else None)
