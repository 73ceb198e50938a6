"""The nouns of datasets: tables that runs can ask, and what became of the files they were read from."""

from datetime import datetime
from typing import Literal

from holdfast.types.run import Frozen


class Column(Frozen):
    """A column of a table. `type` is what DuckDB calls it."""

    name: str
    type: str
    nullable: bool = True
    description: str = ""


class DatasetTable(Frozen):
    """A table of a dataset."""

    name: str
    columns: tuple[Column, ...]
    row_count: int
    description: str = ""


class Relationship(Frozen):
    """Values of one column are values of another, so that their tables can be joined."""

    from_table: str
    from_column: str
    to_table: str
    to_column: str


class Dataset(Frozen):
    """Tables that belong together. `digest` names what is in them; the same files always have the same."""

    id: str
    name: str
    description: str = ""
    digest: str
    tables: tuple[DatasetTable, ...]
    relationships: tuple[Relationship, ...] = ()
    prompts: tuple[str, ...] = ()
    size_bytes: int = 0
    created: datetime | None = None


class Datasets(Frozen):
    """Every dataset the caller may use."""

    datasets: tuple[Dataset, ...]


class DatasetDeleted(Frozen):
    """A dataset is no more; its file goes when no run uses it."""

    status: Literal["deleted"] = "deleted"
    id: str


class RejectedLine(Frozen):
    """A line that is no row of its table; `line` counts from 1, as an editor does."""

    line: int
    column: str = ""
    reason: str
    text: str = ""


class TypeConflict(Frozen):
    """A column whose values do not agree on a type, and the type it was given."""

    column: str
    type: str
    note: str


class FileReport(Frozen):
    """How one file was read. `rejected` are the first of the `rejected_lines` lines."""

    file: str
    table: str
    format: str
    encoding: str = ""
    delimiter: str = ""
    rows: int = 0
    columns: tuple[Column, ...] = ()
    conflicts: tuple[TypeConflict, ...] = ()
    rejected: tuple[RejectedLine, ...] = ()
    rejected_lines: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""


class IngestReport(Frozen):
    """What became of the files of a dataset. Without `dataset` nothing was registered, and `error` says why."""

    dataset: Dataset | None = None
    files: tuple[FileReport, ...] = ()
    error: str = ""
    seconds: float = 0.0
