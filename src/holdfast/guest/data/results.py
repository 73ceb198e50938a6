"""What Python code left behind, as a table and figures.

`result_df`, then `result_rows` with `result_columns`, then `result`, then the value of the last expression.
"""

from __future__ import annotations

import json
import sys

import numpy as np  # type: ignore[import-not-found, unused-ignore]
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

from holdfast.guest.data import frames
from holdfast.guest.data.answer import Failure, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAILED = "PYTHON_EXECUTION_ERROR"
NOTHING = "The code produced no tabular/scalar result."
NOTHING_HINT = "Set 'result_df' or 'result', or end with an expression whose value is the result."
MAX_FIGURES = 20


class _Listed:
    """Rows that are no frame yet."""

    def __init__(self, columns: list[str], rows: list[Any]) -> None:
        self.columns, self.rows = columns, rows


def collect(namespace: dict[str, Any], last: Any, job: dict[str, Any]) -> tuple[Rows, int, list[str]]:
    """The rows, how many there are, and the names of the figures. Raises Failure."""
    names = ("result_df", "result_rows", "result")
    name = next((name for name in names if namespace.get(name) is not None), "")
    value = namespace[name] if name else last
    figures = _save_figures([value, last])
    if value is None or _is_drawing(value):
        if not figures:
            raise Failure(FAILED, NOTHING, hint=NOTHING_HINT)
        return _rows([], [], job), 0, figures
    table = _as_rows(value, namespace.get("result_columns")) if name == "result_rows" else _as_table(value, name)
    rows, total = _take(table, job)
    return rows, total, figures


def _take(table: Any, job: dict[str, Any]) -> tuple[Rows, int]:
    most = job["max_rows"]
    if isinstance(table, _Listed):
        first: Any = ([frames.plain(item) for item in row] for row in table.rows[:most])
        columns = [[row[number] for row in table.rows[:most]] for number in range(len(table.columns))]
        rows = _rows(table.columns, [frames.common(column) for column in columns], job)
        total = len(table.rows)
    else:
        head = table.iloc[:most]
        rows, first, total = (
            _rows(frames.columns_of(head), frames.types_of(head), job),
            frames.rows_of(head),
            len(table),
        )
    for row in first:
        rows.take(row)
    return rows, total


def _rows(columns: list[str], types: list[str], job: dict[str, Any]) -> Rows:
    rows = Rows(columns, types, max_rows=job["max_rows"], max_bytes=job["max_output_bytes"])
    if rows.wide:
        raise Failure(FAILED, "The names of the columns alone are larger than max_output_bytes.")
    return rows


def _as_table(value: Any, name: str) -> Any:
    if isinstance(value, pd.DataFrame):
        # An index of numbers without a name says where a row was, not what it is.
        speaks = any(level is not None for level in value.index.names) or value.index.dtype.kind not in "iu"
        taken = any(level in value.columns for level in value.index.names)
        return value.reset_index() if speaks and not taken and name != "result_df" else value
    if name == "result_df":
        raise Failure(FAILED, f"result_df must be a DataFrame, and is {type(value).__name__}.")
    if isinstance(value, pd.Series):
        return _as_table(value.to_frame("value" if value.name is None else value.name).reset_index(), "")
    if isinstance(value, pd.Index | np.ndarray):
        return _as_table(value.tolist(), "")
    if isinstance(value, dict):
        return _Listed(["key", "value"], [[key, item] for key, item in value.items()])
    if not isinstance(value, list):
        return _Listed(["value"], [[value]])
    if value and all(isinstance(row, list | tuple | dict) for row in value):
        return _as_rows(value, None)
    return _Listed(["value"], [[item] for item in value])


def _as_rows(value: Any, columns: Any) -> _Listed:
    if not isinstance(value, list):
        raise Failure(FAILED, f"result_rows must be a list of rows, and is {type(value).__name__}.")
    if value and all(isinstance(row, dict) for row in value):
        names = [str(name) for name in columns or dict.fromkeys(key for row in value for key in row)]
        return _Listed(names, [[row.get(name) for name in names] for row in value])
    width = len(columns) if columns else len(value[0]) if value and isinstance(value[0], list | tuple) else 1
    names = [str(name) for name in columns] if columns else [f"col_{number}" for number in range(1, width + 1)]
    for number, row in enumerate(value, 1):
        if not isinstance(row, list | tuple) or len(row) != width:
            raise Failure(FAILED, f"Row {number} of the result is not a list of {width} values.")
    return _Listed(names, value)


def _is_drawing(value: Any) -> bool:
    """Whether it is what a call that draws gave back: the drawing is a figure, and no table."""
    if isinstance(value, list | tuple | np.ndarray) and len(value):
        return any(_is_drawing(item) for item in list(value)[:3])
    return type(value).__module__.partition(".")[0] in ("matplotlib", "altair")


def _save_figures(shown: list[Any]) -> list[str]:
    """Save what was drawn, in the workspace; the names of the files. Raises Failure."""
    names: list[str] = []
    try:
        pyplot: Any = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums()[:MAX_FIGURES] if pyplot else ():
            names.append(f"figure-{len(names) + 1}.png")
            pyplot.figure(number).savefig(names[-1], bbox_inches="tight")
        charts = {id(value): value for value in shown if type(value).__module__.partition(".")[0] == "altair"}
        for chart in charts.values():
            names.append(f"figure-{len(names) + 1}.vl.json")
            with open(names[-1], "w", encoding="utf-8") as file:
                json.dump(chart.to_dict(), file, allow_nan=False)
    except Exception as error:
        raise Failure(FAILED, f"A figure could not be saved: {type(error).__name__}: {error}") from None
    return names
