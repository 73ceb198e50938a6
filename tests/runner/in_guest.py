"""Runs under the interpreter of the programs: encodes what it is told to, reads it back by its type alone, compares.

A line of JSON in, a line out: `{"sql": [[expression, type], …]}` for values of DuckDB, `{"frame": {column: [dtype,
[python, …]]}}` for frames. `{"ask": statement}` is the first rows, the number of all, and how often the sequence
`s`, which starts at 0, was asked for a number meanwhile. `{"ahead": [path, looks]}` opens a dataset before its job;
`{"read_ahead": [path, room, looks]}` also reads columns of it.
"""

import datetime
import decimal
import itertools
import json
import math
import os
import sys
import uuid
from typing import Any

import duckdb  # type: ignore[import-not-found]
import numpy as np  # type: ignore[import-not-found]
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

from holdfast.guest.data import ahead as before_the_job
from holdfast.guest.data import frames, ready, results, sql, values

CONNECTION = duckdb.connect(ready.NAME, config=ready.CONFIG)
CONNECTION.execute("SET TimeZone = 'UTC'")
JOB = {"code": "", "parameters": [], "max_rows": 1_000, "max_output_bytes": 1_000_000}
NAMES = {"np": np, "pd": pd, "decimal": decimal, "datetime": datetime, "uuid": uuid, "nan": math.nan, "inf": math.inf}


def read_back(said: Any, kind: Any) -> str:
    """An SQL expression of the value that JSON stands for in a column of this type."""
    if said is None:
        return f"NULL::{kind}"
    name = kind.id
    if name in ("list", "array"):
        return f"[{', '.join(read_back(item, kind.children[0][1]) for item in said)}]::{kind}"
    if name == "struct":
        named = [f"{values.quoted(part)}: {read_back(said[part], member)}" for part, member in kind.children]
        return f"{{{', '.join(named)}}}::{kind}"
    if name == "tuple":
        parts = [read_back(item, member) for item, (_, member) in zip(said, kind.children, strict=True)]
        return f"row({', '.join(parts)})::{kind}"
    if name == "map":
        (_, key), (_, held) = kind.children
        pairs = [f"{read_back(left, key)}: {read_back(right, held)}" for left, right in said]
        return f"MAP {{{', '.join(pairs)}}}::{kind}"
    if name == "union":
        (tag, item), members = next(iter(said.items())), dict(kind.children)
        return f"union_value({values.quoted(tag)} := {read_back(item, members[tag])})::{kind}"
    if name == "blob":
        return f"from_base64({values.literal(said)})"
    return f"{values.literal(said if isinstance(said, str) else json.dumps(said))}::{kind}"


def of_sql(expression: str, kind: str) -> dict[str, Any]:
    asked = CONNECTION.sql(f"SELECT ({expression})::{kind} AS value")
    rows, total = sql.ask(CONNECTION, {**JOB, "code": asked.sql_query()})
    answer = json.loads(rows.answer(total, 0))
    said = answer["rows"][0][0]
    again = read_back(said, asked.types[0])
    same = f"SELECT ({again}) IS NOT DISTINCT FROM (SELECT value FROM asked), typeof({again}) = $1"
    asked.create_view("asked", replace=True)
    equal, typed = CONNECTION.sql(same, params=[str(asked.types[0])]).fetchall()[0]
    return {"json": said, "type": answer["column_types"][0], "same": bool(equal and typed)}


def asked(code: str) -> dict[str, Any]:
    CONNECTION.execute("CREATE OR REPLACE SEQUENCE s MINVALUE 0 START 0")
    rows, total = sql.ask(CONNECTION, {**JOB, "code": code, "max_rows": 3})
    answer = json.loads(rows.answer(total, 0))
    return {**answer, "numbers": CONNECTION.sql("SELECT nextval('s')").fetchall()[0][0]}


READ_AHEAD = """
CREATE TABLE a AS
SELECT hash(range) % 1000000 AS x, hash(range)::VARCHAR AS long, hash(range) % 200 AS y FROM range(2000000)
"""


def read_ahead(path: str, room: int, after: int) -> list[int]:
    """Reads columns of a large table ahead; how many bytes of x, long and y were there already when they were asked."""
    looks = itertools.count()
    if not os.path.exists(path):
        with duckdb.connect(path) as made:
            made.execute(READ_AHEAD)
    ready.NAME = f":memory:read{room}-{after}"
    before_the_job.open_ahead(path, lambda _milliseconds: next(looks) > after, room)
    limit = "SELECT current_setting('memory_limit')"
    assert sql._opened[path].sql(limit).fetchall() == [(f"{ready.USUAL['memory_mib']}.0 MiB",)]
    opened = sql.open_data({"database": path, "files": {}, "memory_mib": 300, "threads": 1})
    lacking = []
    for column in ("x", "long", "y"):
        before = opened.sql(before_the_job.HELD).fetchall()[0][0]
        opened.sql(f"SELECT last({column}) FROM a").fetchall()
        lacking.append(opened.sql(before_the_job.HELD).fetchall()[0][0] - before)
    return lacking


def ahead(path: str, after: int, room: int = 0) -> dict[str, Any]:
    """Opens a dataset ahead, and is asked after so many looks: how often it looked, and whether it is open."""
    looks = 0

    def is_asked(_milliseconds: float) -> bool:
        nonlocal looks
        looks += 1
        return looks > after

    if not os.path.exists(path):
        with duckdb.connect(path) as made:
            made.execute("CREATE TABLE a AS SELECT 1 AS x; CREATE TABLE b AS SELECT 2 AS x")
    ready.NAME = f":memory:ahead{after}"
    before_the_job.open_ahead(path, is_asked, room)
    opened = sql.open_data({"database": path, "files": {}, "memory_mib": 100, "threads": 1})
    return {"looks": looks, "rows": opened.sql("FROM a, b").fetchall()}


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if "read_ahead" in job:
                print(json.dumps(read_ahead(*job["read_ahead"])), flush=True)
                continue
            if "ask" in job or "ahead" in job:
                said = asked(job["ask"]) if "ask" in job else ahead(*job["ahead"])
                print(json.dumps(said), flush=True)
                continue
            answer: Any = [of_sql(*each) for each in job["sql"]] if "sql" in job else of_frame(job["frame"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


READERS: dict[str, Any] = {
    "DECIMAL": decimal.Decimal,
    "UUID": uuid.UUID,
    "DATE": datetime.date.fromisoformat,
    "TIME": datetime.time.fromisoformat,
    "INTERVAL": lambda said: pd.Timedelta(CONNECTION.sql(f"SELECT INTERVAL '{said}'").fetchall()[0][0]),
    "BIGINT": int,
    "HUGEINT": int,
    "BIGNUM": int,
    "UBIGINT": int,
}


def same_value(said: Any, held: Any, kind: str) -> bool:
    """Whether the JSON of a cell stands for what the frame held, by its type."""
    if held is None or held is pd.NA or held is pd.NaT or (isinstance(held, float) and not math.isfinite(held)):
        return said is None
    if kind.startswith("TIMESTAMP"):
        zone = "UTC" if kind.endswith("ZONE") else None
        return bool(pd.Timestamp(said) == (pd.Timestamp(held).tz_convert(zone) if zone else pd.Timestamp(held)))
    if kind == "FLOAT":
        return bool(np.float32(said) == held)
    if kind == "BLOB":
        return bool(said == frames.plain(held))
    reader = READERS.get(kind)
    return bool((reader(said) if reader else said) == held)


def of_frame(columns: dict[str, Any]) -> dict[str, Any]:
    made = {
        name: pd.Series([eval(text, NAMES) for text in texts], dtype=dtype or None)
        for name, (dtype, texts) in columns.items()
    }
    frame = pd.DataFrame(made)
    rows, total, _ = results.collect({"result_df": frame}, None, JOB)
    answer = json.loads(rows.answer(total, 0))
    bad = [
        [name, kind, said, repr(held)]
        for number, (name, kind) in enumerate(zip(frame.columns, answer["column_types"], strict=True))
        for said, held in zip([row[number] for row in answer["rows"]], frame[name], strict=True)
        if not same_value(said, held, kind)
    ]
    return {"types": answer["column_types"], "rows": answer["rows"], "bad": bad, "total": total == len(frame)}


if __name__ == "__main__":
    main()
