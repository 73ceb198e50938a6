"""The answer of a run over data, as whoever started it reads it: it comes from a program nobody trusts."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROOM_BESIDE_THE_TABLE = 96 << 10
"""Bytes an answer may have besides its table: an error with the longest message, the names of figures."""

FAILURES = {
    "sql": frozenset({"SQL_EXECUTION_ERROR"}),
    "python": frozenset({"PYTHON_EXECUTION_ERROR", "PYTHON_POLICY_VIOLATION"}),
}
MOST_ROWS_THERE_ARE = 2**63
MAX_NAMES = 100
_UNSAID: dict[str, Any] = {
    "columns": [],
    "column_types": [],
    "rows": [],
    "row_count": 0,
    "total_rows": 0,
    "truncated": False,
}
_ALSO: dict[str, Any] = {"notes": [], "figures": []}


def checked(text: bytes, *, kind: str, max_rows: int) -> dict[str, Any]:
    """The answer, with every field, if it is one. Raises ValueError."""
    try:
        said = json.loads(text, parse_constant=_refuse)
        # A number beyond all bounds is written like any number.
        json.dumps(said, allow_nan=False)
    except RecursionError:
        raise ValueError("it is too deeply nested") from None
    if type(said) is not dict or not said.keys() <= {"status", "exec_ms", "error", *_UNSAID, *_ALSO}:
        raise ValueError("it is no answer")
    answer: dict[str, Any] = {**_UNSAID, **_ALSO, "error": None, **said}
    _check_end(answer, FAILURES[kind])
    _check_table(answer, max_rows)
    return answer


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _check_end(answer: dict[str, Any], kinds: frozenset[str]) -> None:
    took, error = answer.get("exec_ms"), answer["error"]
    _require(isinstance(took, int | float) and took >= 0, "it does not say how long it took")
    _require(answer.get("status") == ("success" if error is None else "error"), "it contradicts itself")
    for name in _ALSO:
        _require(_are_texts(answer[name]) and len(answer[name]) <= MAX_NAMES, f"'{name}' is no list of texts")
    if error is not None:
        _require(type(error) is dict and error.keys() == {"type", "message", "line", "hint"}, "the error is none")
        _require(_are_texts([error["type"], error["message"], error["hint"]]), "the error says nothing")
        _require(error["type"] in kinds, "there is no such error")
        line = error["line"]
        _require(line is None or (type(line) is int and 0 <= line < MOST_ROWS_THERE_ARE), "the line is none")


def _check_table(answer: dict[str, Any], max_rows: int) -> None:
    columns, rows = answer["columns"], answer["rows"]
    _require(_are_texts(columns) and _are_texts(answer["column_types"]), "the columns have no names")
    _require(len(columns) == len(answer["column_types"]), "the columns have no types")
    _require(type(rows) is list and len(rows) <= max_rows, "there are more rows than were asked for")
    _require(all(type(row) is list and len(row) == len(columns) for row in rows), "the rows do not fit the columns")
    count, total = answer["row_count"], answer["total_rows"]
    _require(type(count) is int and count == len(rows) and type(total) is int, "the rows are miscounted")
    _require(count <= total < MOST_ROWS_THERE_ARE, "the rows are miscounted")
    _require(answer["truncated"] is (count < total), "it is not said truly what was left out")


def _are_texts(given: Any) -> bool:
    return type(given) is list and all(type(item) is str for item in given)


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise ValueError(why)
