"""Filters as SQL. Values are bound, never written into the text, except for the readable form."""

import datetime
import re
from collections.abc import Callable
from typing import Any, Protocol

from holdfast.data.columns import Expression, Kind, wrong
from holdfast.types import AllOf, AnyOf, Condition, Filter, Not, Operator
from holdfast.types.plan import LISTS, NULL_TESTS, TEXT_TESTS

_SPECIAL = re.compile(r"[\\%_]")
# Python also reads `12`, `1200` and `12:00:00,5`, which DuckDB does not.
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,9})?)?", re.ASCII)
_MOMENT = re.compile(rf"\d{{4}}-\d\d-\d\d[ T]{_CLOCK.pattern}(Z|[+-]\d\d(:?\d\d(:\d\d)?)?)?", re.ASCII)
_SHAPES = {
    Operator.CONTAINS: "%{}%",
    Operator.STARTS_WITH: "{}%",
    Operator.ENDS_WITH: "%{}",
}
_NEEDS = {
    Kind.NUMBER: "a number",
    Kind.TEXT: "text",
    Kind.BOOLEAN: "true or false",
    Kind.DATE: "a date such as '2026-01-31'",
    Kind.TIMESTAMP: "a time such as '2026-01-31 12:00:00'",
    Kind.TIME: "a time such as '12:00:00'",
}


class Binder(Protocol):
    """How a value gets into the SQL."""

    def __call__(self, value: Any, /) -> str: ...


Find = Callable[[Condition, str], Expression]


class Conditions:
    """Writes filters. `find` says what the column of a condition means there."""

    def __init__(self, find: Find, bind: Binder) -> None:
        self._find = find
        self._bind = bind

    def write(self, condition: Filter, path: str) -> str:
        """Raises InvalidFieldError."""
        if isinstance(condition, Condition):
            return self._comparison(condition, path)
        if isinstance(condition, Not):
            return f"NOT ({self.write(condition.negated, f'{path}.not')})"
        word, parts = ("any", condition.any) if isinstance(condition, AnyOf) else ("all", _parts(condition))
        written = [self.write(part, f"{path}.{word}[{index}]") for index, part in enumerate(parts)]
        return f"({(' OR ' if word == 'any' else ' AND ').join(written)})"

    def _comparison(self, condition: Condition, path: str) -> str:
        found = self._find(condition, path)
        op = condition.op
        if op in NULL_TESTS:
            return f"{found.sql} IS {'NOT ' if op is Operator.IS_NOT_NULL else ''}NULL"
        if found.kind is Kind.OTHER:
            wrong(f"{path}.column", f"'{found.name}' is {found.type}, which a plan can only test for null; use SQL.")
        if (op in TEXT_TESTS or condition.ignore_case) and found.kind is not Kind.TEXT:
            needs = f"'{op}'" if op in TEXT_TESTS else "'ignore_case'"
            wrong(f"{path}.op", f"{needs} needs text, and '{found.name}' is {found.type or found.kind}.")
        left = f"lower({found.sql})" if condition.ignore_case else found.sql
        values = self._values(condition, found, f"{path}.value")
        if op in LISTS:
            return self._membership(left, values, negated=op is Operator.NOT_IN)
        if op is Operator.BETWEEN:
            return f"{left} BETWEEN {values[0]} AND {values[1]}"
        return f"{left} LIKE {values[0]} ESCAPE '\\'" if op in TEXT_TESTS else f"{left} {op} {values[0]}"

    def _membership(self, left: str, values: list[str], *, negated: bool) -> str:
        """Nothing is among no values, not even null."""
        if not values:
            return "TRUE" if negated else "FALSE"
        return f"{left} {'NOT IN' if negated else 'IN'} ({', '.join(values)})"

    def _values(self, condition: Condition, found: Expression, path: str) -> list[str]:
        given = condition.value
        if not isinstance(given, list):
            return [self._value(condition, found, given, path)]
        return [self._value(condition, found, value, f"{path}[{index}]") for index, value in enumerate(given)]

    def _value(self, condition: Condition, found: Expression, value: Any, path: str) -> str:
        cast = _cast(found, value)
        if cast is None:
            wrong(path, f"'{found.name}' is {found.type or found.kind}; give {_NEEDS[found.kind]}.")
        if condition.op in _SHAPES:
            value = _SHAPES[condition.op].format(_SPECIAL.sub(r"\\\g<0>", value))
        bound = self._bind(value)
        bound = f"CAST({bound} AS {cast})" if cast else bound
        return f"lower({bound})" if condition.ignore_case else bound


def _parts(condition: AnyOf | AllOf) -> list[Filter]:
    return condition.any if isinstance(condition, AnyOf) else condition.all


def _cast(found: Expression, value: Any) -> str | None:
    """What a value is cast to, "" for nothing; None when it does not fit."""
    if found.kind is Kind.BOOLEAN:
        return "" if isinstance(value, bool) else None
    if found.kind is Kind.NUMBER:
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if found.kind is Kind.TEXT:
        return ""
    return _cast_of_time(found.kind, value)


def _cast_of_time(kind: Kind, value: str) -> str | None:
    """Python reads what DuckDB is going to read, so that a bad date is told before anything runs."""
    if kind is Kind.TIME:
        return "TIME" if _CLOCK.fullmatch(value) and _reads(datetime.time.fromisoformat, value) else None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return "DATE" if _reads(datetime.date.fromisoformat, value) else None
    if not _MOMENT.fullmatch(value) or not _reads(_time, value):
        return None
    return "TIMESTAMPTZ" if _time(value).tzinfo else "TIMESTAMP"


def _time(value: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(value)


def _reads(read: Callable[[str], Any], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
