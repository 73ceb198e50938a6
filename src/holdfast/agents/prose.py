"""What is said of a result without a language model; every number of it is from the result."""

import json
import re
from typing import Any

from holdfast.types import Capsule, CapsuleStatus, Table

MOST_SAID_ROWS, MOST_SAID_COLUMNS = 5, 4
_COUNTED = frozenset({"count", "n", "total", "total_count", "row_count"})
_SMALLEST, _LARGEST = 1e-3, 1e15
"""Beyond these, six decimals would say too little, or more than is known."""

_WHERE = re.compile(r"(?i)\b(where|having|join)\b")
_FAILED = "I couldn't execute that request successfully: "


def failure(sentence: str) -> str:
    """How it is said that a request failed."""
    return _FAILED + sentence


def said_of(capsule: Capsule) -> str:
    """A sentence or two about what a run came to."""
    if capsule.result is None:
        return _FAILED + (capsule.error.message if capsule.error else f"it was {capsule.status}.")
    if capsule.status is not CapsuleStatus.SUCCEEDED:
        return _FAILED + "it did not end."
    if capsule.figures and not capsule.result.columns:
        count = len(capsule.figures)
        return "It drew a figure." if count == 1 else f"It drew {count} figures."
    return said_of_table(capsule.result, of_all=_WHERE.search(capsule.compiled_sql or "") is None)


def said_of_table(table: Table, *, of_all: bool = True) -> str:
    """What is in a table, or how large it is; `of_all` when no rows of the dataset were left out."""
    if table.total_rows == 0:
        return "No rows matched your request."
    if table.total_rows == 1 and len(table.columns) == 1:
        return _one_value(table.columns[0], table.rows[0][0], of_all) if table.rows else _large(table)
    if table.total_rows <= MOST_SAID_ROWS and len(table.columns) <= MOST_SAID_COLUMNS and not table.truncated:
        return "\n".join(_row(table.columns, row) for row in table.rows)
    return _large(table)


def _one_value(name: str, value: Any, of_all: bool) -> str:
    if name.startswith("total_") and isinstance(value, int) and of_all:
        return f"There are {_shown(value)} total {name.removeprefix('total_').replace('_', ' ')} in the dataset."
    if name in _COUNTED:
        return f"The result is {_shown(value)}."
    return f"{name}: {_shown(value)}."


def _large(table: Table) -> str:
    shown = "" if table.row_count == table.total_rows else f" The Result table shows the first {table.row_count:,}."
    return f"There are {table.total_rows:,} rows, in the Result table.{shown}"


def _row(columns: list[str], row: list[Any]) -> str:
    return ", ".join(f"{name}: {_shown(value)}" for name, value in zip(columns, row, strict=True))


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "empty"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        fits = value == 0 or _SMALLEST <= abs(value) < _LARGEST
        return f"{value:,.6f}".rstrip("0").rstrip(".") if fits else repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
