"""Runs in the programs' environment: what DuckDB answers to a compiled plan, and what pandas makes of the plan itself.

It reads lines of JSON, `{"frames", "plan", "sql", "readable", "parameters"}`, and answers each with what differs, if
anything. It shares nothing with the compiler: names are looked up, filters decided and groups made anew.
"""

import datetime
import decimal
import functools
import json
import operator
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb  # type: ignore[import-not-found, unused-ignore]
import pandas as pd  # type: ignore[import-untyped, import-not-found, unused-ignore]

MOST = 1_000
"""Rows of an answer, with those that are tied."""

WORLD = json.loads(sys.argv[1])
TEXTS = WORLD["texts"]
Json = dict[str, Any]
Row = list[Any]


class Frames:
    """The tables of one random world, in DuckDB and as data frames."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.connection = duckdb.connect(config={"threads": "1"})
        self.tables: Json = {}
        for table, columns in WORLD["columns"].items():
            rows = [
                [self.value(chance, name, kind) for name, kind in columns.items()]
                for _ in range(chance.choice([0, 4, 9, 9, 14]))
            ]
            listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
            self.connection.execute(f"CREATE TABLE {quoted(table)} ({listed})")
            for row in rows:
                self.connection.execute(f"INSERT INTO {quoted(table)} VALUES ({', '.join('?' * len(row))})", row)
            self.tables[table] = pd.DataFrame(rows, columns=list(columns), dtype=object)

    @staticmethod
    def value(chance: random.Random, name: str, kind: str) -> Any:
        if chance.random() < 0.2:
            return None
        if name in ("id", "customer", "order"):
            return chance.randint(0, 4)
        day = datetime.date(2025, chance.randint(1, 9), chance.randint(1, 28))
        moment = datetime.datetime(day.year, day.month, day.day, chance.choice([0, 10]), chance.choice([0, 30]))
        return {
            "BIGINT": chance.randint(-3, 12),
            "INTEGER": chance.randint(-3, 12),
            "DOUBLE": chance.randint(-12, 40) / 4,
            "DECIMAL(8,2)": decimal.Decimal(chance.randint(-12, 40)) / 4,
            "VARCHAR": chance.choice(TEXTS),
            "DATE": day,
            "TIMESTAMP": moment,
            "BOOLEAN": chance.random() < 0.5,
        }[kind]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def null(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)


def joined(plan: Json, tables: Json) -> list[Json]:
    """Every row as a dictionary; after a join the names are `table.column`."""
    prefix = bool(plan["joins"])

    def named(table: str) -> Any:
        frame = tables[table]
        return frame.rename(columns={name: f"{table}.{name}" for name in frame.columns}) if prefix else frame

    frame, known = named(plan["table"]), [plan["table"]]
    for join in plan["joins"]:
        left, right = next(
            (f"{old}.{here}", f"{join['table']}.{there}")
            for old in known
            for one, a, two, b in WORLD["links"]
            for old_, here, new, there in ((one, a, two, b), (two, b, one, a))
            if old_ == old and new == join["table"]
        )
        other = named(join["table"])
        other = other[other[right].notna()]  # pandas joins nulls with nulls, SQL does not.
        frame = frame.merge(other, how=join["type"], left_on=left, right_on=right)
        known.append(join["table"])
    rows = frame.astype(object).to_dict("records")
    return [{name: None if null(value) else value for name, value in row.items()} for row in rows]


def comparable(value: Any, other: Any) -> Any:
    """The value of a plan as what the column holds."""
    if isinstance(other, datetime.datetime) and isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    if isinstance(other, datetime.date) and isinstance(value, str):
        return datetime.date.fromisoformat(value)
    return float(value) if isinstance(other, float | decimal.Decimal) and not isinstance(value, bool) else value


def holds(condition: Json, row: Json) -> bool | None:
    """True, false, or None for unknown."""
    if "not" in condition:
        inner = holds(condition["not"], row)
        return None if inner is None else not inner
    for word, decides in (("any", True), ("all", False)):
        if word in condition:
            found = [holds(each, row) for each in condition[word]]
            return decides if decides in found else None if None in found else not decides
    op: str = condition["op"]
    given, value = condition.get("value"), row[condition["column"]]
    if op in ("is_null", "is_not_null"):
        return bool((value is None) == (op == "is_null"))
    if op in ("in", "not_in") and not given:
        return op == "not_in"
    if value is None:
        return None
    caseless = bool(condition.get("ignore_case"))
    if isinstance(given, list):
        return compared(op, caseless, value, [comparable(each, value) for each in given])
    return compared(op, caseless, value, comparable(given, value))


def compared(op: str, caseless: bool, value: Any, given: Any) -> bool:
    value = float(value) if isinstance(value, decimal.Decimal) else value
    if caseless:
        value = value.lower()
        given = [each.lower() for each in given] if isinstance(given, list) else given.lower()
    return bool(TESTS[op](value, given))


TESTS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, given: value in given,
    "not_in": lambda value, given: value not in given,
    "between": lambda value, given: given[0] <= value <= given[1],
    "contains": lambda value, given: given in value,
    "startswith": lambda value, given: value.startswith(given),
    "endswith": lambda value, given: value.endswith(given),
}


def cut(value: Any, bucket: str) -> Any:
    if value is None:
        return None
    period = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y", "day": "D", "hour": "h", "minute": "min"}[
        bucket
    ]
    start = pd.Timestamp(value).to_period(period).start_time.to_pydatetime()
    return start if isinstance(value, datetime.datetime) else start.date()


def aggregated(item: Json, rows: list[Json]) -> Any:
    func, column = item["func"], item["column"]
    if column == "*":
        return len(rows)
    values = pd.Series([row[column] for row in rows if row[column] is not None], dtype=object)
    if func == "count":
        return len(values)
    if func == "count_distinct":
        return int(values.nunique())
    if values.empty:
        return None
    if func in ("min", "max"):
        return min(values) if func == "min" else max(values)
    numbers = values.astype(float)
    return {
        "sum": numbers.sum,
        "avg": numbers.mean,
        "median": numbers.median,
        "percentile": lambda: numbers.quantile(item.get("percent", 0) / 100),
    }[func]()


def plain(item: Json, row: Json) -> Any:
    value = row[item["column"]]
    return cut(value, item["bucket"]) if item.get("bucket") else value


def answered(plan: Json, tables: Json) -> list[tuple[Row, Row]]:
    """All rows of the answer as `(values, order keys)`, before limit and offset."""
    rows = joined(plan, tables)
    rows = [row for row in rows if all(holds(each, row) is True for each in plan["filters"])]
    items = plan.get("select")
    if items is None:
        return [(list(row.values()), []) for row in rows]
    by_alias = {item["alias"]: item for item in items}
    if plan.get("group_by") or plan.get("having") or any("func" in item for item in items):
        found = grouped(plan, rows, by_alias)
    else:
        found = [{alias: plain(item, row) for alias, item in by_alias.items()} for row in rows]
    return [
        ([each[alias] for alias in by_alias], [each[key["expr"]] for key in plan.get("order_by", [])]) for each in found
    ]


def grouped(plan: Json, rows: list[Json], by_alias: Json) -> list[Json]:
    def key(row: Json) -> Row:
        return [plain(by_alias[name], row) if name in by_alias else row[name] for name in plan["group_by"]]

    if plan["group_by"]:
        keys = [key(row) for row in rows]
        frame = pd.DataFrame(
            {str(index): [repr(each[index]) for each in keys] for index in range(len(plan["group_by"]))}
        )
        places = frame.groupby(list(frame.columns), sort=False).indices.values() if rows else []
        groups = [(keys[place[0]], [rows[index] for index in place]) for place in places]
    else:
        groups = [([], rows)]
    found = []
    for values, members in groups:
        named = dict(zip(plan["group_by"], values, strict=True))
        row = {alias: aggregated(item, members) if "func" in item else named[alias] for alias, item in by_alias.items()}
        if all(holds(each, row) is True for each in plan["having"]):
            found.append(row)
    return found


def normal(value: Any) -> Any:
    if null(value):
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | decimal.Decimal) or hasattr(value, "dtype"):
        return float(f"{float(value):.9g}") + 0.0
    return str(value)


def less(keys: list[Json]) -> Any:
    """How `ORDER BY` puts two rows."""

    def compare(one: Row, two: Row) -> int:
        for key, a, b in zip(keys, one, two, strict=True):
            if a == b:
                continue
            if a is None or b is None:
                return -1 if (a is None) == (key["nulls"] == "first") else 1
            return (-1 if a < b else 1) * (1 if key["direction"] == "asc" else -1)
        return 0

    return functools.cmp_to_key(compare)


def tied(keys: list[Json], rows: list[Row], limit: int) -> int:
    """How many rows there are up to the last that is equal to the one at the limit."""
    before = less(keys)
    ordered = sorted(rows, key=before)
    return sum(before(row) <= before(ordered[limit - 1]) for row in ordered) if len(ordered) > limit else len(ordered)


def compare(task: Json) -> Json:
    frames = world(task["frames"])
    found = frames.connection.execute(task["sql"], task["parameters"]).fetchall()
    got = [[normal(value) for value in row] for row in found]
    nulls = any(value is None for row in got for value in row)
    return {"difference": difference(task, frames, got), "rows": len(got), "nulls": nulls}


def difference(task: Json, frames: Frames, got: list[Row]) -> str | None:
    plan = task["plan"]
    full = [
        ([normal(value) for value in row], [normal(key) for key in keys]) for row, keys in answered(plan, frames.tables)
    ]
    if plan.get("distinct"):
        full = list({repr(row): (row, keys) for row, keys in full}.values())
    offset, limit = plan.get("offset", 0), plan["limit"]
    if plan.get("with_ties"):
        limit = min(MOST, tied(plan["order_by"][:1], [keys[:1] for _, keys in full], limit))
    expected = max(0, min(limit, len(full) - offset))
    if len(got) != expected:
        return f"{len(got)} rows instead of {expected}: {got} instead of {full}"
    if Counter(map(repr, got)) - Counter(repr(row) for row, _ in full):
        return f"{got} instead of {full}"
    if keys := plan.get("order_by"):
        ordered = sorted((key for _, key in full), key=less(keys))[offset : offset + limit]
        places = [[item["alias"] for item in plan["select"]].index(key["expr"]) for key in keys]
        if [[row[place] for place in places] for row in got] != ordered:
            return f"the order of {got} instead of {ordered}"
    again = [[normal(value) for value in row] for row in frames.connection.execute(task["readable"]).fetchall()]
    if expected == len(full) and Counter(map(repr, again)) != Counter(map(repr, got)):
        return "the readable form answers something else"
    return None


world = functools.cache(Frames)

for line in sys.stdin:
    print(json.dumps(compare(json.loads(line))), flush=True)
