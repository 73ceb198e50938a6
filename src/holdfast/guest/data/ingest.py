"""Reads the files of a dataset into one file of DuckDB, which goes out through stdout, and reports how each was read.

It runs as the program of its run, because files are hostile: whatever they make of this interpreter stays in the cell.
The host believes the report as text about the caller's own data, and never opens the result.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from itertools import islice

from holdfast.guest.data import opening, workbook, written
from holdfast.guest.data.opening import Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

JOB = "/workspace/.holdfast/job.json"
REPORT = "/workspace/.holdfast/report.json"
DATABASE = "/workspace/data.duckdb"
SCRATCH = "/workspace/.scratch"
PIECE = 1 << 20
MOST_LINES, MOST_TEXT, SAMPLE_ROWS = 100, 200, 3
SNIFFED_ROWS = 200_000
FIRST_ROWS = 10_000
ATTEMPTS = 4
KINDS = (("DOUBLE", "numbers"), ("TIMESTAMP", "dates"), ("BOOLEAN", "true or false"))
REASONS = {
    "CAST": "a value has the wrong type",
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
    "UNQUOTED VALUE": "a quote is not closed, or text follows one",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
    "INVALID ENCODING": "not in the encoding of the file",
}


def main() -> None:
    """Leave the report; and send the database, if there is one."""
    sys.path.pop(0)  # The workspace: nothing in there is a module of ours.
    with open(JOB, encoding="utf-8") as file:
        job = json.load(file)
    os.mkdir(SCRATCH)
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    config = {**offline, "memory_limit": job["memory"], "temp_directory": SCRATCH}
    connection = duckdb.connect(DATABASE, config=config)
    failures = (duckdb.Error, OSError, ValueError, MemoryError, KeyError, TypeError, Unreadable)
    reports = []
    for given in job["files"]:
        reader = Reader(connection, duckdb.Error, given, skipping=job["skip_rejected"])
        try:
            reports += READERS[given["format"]](reader)
        except failures as error:
            reports.append({**reader.report(), "error": reader.spoken(_sentence(error))})
    connection.execute("CHECKPOINT")
    connection.close()
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(reports, file)
    if not any(report["error"] or report["rejected_lines"] for report in reports) or job["skip_rejected"]:
        _send(DATABASE)


def _send(path: str) -> None:
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(1, view) :]


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than ingestion may use"
    return str(error).strip().split("\n")[0][:1000] or type(error).__name__


class Reader:
    """One file, the tables it becomes, and what is to be told of it."""

    def __init__(self, connection: Any, failure: type[Exception], given: dict[str, Any], *, skipping: bool) -> None:
        self.connection = connection
        self.failure = failure
        self.path: str = given["path"]
        self.name: str = given["name"]
        self.table: str = given["table"]
        self.format: str = given["format"]
        self.skipping = skipping
        self.encoding = self.delimiter = ""
        self.rejected: list[dict[str, Any]] = []
        self.rejected_lines = 0
        self.notes: list[str] = []

    def ask(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(statement, list(parameters)).fetchall()
        return rows

    def spoken(self, sentence: str) -> str:
        """With the name that its sender knows, wherever it was read from."""
        for path in (f"{SCRATCH}/{self.table}.lines", f"{SCRATCH}/{self.table}", self.path):
            sentence = sentence.replace(path, self.name)
        return sentence

    def report(self, table: str = "", **found: Any) -> dict[str, Any]:
        return {
            "file": self.name,
            "table": table or self.table,
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "rejected": self.rejected,
            "rejected_lines": self.rejected_lines,
            "notes": self.notes,
            "error": "",
            **found,
        }

    def done(self, table: str = "") -> dict[str, Any]:
        """The report of a table that has been made."""
        table = table or self.table
        described = self.ask(f"DESCRIBE {_quoted(table)}")
        names = [str(row[0]) for row in described]
        opening.check_names(names)
        counted = ", ".join(f"count({_quoted(name)})" for name in names)
        rows, *filled = self.ask(f"SELECT count(*), {counted} FROM {_quoted(table)}")[0]
        columns = [
            {"name": name, "type": str(row[1]), "nullable": count < rows}
            for name, row, count in zip(names, described, filled, strict=True)
        ]
        first = self.ask(f"SELECT * FROM {_quoted(table)} LIMIT {SAMPLE_ROWS}")
        sample = [{name: _shown(value) for name, value in zip(names, row, strict=True)} for row in first]
        texts = [column["name"] for column in columns if column["type"] == "VARCHAR"]
        conflicts = [conflict for name in texts for conflict in self._conflict(table, name)]
        mixed = [column["name"] for column in columns if column["type"] == "JSON"]
        conflicts += [{"column": name, "type": "JSON", "note": "its values have several types"} for name in mixed]
        return self.report(table, rows=rows, columns=columns, sample_rows=sample, conflicts=conflicts)

    def _conflict(self, table: str, column: str) -> Iterator[dict[str, Any]]:
        """Whether a column of text is nearly one of something else. Asked of all rows only if the first suggest it."""
        source, name = _quoted(table), _quoted(column)
        for kind, called in KINDS:
            count = f"count({name}), count(try_cast({name} AS {kind}))"
            values, fitting = self.ask(f"SELECT {count} FROM (SELECT {name} FROM {source} LIMIT {FIRST_ROWS})")[0]
            if fitting * 10 < values * 9 or not values:
                continue
            values, fitting = self.ask(f"SELECT {count} FROM {source}")[0]
            if values * 9 <= fitting * 10 and fitting < values:
                odd = f"SELECT {name} FROM {source} WHERE try_cast({name} AS {kind}) IS NULL AND {name} IS NOT NULL"
                example = _shown(self.ask(f"{odd} LIMIT 1")[0][0])
                note = f"{values - fitting:,} of {values:,} values are not {called}, such as '{example}'"
                yield {"column": column, "type": "VARCHAR", "note": note}
                return

    def reject(self, line: int, reason: str, text: str, column: str = "") -> None:
        self.rejected_lines += 1
        if len(self.rejected) < MOST_LINES:
            sayable = text[:MOST_TEXT].encode(errors="replace").decode()
            shown = {"line": line, "column": column, "reason": reason[:MOST_TEXT], "text": sayable}
            self.rejected.append(shown)


def read_csv(reader: Reader) -> list[dict[str, Any]]:
    """Separated values: columns keep the type that all their values have, and are text where there is none."""
    source = _as_utf8(reader)
    options = _sniffed(reader, source)
    texts: set[str] = set()
    for attempt in range(ATTEMPTS):
        _create(reader, source, options, texts, all_text=attempt == ATTEMPTS - 1)
        odd = {str(row[0]) for row in reader.ask("SELECT DISTINCT column_name FROM reject_errors WHERE " + _CAST)}
        if not odd or reader.skipping:
            break
        texts |= odd
    lines = "SELECT DISTINCT ON (line) line, column_name, error_type, csv_line FROM reject_errors ORDER BY line"
    for line, column, kind, text in reader.ask(lines):
        reader.reject(int(line), REASONS.get(str(kind), str(kind).lower()), str(text or ""), str(column or ""))
    table = _quoted(reader.table)
    words = [_quoted(str(name)) for name, kind, *_ in reader.ask(f"DESCRIBE {table}") if kind == "VARCHAR"]
    reader.notes += written.read_numbers(reader.ask, table, words, reader.delimiter)
    made = reader.done()
    names = [str(column["name"]) for column in made["columns"]]
    if len(names) == 1 and any(each in names[0] for each in opening.DELIMITERS):
        reader.notes.append("each line is one column, although the first looks like several: is a quote not closed?")
    return [made]


_CAST = "error_type = 'CAST' AND column_name IS NOT NULL"


def _create(reader: Reader, source: str, options: str, texts: set[str], *, all_text: bool) -> None:
    typed = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in sorted(texts))
    types = ", all_varchar=true" if all_text else f", types={{{typed}}}" if texts else ""
    for left in ("reject_errors", "reject_scans"):
        reader.ask(f"DROP TABLE IF EXISTS temp.{left}")
    reading = f"read_csv({_literal(source)}{options}{types}, store_rejects=true, rejects_limit=100000)"
    reader.ask(f"CREATE OR REPLACE TABLE {_quoted(reader.table)} AS SELECT * FROM {reading}")


def _sniffed(reader: Reader, source: str) -> str:
    """The options under which to read it. Quotes are what they are by the standard, also where the start has none."""
    line = opening.first_line(source)
    opening.check_width(source, SNIFFED_ROWS)
    fixed = ", quote='\"', escape='\"', strict_mode=true, skip=0, comment='', maximum_line_size=16777216"
    if reader.format == "tsv":
        fixed += ", delim='\t'"
    found = f"sniff_csv({_literal(source)}{fixed}, sample_size={SNIFFED_ROWS}, ignore_errors=true)"
    try:
        delimiter, header = reader.ask(f"SELECT Delimiter, HasHeader FROM {found}")[0]
    except reader.failure as error:
        return fixed + _by_first_line(reader, line, error)
    reader.delimiter = "\t" if reader.format == "tsv" else str(delimiter)
    header = bool(header) or opening.looks_like_names(line, reader.delimiter)
    if not header:
        reader.notes.append("the first line holds no names, so the columns are called column0, column1, …")
    given = "" if reader.format == "tsv" else f", delim={_literal(reader.delimiter)}"
    return f"{fixed}{given}, header={str(header).lower()}, sample_size={SNIFFED_ROWS}"


def _by_first_line(reader: Reader, line: str, error: Exception) -> str:
    """Options for a file of which too little makes sense to find any out, so that its lines can be told."""
    reader.delimiter = max(opening.DELIMITERS, key=line.count)
    if not opening.looks_like_names(line, reader.delimiter):
        raise error
    names = next(csv.reader([line], delimiter=reader.delimiter))
    columns = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in names)
    given = "" if reader.format == "tsv" else f", delim={_literal(reader.delimiter)}"
    return f"{given}, header=true, auto_detect=false, columns={{{columns}}}"


def _as_utf8(reader: Reader) -> str:
    """The path of the file in UTF-8, which may have to be written first."""
    reader.encoding, note = opening.encoding_of(reader.path)
    reader.notes += [note] if note else []
    if reader.encoding in ("utf-8", "utf-8-sig"):
        return reader.path
    path = f"{SCRATCH}/{reader.table}"
    opening.written_as_utf8(reader.path, reader.encoding, path)
    return path


def read_json(reader: Reader) -> list[dict[str, Any]]:
    """A JSON value on each line, or one array; lines that are none are told."""
    source = _as_utf8(reader)
    kind = "array" if opening.first_line(source).lstrip().startswith("[") else "newline_delimited"
    if kind == "newline_delimited":
        source = _good_lines(reader, source)
    reading = f"read_json({_literal(source)}, format='{kind}', sample_size={SNIFFED_ROWS})"
    reader.ask(f"CREATE OR REPLACE TABLE {_quoted(reader.table)} AS SELECT * FROM {reading}")
    return [reader.done()]


def _good_lines(reader: Reader, source: str) -> str:
    """The path of the file without the lines that are no JSON objects."""
    path = f"{SCRATCH}/{reader.table}.lines"
    good: TextIO | None = None
    with _lines_of(source) as file:
        for number, line in enumerate(file, 1):
            if line.strip() and (fault := opening.fault_of(line)):
                reader.reject(number, fault, line.rstrip("\n"))
                good = good or _begun(path, source, number - 1)
            elif good is not None:
                good.write(line)
    if good is None:
        return source
    good.close()
    return path


def _begun(path: str, source: str, lines: int) -> TextIO:
    """A new file that has the first lines of the source."""
    good = open(path, "w", encoding="utf-8")  # noqa: SIM115  # closed by who writes the rest
    with _lines_of(source) as file:
        good.writelines(islice(file, lines))
    return good


def _lines_of(source: str) -> TextIO:
    return open(source, encoding="utf-8-sig", errors="surrogateescape")


def read_parquet(reader: Reader) -> list[dict[str, Any]]:
    """Types are as the file says."""
    table = _quoted(reader.table)
    reader.ask(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM read_parquet({_literal(reader.path)})")
    return [reader.done()]


def read_excel(reader: Reader) -> list[dict[str, Any]]:
    """Each sheet that is not empty is a table; the first row holds the names."""
    found = list(workbook.sheets(reader.path))
    if not found:
        raise Unreadable("the workbook has no sheet with rows")
    return [_sheet(reader, name, frame, alone=len(found) == 1) for name, frame in found]


def _sheet(reader: Reader, name: str, frame: Any, *, alone: bool) -> dict[str, Any]:
    table = reader.table if alone else _free(reader, f"{reader.table}_{_slug(name)}")
    frame = frame.infer_objects()
    frame.columns = [str(column) for column in frame.columns]
    for column in frame.columns:
        kinds = {type(value) for value in frame[column].dropna()} if frame[column].dtype == object else set()
        if len(kinds) > 1:
            frame[column] = frame[column].map(lambda value: str(value) if value is not None else None, "ignore")
        if frame[column].isna().all():
            frame[column] = frame[column].astype("string")
    reader.connection.register("sheet", frame)
    reader.ask(f"CREATE TABLE {_quoted(table)} AS SELECT * FROM sheet")
    reader.connection.unregister("sheet")
    return {**reader.done(table), "notes": [*reader.notes, f"sheet '{name[:MOST_TEXT]}'"]}


def _free(reader: Reader, wanted: str) -> str:
    taken = {str(row[0]) for row in reader.ask("SELECT table_name FROM duckdb_tables()")}
    return next(name for name in (wanted, *(f"{wanted}_{n}" for n in range(2, 1000))) if name not in taken)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40] or "sheet"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)[:MOST_TEXT]


READERS = {"csv": read_csv, "tsv": read_csv, "jsonl": read_json, "parquet": read_parquet, "excel": read_excel}
