"""The nouns of datasets: tables that runs can ask, and what became of the files they were read from."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from holdfast.types.run import FileContent, Frozen


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


class DatasetWish(BaseModel):
    """What a dataset is to be called, and what its files do not say. Without an `id` it gets one that is free.

    With an `id` it takes the place of the caller's dataset that has it. With `skip_rejected`, lines that are no rows of
    their table are left out, where otherwise nothing is registered. With `shared`, every key may use it.
    """

    model_config = ConfigDict(extra="forbid")

    id: str | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=4_000)] = ""
    relationships: Annotated[tuple[Relationship, ...], Field(max_length=200)] = ()
    prompts: Annotated[tuple[Annotated[str, Field(max_length=1_000)], ...], Field(max_length=50)] = ()
    skip_rejected: bool = False
    shared: bool = False


class DatasetRequest(DatasetWish):
    """A dataset to make of these files: text, or bytes as base64. Larger ones are sent as `multipart/form-data`."""

    files: dict[str, FileContent]


class DatasetSummary(Frozen):
    """A dataset, in a list of all. `version_hash` is another when its data are."""

    id: str
    name: str
    description: str
    prompts: tuple[str, ...]
    version_hash: str
    row_count: int
    size_bytes: int
    created: datetime


class Datasets(Frozen):
    """Every dataset the caller may use."""

    datasets: tuple[DatasetSummary, ...]


class ColumnSchema(Frozen):
    """What a column holds."""

    type: str
    description: str
    nullable: bool


class TableSchema(Frozen):
    """A table, with its first rows as text. `path` is the file it was read from."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)

    name: str
    path: str
    description: str
    row_count: int
    columns: dict[str, ColumnSchema] = Field(alias="schema")
    sample_rows: tuple[dict[str, str | None], ...]


class DatasetSchema(Frozen):
    """What is in a dataset."""

    id: str
    name: str
    description: str
    version_hash: str
    files: tuple[TableSchema, ...]
    relationships: tuple[Relationship, ...]


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
    sample_rows: tuple[dict[str, str | None], ...] = ()
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
