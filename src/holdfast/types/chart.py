"""The nouns of charts: what is to be shown of a result, and the Vega-Lite specification that shows it."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from holdfast.types.run import Frozen


class Mark(StrEnum):
    """What is drawn for each row, or for each group of rows."""

    BAR = "bar"
    LINE = "line"
    AREA = "area"
    POINT = "point"
    ARC = "arc"
    RECT = "rect"


class Scale(StrEnum):
    """What kind of values a channel shows, in the words of Vega-Lite."""

    QUANTITATIVE = "quantitative"
    TEMPORAL = "temporal"
    ORDINAL = "ordinal"
    NOMINAL = "nominal"


_Name = Annotated[str, Field(min_length=1, max_length=200)]


class Channel(Frozen):
    """A column of the result, shown by position or colour. Without `scale` it is told from the type of the column."""

    column: _Name
    scale: Scale | None = None
    aggregate: Literal["count", "sum", "mean", "median", "min", "max"] | None = None
    bin: bool = False
    sort: Literal["ascending", "descending", "none", "-y", "y", "-x", "x"] | None = None
    title: Annotated[str, Field(max_length=200)] | None = None


class ChartChoice(Frozen):
    """A chart of a result. A pie is the mark `arc`, with `y` as the size of the slices and `color` as their names."""

    mark: Mark
    x: Channel | None = None
    y: Channel | None = None
    color: Channel | None = None
    title: Annotated[str, Field(max_length=200)] = ""


class Chart(Frozen):
    """A chart of a data run, ready for Vega-Lite 5.

    `spec` is complete: `data.values` are the rows, in which the columns of the result are called `c0`, `c1`, … in their
    order, so that no name means anything to Vega. It holds no URL, no expression and no signal.
    """

    run_id: str
    choice: ChartChoice
    spec: dict[str, Any]
