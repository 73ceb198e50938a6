"""Rows and columns, as an answer has them."""

from typing import Any

from holdfast.types.run import Frozen


class Table(Frozen):
    """What a run over data came to. `row_count` counts `rows`, `total_rows` all there are."""

    columns: list[str]
    column_types: list[str]
    rows: list[list[Any]]
    row_count: int
    total_rows: int
    truncated: bool = False
