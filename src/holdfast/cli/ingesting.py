"""What `holdfast datasets` does."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from anyio.to_thread import run_sync
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from holdfast.app import dataset_store, no_server, open_app
from holdfast.data import demo
from holdfast.data.registry import REGISTRY
from holdfast.data.upload import Upload
from holdfast.data.wanted import checked_id
from holdfast.errors import ForbiddenError, IngestFailedError, NotFoundError
from holdfast.execution.names import shown
from holdfast.settings import Settings
from holdfast.telemetry import configure_logging
from holdfast.types import OPERATOR, Datasets, DatasetSchema, DatasetWish, FileReport, IngestReport

FAILED = 1


async def add(settings: Settings, files: Sequence[Path], wish: DatasetWish, *, as_json: bool) -> int:
    """Make a dataset and say how its files were read; 1 when they are not tables."""
    configure_logging("warning", settings.log_format)
    async with open_app(_alone(settings), {"python"}) as app:
        try:
            async with app.datasets.receiving() as upload:
                await run_sync(_copy_all, upload, files)
                report = await app.datasets.add(upload, wish, OPERATOR)
        except IngestFailedError as error:
            _tell(IngestReport.model_validate(error.report), as_json=as_json)
            print(f"holdfast: {error}", file=sys.stderr)
            return FAILED
    _tell(report, as_json=as_json)
    return 0


def _copy_all(upload: Upload, files: Sequence[Path]) -> None:
    for path in files:
        try:
            upload.copy(path)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise typer.BadParameter(f"'{path}' cannot be read: {error.strerror}", param_hint="FILES") from None


async def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print all of them."""
    configure_logging("warning", settings.log_format)
    async with open_app(_alone(settings), {"python"}) as app:
        found: Datasets = await app.datasets.list(OPERATOR)
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    table = Table("id", "name", "rows", "size", "made")
    for each in found.datasets:
        size, made = f"{each.size_bytes / (1 << 20):.1f} MiB", f"{each.created:%Y-%m-%d}"
        table.add_row(each.id, escape(each.name), f"{each.row_count:,}", size, made)
    Console().print(table)


async def show(settings: Settings, dataset: str, *, as_json: bool) -> None:
    """Print the tables of one. Raises NotFoundError."""
    configure_logging("warning", settings.log_format)
    async with open_app(_alone(settings), {"python"}) as app:
        found: DatasetSchema = await app.datasets.schema(dataset, OPERATOR)
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    for each in found.files:
        table = Table("column", "type", "empty values", "what it holds", title=f"{each.name} ({each.row_count:,} rows)")
        for name, column in each.columns.items():
            table.add_row(
                escape(name), escape(column.type), "yes" if column.nullable else "", escape(column.description)
            )
        Console().print(table)


def remove(settings: Settings, dataset: str) -> None:
    """Forget one; a server that runs removes its file, and without one it is removed here. Raises NotFoundError."""
    store = dataset_store(settings)
    record = store.get(checked_id(dataset))
    if record is None:
        raise NotFoundError(f"There is no dataset {shown(dataset)}.", field="id")
    if record.source:
        raise ForbiddenError("A dataset of the registry goes when the registry does not name it any more.")
    store.remove(dataset)
    if no_server(settings):
        with store.alone():
            store.sweep(store.unnamed())
    print(f"The dataset '{dataset}' is removed; its file goes when no run uses it.")


def write_demo(folder: Path) -> None:
    """The demo datasets as files."""
    for dataset in ("ecommerce", "support", "sensors"):
        for name, data in demo.files(dataset).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / REGISTRY).write_text(demo.registry(), "utf-8")
    print(f"Written; use it with: HOLDFAST_DATASETS_DIR={folder}")


def _alone(settings: Settings) -> Settings:
    return settings.model_copy(update={"pool_size": 0})


def _tell(report: IngestReport, *, as_json: bool) -> None:
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    console = Console(stderr=report.dataset is None)
    for each in report.files:
        _tell_file(console, each)
    if report.dataset is not None:
        size = f"{report.dataset.size_bytes / (1 << 20):.1f} MiB"
        console.print(f"Ready: '{report.dataset.id}' ({size}, {report.seconds:.1f} s)", highlight=False)


def _tell_file(console: Console, report: FileReport) -> None:
    how = ", ".join(filter(None, (report.format, report.encoding, f"{report.rows:,} rows")))
    columns = ", ".join(f"{column.name} {column.type}" for column in report.columns)
    lines = [f"{report.file} -> {report.table} ({how})", f"  {columns}" if columns else ""]
    lines += [f"  {conflict.column}: {conflict.note}" for conflict in report.conflicts]
    lines += [f"  line {line.line}: {line.reason}: {line.text.strip()[:60]}" for line in report.rejected[:10]]
    lines += [f"  lines that are no rows: {report.rejected_lines:,}"] if report.rejected_lines else []
    lines += [f"  {note}" for note in (*report.notes, report.error) if note]
    # What files hold may be meant for the terminal.
    printable = ["".join(each if each.isprintable() else "?" for each in line) for line in lines if line]
    console.print("\n".join(printable), highlight=False, markup=False, soft_wrap=True)
