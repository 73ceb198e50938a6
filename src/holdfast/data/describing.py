"""What is told of a dataset: what its files hold, and what their sender or the registry said about them."""

from collections.abc import Sequence
from datetime import datetime

from holdfast.data.registry import Entry
from holdfast.data.store import Record
from holdfast.data.wanted import Source
from holdfast.errors import InvalidFieldError
from holdfast.execution.names import shown
from holdfast.types import (
    Column,
    ColumnSchema,
    Dataset,
    DatasetSchema,
    DatasetSummary,
    DatasetTable,
    FileReport,
    TableSchema,
)


def described(entry: Entry, files: Sequence[Source]) -> tuple[DatasetTable, ...]:
    """The tables of a registry as far as it describes them: their types and rows are found out."""
    return tuple(
        DatasetTable(
            name=source.table,
            description=entry.files[int(source.place)].description,
            columns=tuple(
                Column(name=name, type="", description=column.description)
                for name, column in entry.files[int(source.place)].columns.items()
            ),
            row_count=0,
        )
        for source in files
    )


def dataset_of(wanted: Dataset, reports: Sequence[FileReport], size_bytes: int, created: datetime) -> Dataset:
    """The dataset with what was found in its files. Raises InvalidFieldError for a relationship that is none."""
    said = {table.name: table for table in wanted.tables}
    tables = tuple(_table(report, said.get(report.table)) for report in reports)
    columns = {table.name: {column.name for column in table.columns} for table in tables}
    for number, link in enumerate(wanted.relationships):
        for table, column in ((link.from_table, link.from_column), (link.to_table, link.to_column)):
            if column not in columns.get(table, ()):
                raise InvalidFieldError(
                    f"There is no column {shown(column)} in a table {shown(table)} of this dataset.",
                    field=f"relationships.{number}",
                )
    return wanted.model_copy(update={"tables": tables, "size_bytes": size_bytes, "created": created})


def _table(report: FileReport, said: DatasetTable | None) -> DatasetTable:
    words = {column.name: column.description for column in said.columns} if said else {}
    columns = tuple(column.model_copy(update={"description": words.get(column.name, "")}) for column in report.columns)
    description = said.description if said else ""
    return DatasetTable(name=report.table, columns=columns, row_count=report.rows, description=description)


def summary_of(record: Record) -> DatasetSummary:
    """A line of the list."""
    dataset = record.dataset
    return DatasetSummary(
        id=dataset.id,
        name=dataset.name,
        description=dataset.description,
        prompts=dataset.prompts,
        version_hash=f"sha256:{dataset.digest}",
        row_count=sum(table.row_count for table in dataset.tables),
        size_bytes=dataset.size_bytes,
        created=record.created,
    )


def schema_of(record: Record) -> DatasetSchema:
    """Its tables, as the earlier systems describe them."""
    reports = {report.table: report for report in record.files}
    return DatasetSchema(
        id=record.dataset.id,
        name=record.dataset.name,
        description=record.dataset.description,
        version_hash=f"sha256:{record.dataset.digest}",
        files=tuple(_schema(table, reports[table.name]) for table in record.dataset.tables),
        relationships=record.dataset.relationships,
    )


def _schema(table: DatasetTable, report: FileReport) -> TableSchema:
    return TableSchema(
        name=table.name,
        path=report.file,
        description=table.description,
        row_count=table.row_count,
        columns={
            column.name: ColumnSchema(type=column.type, description=column.description, nullable=column.nullable)
            for column in table.columns
        },
        sample_rows=report.sample_rows,
    )
