"""What a cell does about its dataset while nobody asks: it opens it, asks it something, and reads columns of it.

The first query of a process waits longest for memory: what it reads has to be copied into pages that are new. Read
ahead, a large table answers as in a process that has been asked before. Columns that take the least are read first,
because by these people group, count and add up; long texts are rarely asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.guest.data import ready, sql, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COLUMNS = """
SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ?
ORDER BY column_index LIMIT 64
"""
LIMIT = "SET memory_limit = '{}MiB'"
HELD = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
SLACK = 48 << 20
"""What reading may hold beside what it keeps."""

MOST_TABLES = 4
GROUP_ROWS = 122_880
"""How many rows DuckDB keeps together."""

PIECE_ROWS = 8 * GROUP_ROWS
SAMPLE_BYTES = 16 << 20
SMALL = 4 << 20
"""What is smaller takes a query less time to read than it takes to ask for it piece by piece."""

REST = 3
"""So many times as long as it worked it rests: others have the processor, and who asks does not find its share used."""

Asked = Callable[[float], bool]
"""Whether there is a job; waits for one so many milliseconds."""


@dataclass
class Column:
    """One to be read, quoted names; `cost` is what its first rows took in bytes."""

    table: str
    name: str
    rows: int
    read: int = 0
    cost: int = 0


def open_ahead(database: str, asked: Asked, room: int) -> None:
    """Open a dataset that will be asked for, so that all this is done when the job comes; read at most `room` bytes.

    Once there is a job, what is left of it would only make that wait.
    """
    connection = sql.opened_before(database)
    job = {"code": "", "parameters": [], "max_rows": 1, "max_output_bytes": 1_024}
    for (name,) in connection.sql(sql.TABLES).limit(MOST_TABLES).fetchall():
        for code in (f"FROM {values.quoted(name)} SELECT count(*)", f"FROM {values.quoted(name)} LIMIT 1"):
            if asked(0):
                return
            rows, total = sql.ask(connection, {**job, "code": code})
            rows.answer(total, 0.0)
    size = os.stat(database).st_size
    if room and size >= SMALL and not asked(0):
        # A cell in stock has less memory than a run: rows of a size nobody expects must not end it, again and again.
        connection.execute(LIMIT.format((room + SLACK) >> 20))
        try:
            _Reading(connection, asked, room).read(size)
        finally:
            connection.execute(LIMIT.format(ready.USUAL["memory_mib"]))


class _Reading:
    def __init__(self, connection: Any, asked: Asked, room: int) -> None:
        self._connection = connection
        self._asked = asked
        self._room = room

    def read(self, size: int) -> None:
        """A little of every column, and then all of those that take the least, while there is time and room."""
        columns = [
            column for (name,) in self._rows(f"{sql.TABLES} LIMIT {MOST_TABLES}") for column in self._columns(name)
        ]
        sample = max(2_048, min(GROUP_ROWS, SAMPLE_BYTES * sum(column.rows for column in columns) // max(size, 1)))
        for column in columns:
            before = self._held()
            if not self._piece(column, sample):
                return
            column.cost = self._held() - before
        for column in sorted(columns, key=lambda column: column.cost):
            while column.read < column.rows:
                if not self._piece(column, PIECE_ROWS):
                    return

    def _columns(self, table: str) -> list[Column]:
        rows = self._rows(f"FROM {values.quoted(table)} SELECT count(*)")[0][0]
        return [Column(values.quoted(table), values.quoted(name), rows) for (name,) in self._rows(COLUMNS, [table])]

    def _piece(self, column: Column, rows: int) -> bool:
        """Read the next rows of a column; whether there may be more."""
        began = time.monotonic()
        where = f"rowid BETWEEN {column.read} AND {column.read + rows - 1}"
        # Of all aggregates this asks least of the values, and cannot be answered without them.
        self._rows(f"SELECT last({column.name}) FROM {column.table} WHERE {where}")  # noqa: S608  # quoted
        column.read += rows
        rest = (time.monotonic() - began) * 1000 * REST
        return self._held() < self._room and not self._asked(rest)

    def _held(self) -> int:
        return int(self._rows(HELD)[0][0])

    def _rows(self, query: str, parameters: list[Any] | None = None) -> list[Any]:
        found: list[Any] = self._connection.execute(query, parameters).fetchall()
        return found
