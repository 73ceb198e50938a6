"""Numbers as people write them: `1.234,50` in one country, `1,234.50` in another. DuckDB takes both for text.

A column is read so only where every value fits, and one of them can be nothing else: `1,234` alone may be both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST_ROWS = 10_000


@dataclass(frozen=True)
class Manner:
    """One way to write: what every value looks like, what only this way has, and the number that is meant."""

    called: str
    every: str
    sure: str
    number: str


DECIMAL_COMMA = Manner(
    "a decimal comma",
    r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?",
    r"[+-]?(\d+|\d{1,3}(\.\d{3})+),(\d{1,2}|\d{4,})|[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?(0\d*|\d{4,}),\d+",
    "replace(replace({}, '.', ''), ',', '.')",
)
THOUSANDS = Manner(
    "commas between thousands",
    r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?",
    r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(,\d{3}){2,}",
    "replace({}, ',', '')",
)

Ask = Callable[..., "list[tuple[Any, ...]]"]


def read_numbers(ask: Ask, table: str, columns: Iterable[str], delimiter: str) -> list[str]:
    """Turn columns of text (quoted names) into numbers where they are; what is to be told of it."""
    told = []
    for column in columns:
        manner = _manner(ask, table, column)
        if manner is None:
            continue
        if manner is DECIMAL_COMMA and delimiter == ",":
            told.append(f"{column} looks like numbers with {manner.called}, or like lists: it was left as text")
            continue
        number = f"CAST({manner.number.format(column)} AS DOUBLE)"
        ask(f"ALTER TABLE {table} ALTER {column} TYPE DOUBLE USING {number}")
        told.append(f"{column} is written with {manner.called}, and was read as numbers")
    return told


def _manner(ask: Ask, table: str, column: str) -> Manner | None:
    """Asked of all rows only if the first suggest it."""
    for manner in (DECIMAL_COMMA, THOUSANDS):
        if all(_fits(ask, source, column, manner) for source in (f"(FROM {table} LIMIT {FIRST_ROWS})", table)):
            return manner
    return None


def _fits(ask: Ask, source: str, column: str, manner: Manner) -> bool:
    fitting = (f"count(*) FILTER (regexp_full_match({column}, ?))" for _ in range(2))
    values, every, sure = ask(
        f"SELECT count({column}), {', '.join(fitting)} FROM {source}",  # noqa: S608  # names are quoted
        manner.every,
        manner.sure,
    )[0]
    return bool(values == every and sure)
