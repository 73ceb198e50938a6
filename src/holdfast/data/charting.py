"""From a chart choice to a Vega-Lite specification over a result, and the choice for a result when nobody makes one.

Columns are called `c0`, `c1`, … in the data, so that no name and no value is ever read as part of the specification.
There is no way to put a URL, an expression or a signal into it.
"""

from collections.abc import Sequence
from typing import Any

from holdfast.data.columns import Kind, kind_of
from holdfast.errors import InvalidFieldError
from holdfast.types import Channel, ChartChoice, Mark, Scale, Table

WIDTH, HEIGHT = 480, 300
MOST_BARS, MOST_SLICES, MOST_COLOURS = 50, 8, 12
_SCALES = {
    Kind.NUMBER: Scale.QUANTITATIVE,
    Kind.DATE: Scale.TEMPORAL,
    Kind.TIMESTAMP: Scale.TEMPORAL,
    Kind.TEXT: Scale.NOMINAL,
    Kind.BOOLEAN: Scale.NOMINAL,
}


def chosen(table: Table) -> ChartChoice | None:
    """A chart that suits the result, if one does."""
    scales = [_SCALES.get(kind_of(kind)) for kind in table.column_types]
    if table.row_count < 2 or not 2 <= len(table.columns) <= 4 or len(set(table.columns)) < len(table.columns):
        return None
    numbers = _of(table, scales, Scale.QUANTITATIVE)
    times, names = _of(table, scales, Scale.TEMPORAL), _of(table, scales, Scale.NOMINAL)
    if len(times) == 1 and numbers and len(names) <= 1:
        return _lines(table, times[0], numbers[0], names)
    if len(names) in (1, 2) and numbers and not times:
        return _bars(table, names, numbers[0])
    if len(numbers) >= 2 and not times and not names:
        return _pairs(table, numbers)
    return None


def specification(choice: ChartChoice, table: Table) -> dict[str, Any]:
    """The whole specification, with the values of the result. Raises InvalidFieldError for a choice that it lacks."""
    channels = {"x": choice.x, "y": choice.y, "color": choice.color}
    given = {name: channel for name, channel in channels.items() if channel is not None}
    if not given:
        raise InvalidFieldError("A chart needs at least one of 'x', 'y' and 'color'.", field="x")
    if choice.mark is Mark.ARC and "y" in given:
        given["theta"] = given.pop("y")
    spec: dict[str, Any] = {
        "data": {"values": _values(table)},
        "mark": {"type": str(choice.mark), "tooltip": True},
        "encoding": {name: _encoded(name, channel, table) for name, channel in given.items()},
        "width": WIDTH,
        "height": HEIGHT,
    }
    return {**spec, "title": choice.title} if choice.title else spec


def _of(table: Table, scales: Sequence[Scale | None], wanted: Scale) -> list[str]:
    return [name for name, scale in zip(table.columns, scales, strict=True) if scale is wanted]


def _lines(table: Table, time: str, number: str, names: list[str]) -> ChartChoice | None:
    if names and _different(table, names[0]) > MOST_COLOURS:
        return None
    color = Channel(column=names[0]) if names else None
    return ChartChoice(mark=Mark.LINE, x=Channel(column=time), y=Channel(column=number), color=color)


def _bars(table: Table, names: list[str], number: str) -> ChartChoice | None:
    if _different(table, names[0]) > MOST_BARS or (len(names) == 1 and _different(table, names[0]) < table.row_count):
        return None
    if len(names) == 2 and _different(table, names[1]) > MOST_COLOURS:
        return None
    color = Channel(column=names[1]) if len(names) == 2 else None
    return ChartChoice(mark=Mark.BAR, x=Channel(column=names[0], sort="none"), y=Channel(column=number), color=color)


def _pairs(table: Table, numbers: list[str]) -> ChartChoice:
    """Bars when the first column names the rows, points otherwise."""
    names_rows = _different(table, numbers[0]) == table.row_count <= MOST_BARS and len(numbers) == 2
    if names_rows:
        x = Channel(column=numbers[0], scale=Scale.ORDINAL, sort="none")
        return ChartChoice(mark=Mark.BAR, x=x, y=Channel(column=numbers[1]))
    return ChartChoice(mark=Mark.POINT, x=Channel(column=numbers[0]), y=Channel(column=numbers[1]))


def _different(table: Table, name: str) -> int:
    place = table.columns.index(name)
    return len({str(row[place]) for row in table.rows})


def _encoded(name: str, channel: Channel, table: Table) -> dict[str, Any]:
    if channel.column not in table.columns:
        raise InvalidFieldError(f"The result has no column '{channel.column[:80]}'.", field=name)
    place = table.columns.index(channel.column)
    scale = channel.scale or _SCALES.get(kind_of(table.column_types[place]), Scale.NOMINAL)
    written: dict[str, Any] = {"field": f"c{place}", "type": str(scale), "title": channel.title or channel.column}
    if channel.aggregate is not None:
        written["aggregate"] = channel.aggregate
    if channel.bin:
        written["bin"] = True
    if channel.sort is not None:
        written["sort"] = None if channel.sort == "none" else channel.sort
    return written


def _values(table: Table) -> list[dict[str, Any]]:
    numeric = [kind_of(kind) is Kind.NUMBER for kind in table.column_types]
    return [
        {f"c{place}": _value(value, is_number=numeric[place]) for place, value in enumerate(row)} for row in table.rows
    ]


def _value(value: Any, *, is_number: bool) -> Any:
    """Numbers that are text, for exactness, become numbers; what is nested becomes text."""
    if isinstance(value, str) and is_number:
        try:
            return float(value)
        except ValueError:
            return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
