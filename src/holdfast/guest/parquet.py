"""Writes a table as Parquet, as the program of a run: types and values are what a stranger's run has said.

A column whose values Parquet cannot have in their type is text.
"""

import sys

sys.path.pop(0)  # The workspace: what is in there is data, and no module of ours.

import json
from collections import Counter
from typing import Any

TABLE, OUTPUT, TRIED = ".holdfast/table.json", ".holdfast/table.parquet", "/tmp/tried.parquet"
_NESTED = ("[", "STRUCT", "MAP", "UNION", "JSON", "VARIANT")
_WIDE = frozenset({"HUGEINT", "UHUGEINT", "BIGNUM"})
"""What would become a floating point number."""


def main() -> None:
    """Leave the file."""
    import duckdb  # type: ignore[import-not-found, unused-ignore]
    import pyarrow  # type: ignore[import-not-found, unused-ignore]

    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    connection = duckdb.connect()
    texts = [[_text(row[place]) for row in table["rows"]] for place in range(len(table["columns"]))]
    names = [f"c{place}" for place in range(len(texts))]
    staged = pyarrow.table([pyarrow.array(values, pyarrow.string()) for values in texts], names=names)
    connection.register("staged", staged)
    columns = zip(names, table["column_types"], _distinct(table["columns"]), strict=True)
    items = [f"{_first(connection, duckdb.Error, name, kind)} AS {_quoted(title)}" for name, kind, title in columns]
    _copy(connection, ", ".join(items), OUTPUT)


def _first(connection: Any, failure: type[Exception], name: str, kind: str) -> str:
    """The first way to give the column its type that works."""
    for expression in _ways(name, kind):
        try:
            _copy(connection, f"{expression} AS c", TRIED)
        except failure:
            continue
        return expression
    return name


def _ways(name: str, kind: str) -> list[str]:
    if kind == "BLOB":
        return [f"from_base64({name})"]
    if kind in _WIDE:
        return [f"CAST({name} AS DECIMAL(38, 0))"]
    if kind.endswith("]") or kind.startswith(_NESTED):
        return [f"CAST(CAST({name} AS JSON) AS {kind})"]
    return [f"CAST({name} AS {kind})"]


def _copy(connection: Any, items: str, path: str) -> None:
    connection.execute(f"COPY (SELECT {items} FROM staged) TO '{path}' (FORMAT parquet)")  # noqa: S608 - in a cell, of one's own data


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _distinct(titles: list[str]) -> list[str]:
    """Parquet has each name once."""
    taken, seen, found = set(titles), Counter[str](), []
    for title in titles:
        seen[title] += 1
        name, number = title, seen[title]
        while number > 1 and name in taken:
            name, number = f"{title}_{number}", number + 1
        taken.add(name)
        found.append(name)
    return found


def _quoted(name: str) -> str:
    return '"' + (name or "column").replace('"', '""') + '"'


if __name__ == "__main__":
    main()
