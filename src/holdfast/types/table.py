"""What a run over data came to: rows and columns, or what went wrong."""

from typing import Any

from holdfast.types.run import Frozen


class Table(Frozen):
    """Rows and columns. `row_count` counts `rows`, `total_rows` all there are.

    `column_types` are DuckDB's names; with them every value can be told from its JSON (the guide to data has the list).
    """

    columns: list[str]
    column_types: list[str]
    rows: list[list[Any]]
    row_count: int
    total_rows: int
    truncated: bool = False


class DataError(Frozen):
    """Why there is no table. `line` is that of the code or the statement, `hint` what to do about it."""

    type: str
    message: str
    line: int | None = None
    hint: str = ""
