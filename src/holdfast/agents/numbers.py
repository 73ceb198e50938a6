"""Whether the numbers in the text of an answer are those of its result."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from holdfast.types import NumberCheck, Table

_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[,\u202f' ]\d{3})*(?:\.\d+)?(?:\s?%)?(?![\w])")  # noqa: RUF001
_SIGNS = str.maketrans({"−": "-", ",": None, " ": None, "\u202f": None, "'": None, "%": None})  # noqa: RUF001
_ISO = re.compile(r"\d{4}-\d{2}(-\d{2})?([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_MOST = 500


def check(text: str, table: Table | None, *said_before: str) -> tuple[NumberCheck, ...]:
    """Each number of the text, and where it is in the result, or in what was said before: the question, the query."""
    cells = list(_cells(table)) if table is not None else []
    counts = {Decimal(table.total_rows), Decimal(table.row_count)} if table is not None else set()
    known = [{value for _, _, value in numbers_of(each)} for each in said_before]
    checked = (_checked(found, cells, counts, known) for found in list(numbers_of(text))[:_MOST])
    return tuple(each.model_copy(update={"text": text[each.start : each.end]}) for each in checked)


def numbers_of(text: str) -> Iterator[tuple[int, int, Decimal]]:
    """The numbers of a text that are not part of a date, and where they are."""
    dates = [match.span() for match in _ISO.finditer(text) if len(match[0]) > 6]
    for match in _NUMBER.finditer(text):
        if any(start <= match.start() < end for start, end in dates):
            continue
        try:
            yield match.start(), match.end(), Decimal(match[0].translate(_SIGNS))
        except InvalidOperation:
            continue


Cell = tuple[int, str, Decimal]


def _cells(table: Table) -> Iterator[Cell]:
    for number, row in enumerate(table.rows):
        for name, value in zip(table.columns, row, strict=True):
            for each in _values(value):
                yield number, name, each


def _values(value: Any) -> Iterable[Decimal]:
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return _finite(str(value))
    return [number for _, _, number in numbers_of(value)] or _finite(value) if isinstance(value, str) else []


def _finite(text: str) -> list[Decimal]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return []
    return [number] if number.is_finite() else []


def _checked(
    found: tuple[int, int, Decimal], cells: Sequence[Cell], counts: set[Decimal], known: Sequence[set[Decimal]]
) -> NumberCheck:
    start, end, value = found
    where = {"start": start, "end": end}
    for row, column, cell in cells:
        if _rounds_to(cell, value):
            return NumberCheck(text="", matched=True, source="cell", row=row, column=column, **where)
    if value in counts:
        return NumberCheck(text="", matched=True, source="rows", **where)
    for source, numbers in zip(("question", "query"), known, strict=False):
        if value in numbers:
            return NumberCheck(text="", matched=True, source=source, **where)
    return NumberCheck(text="", matched=False, **where)


def _rounds_to(cell: Decimal, value: Decimal) -> bool:
    """Whether the number is the cell as somebody writes it: with fewer digits after the point, or without its sign."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(cell) > Decimal("1e20"):
        return cell == value
    digits = Decimal(1).scaleb(exponent)
    return cell == value or cell.quantize(digits) == value
