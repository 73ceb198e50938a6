"""Frames of pandas, and other values of Python, as the rows and columns of an answer.

The type of a column is what DuckDB calls it; a column of values that have no type in common is a VARIANT.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import uuid

import numpy as np  # type: ignore[import-not-found, unused-ignore]
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

from holdfast.guest.data import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

MAX_DEPTH = 50
ANY = "VARIANT"
_DTYPES = {
    "bool": "BOOLEAN",
    "boolean": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
}
_MOMENTS = {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}
_LARGEST_BIGINT, _LARGEST_HUGEINT = 2**63, 2**127


def columns_of(frame: Any) -> list[str]:
    """The names of the columns; those of several levels are joined."""
    return [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]


def types_of(frame: Any) -> list[str]:
    """The types of the columns."""
    return [_type_of_column(frame.iloc[:, number]) for number in range(frame.shape[1])]


def rows_of(frame: Any) -> Iterable[Sequence[Any]]:
    """The rows, as JSON has them. Column by column, so that integers stay integers beside other numbers."""
    return zip(*([plain(value) for value in frame.iloc[:, number]] for number in range(frame.shape[1])), strict=True)


def _type_of_column(column: Any) -> str:
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return common(dtype.categories.tolist())
    if getattr(dtype, "tz", None) is not None:
        return "TIMESTAMP WITH TIME ZONE"
    if dtype.kind == "M":
        unit = getattr(dtype, "unit", "") or np.datetime_data(dtype)[0]
        return _MOMENTS.get(str(unit), "TIMESTAMP_NS")
    if dtype.kind == "m":
        return "INTERVAL"
    if isinstance(dtype, pd.StringDtype):
        return "VARCHAR"
    return _DTYPES.get(str(dtype).lower()) or common(column)


def common(given: Iterable[Any]) -> str:
    """The type of all these values; of none at all it is VARCHAR."""
    types = {kind for value in given if (kind := type_of(value)) is not None}
    if not types:
        return "VARCHAR"
    if len(types) > 1 and types <= {"BIGINT", "HUGEINT", "BIGNUM"}:
        return max(types, key=("BIGINT", "HUGEINT", "BIGNUM").index)
    return types.pop() if len(types) == 1 else ANY


def type_of(value: Any) -> str | None:
    """The type of one value; None for what is missing."""
    if _missing(value):
        return None
    kind = next((name for classes, name, _ in _KINDS if isinstance(value, classes)), ANY)
    if kind == "BIGINT":
        size = abs(int(value) + (int(value) < 0))
        return "BIGINT" if size < _LARGEST_BIGINT else "HUGEINT" if size < _LARGEST_HUGEINT else "BIGNUM"
    if kind == "TIMESTAMP" and value.tzinfo is not None:
        return "TIMESTAMP WITH TIME ZONE"
    if kind == "TIMESTAMP" and getattr(value, "nanosecond", None):
        return "TIMESTAMP_NS"
    if kind == "TIME" and value.tzinfo is not None:
        return "TIME WITH TIME ZONE"
    return kind


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it."""
    if _missing(value):
        return None
    if depth > MAX_DEPTH:
        return str(value)
    for classes, _, made in _KINDS:
        if isinstance(value, classes):
            return made(value, depth)
    return str(value)


def _list(value: Iterable[Any], depth: int) -> list[Any]:
    return [plain(item, depth + 1) for item in value]


def _mapping(value: dict[Any, Any], depth: int) -> Any:
    if all(isinstance(key, str) for key in value):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    return [[plain(key, depth + 1), plain(item, depth + 1)] for key, item in value.items()]


def _moment(value: Any) -> str:
    try:
        return str(value) if value.tzinfo is None else str(value.astimezone(datetime.UTC)).removesuffix(":00")
    except (OverflowError, ValueError):
        return str(value)


def _length(value: datetime.timedelta) -> str:
    """As DuckDB writes intervals: days, then a time of at least one digit more than it needs."""
    nanoseconds = (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1_000
    nanoseconds += int(getattr(value, "nanoseconds", 0))
    days, rest = divmod(abs(nanoseconds), 86_400 * 10**9)
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(rest, 10**9)
    clock = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock += f".{fraction:09}".rstrip("0") if fraction else ""
    said = [f"{sign}{days} day{'' if days == 1 and not sign else 's'}"] if days else []
    return " ".join([*said, *([clock] if rest or not days else [])])


def _number(value: Any) -> Any:
    return values.number(float(value))


def _text(value: Any, depth: int) -> str:
    del depth
    return str(value)


_KINDS: tuple[tuple[Any, str, Callable[[Any, int], Any]], ...] = (
    (str, "VARCHAR", lambda value, _: str(value)),
    ((bool, np.bool_), "BOOLEAN", lambda value, _: bool(value)),
    ((int, np.integer), "BIGINT", lambda value, _: values.whole(int(value))),
    ((float, np.floating), "DOUBLE", lambda value, _: _number(value)),
    (decimal.Decimal, "DECIMAL", lambda value, _: format(value, "f") if value.is_finite() else None),
    ((bytes, bytearray), "BLOB", lambda value, _: base64.b64encode(value).decode()),
    (datetime.datetime, "TIMESTAMP", lambda value, _: _moment(value)),
    (np.datetime64, "TIMESTAMP_NS", lambda value, depth: plain(pd.Timestamp(value), depth)),
    (datetime.date, "DATE", _text),
    (datetime.time, "TIME", _text),
    (datetime.timedelta, "INTERVAL", lambda value, _: _length(value)),
    (np.timedelta64, "INTERVAL", lambda value, depth: plain(pd.Timedelta(value), depth)),
    (uuid.UUID, "UUID", _text),
    (np.ndarray, ANY, lambda value, depth: plain(value.tolist(), depth)),
    ((pd.Series, pd.Index), ANY, _list),
    ((list, tuple, set, frozenset), ANY, _list),
    (dict, ANY, _mapping),
)
"""Classes, the type of their values, and how those look in JSON; the first that fits. Subclasses come first."""
