"""The language `sql`: runs the statements of a file with DuckDB and prints the last result as a table of text.

It runs as the program of its run, with the packages of programs. Every data file of the workspace is a view under its
name without the ending.
"""

import sys

sys.path.pop(0)  # The workspace: what is in there is data, and no module of ours.

import datetime
import decimal
import json
import os
import uuid
from collections.abc import Sequence
from typing import Any

MAX_ROWS = 200
"""Rows that are shown and returned; `total_rows` counts them all."""

MAX_METADATA_BYTES = 64 << 10
_METADATA = ".holdfast/metadata.json"
_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".parquet": "read_parquet",
}
_BATCH = 10_000
_SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def main() -> int:
    """Exit code 0, or 1 with one message on stderr."""
    with open(sys.argv[1], encoding="utf-8") as file:
        statements = file.read()
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    connection = duckdb.connect(config=_SETTINGS)
    _show_files(connection, duckdb.Error)
    try:
        result = connection.execute(statements)
        columns = [column[0] for column in result.description or ()]
        rows, total = _fetch(result)
    except (duckdb.Error, UnicodeError) as error:
        print(error, file=sys.stderr)
        return 1
    if columns:
        _report(columns, [[_plain(value) for value in row] for row in rows], total)
    return 0


def _show_files(connection: Any, failure: type[Exception]) -> None:
    """Make a view of each data file; one that cannot be read is an error only for who asks for it."""
    for name in sorted(os.listdir()):
        stem, ending = os.path.splitext(name)
        if ending in _READERS:
            view, path = stem.replace('"', '""'), name.replace("'", "''")
            try:
                connection.execute(f"CREATE VIEW \"{view}\" AS FROM {_READERS[ending]}('{path}')")
            except failure:
                continue


def _fetch(result: Any) -> tuple[list[Sequence[Any]], int]:
    """The first rows, and how many there are."""
    rows: list[Sequence[Any]] = result.fetchmany(MAX_ROWS)
    total = len(rows)
    while more := result.fetchmany(_BATCH):
        total += len(more)
    return rows, total


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return str(value) if isinstance(value, datetime.timedelta | uuid.UUID) else repr(value)


def _report(columns: list[str], rows: list[list[Any]], total: int) -> None:
    text = _metadata(columns, rows, total)
    while len(text) > MAX_METADATA_BYTES and rows:
        rows = rows[: len(rows) * MAX_METADATA_BYTES // len(text)]
        text = _metadata(columns, rows, total)
    print(_table(columns, rows))
    print(f"({total} row{'' if total == 1 else 's'}{f', {len(rows)} shown' if len(rows) < total else ''})")
    os.makedirs(os.path.dirname(_METADATA), exist_ok=True)
    with open(_METADATA, "wb") as file:
        file.write(text)


def _metadata(columns: list[str], rows: list[list[Any]], total: int) -> bytes:
    return json.dumps({"columns": columns, "rows": rows, "row_count": len(rows), "total_rows": total}).encode()


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    """Columns as wide as their widest value; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numeric = [
        all(row[index] is None or isinstance(row[index], int | float) for row in rows) for index in range(len(columns))
    ]
    header = " | ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True))
    lines = [header.rstrip(), "-+-".join("-" * width for width in widths)]
    for row in cells:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append(" | ".join(aligned).rstrip())
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\n", "\\n").replace("\r", "\\r")


if __name__ == "__main__":
    sys.exit(main())
