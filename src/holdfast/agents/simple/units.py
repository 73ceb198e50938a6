"""Units that are said with a number, and those a column has by its name: hours are not compared with days."""

from collections.abc import Iterable

from holdfast.agents.simple.findings import NotSure
from holdfast.agents.simple.words import stem, words_of_name

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_CALLED = {
    **{unit: unit for unit in (*_SECONDS, "month", "year", "kg", "km", "mm", "hpa", "mm/s")},
    **dict.fromkeys(("sec",), "second"),
    **dict.fromkeys(("min",), "minute"),
    **dict.fromkeys(("h", "hr"), "hour"),
    **dict.fromkeys(("$", "dollar", "usd"), "dollar"),
    **dict.fromkeys(("€", "euro", "eur"), "euro"),
    **dict.fromkeys(("£", "pound", "gbp"), "pound"),
    **dict.fromkeys(("%", "percent", "pct", "percentage"), "percent"),
    **dict.fromkeys(("c", "celsius"), "celsius"),
    **dict.fromkeys(("f", "fahrenheit"), "fahrenheit"),
}
_NEEDS_NO_NAME = frozenset({"dollar", "euro", "pound", "percent"})
"""What a column may be in without saying so."""
_MILLIONS = frozenset({"musd", "meur", "mgbp"})
_LARGE = 100_000


def converted(value: float, said: Iterable[str], column: str, high: str | None) -> float:
    """The number in the unit of the column. Raises NotSure where that unit is another, or not known."""
    if (millions := _MILLIONS & set(words_of_name(column))) and abs(value) >= _LARGE:
        return value / 1_000_000
    if millions and any(stem(word) in _CALLED for word in said):
        raise NotSure(f"'{column}' is in millions: say so with the number.")
    for unit in {_CALLED[stem(word)] for word in said if stem(word) in _CALLED}:
        value = _converted(value, unit, column, high)
    return value


def _converted(value: float, unit: str, column: str, high: str | None) -> float:
    own = _unit_of(column)
    if unit == "percent" and high is not None and float(high) <= 1 < abs(value):
        raise NotSure(f"'{column}' is at most {high}: are its values percent?")
    if unit == own or (own is None and unit in _NEEDS_NO_NAME):
        return value
    if unit in _SECONDS and own in _SECONDS:
        return value * _SECONDS[unit] / _SECONDS[own]
    raise NotSure(f"Is '{column}' in {unit}s? Say the number alone, in the unit of the column.")


def _unit_of(column: str) -> str | None:
    """By the last word of its name that is one."""
    if words_of_name(column)[-2:] == ("mm", "s"):
        return "mm/s"
    return next((_CALLED[word] for word in reversed(words_of_name(column)) if word in _CALLED), None)
