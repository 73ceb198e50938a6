"""Ingestion: files in, tables out. A sandbox reads the files, and what it made of them comes out as a stream.

Nothing passes through this process but pieces of bytes on their way to the disk, and a report that is validated.
"""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from anyio.to_thread import run_sync
from pydantic import TypeAdapter, ValidationError

from holdfast.data import program
from holdfast.data.store import DATABASE, Fresh
from holdfast.data.wanted import Source
from holdfast.engines import DATA_AT, RESERVED, Command, Exited, Output, ProcessEvent, SandboxSpec
from holdfast.errors import IngestFailedError, ShuttingDownError
from holdfast.execution import Executor, next_report
from holdfast.languages import DATA_PROFILE
from holdfast.types import FileReport, IngestReport, Limits

_JOB, _REPORT = f"{RESERVED}/job.json", f"{RESERVED}/report.json"
_REPORT_BYTES = 8 << 20
_PIECES_BYTES = 4 << 20
_SAID_BYTES = 2_000
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,120}")
_MOST_TABLES, _MOST_COLUMNS, _MOST_NAME = 500, 5_000, 1_000

_REPORTS = TypeAdapter(tuple[FileReport, ...])


@dataclass
class Ingestion:
    """What is read: the files in a directory, into another that is empty; and what became of it."""

    raw: Fresh
    files: Sequence[Source]
    limits: Limits
    max_bytes: int
    skip_rejected: bool = False
    reports: tuple[FileReport, ...] = field(default=(), init=False)
    size_bytes: int = field(default=0, init=False)


async def ingest(executor: Executor, work: Ingestion, target: Fresh) -> None:
    """Read the files; afterwards `target` holds the database, and `work` the reports.

    Raises IngestFailedError (with a report), EngineError, StorageFullError, QueueFullError, ShuttingDownError.
    """
    began = time.monotonic()
    spec = SandboxSpec("python", work.limits, profile=DATA_PROFILE, data=work.raw.name, once=True)
    fd = target.create(DATABASE)
    try:
        async with (
            executor.admission.place(),
            executor.sandbox(spec) as sandbox,
            sandbox.exec(_command(work)) as process,
        ):
            with executor.killable(process):
                exited = await _receive(aiter(process), work, fd)
        _check_end(executor, exited, work)
        work.reports = _reports(exited.returned.get(_REPORT), work)
        _check(work, time.monotonic() - began)
        await run_sync(os.fsync, fd)
    finally:
        os.close(fd)


def _command(work: Ingestion) -> Command:
    files = [
        {"path": f"{DATA_AT}/{each.place}", "name": each.name, "table": each.table, "format": each.format}
        for each in work.files
    ]
    # What is written counts in the memory as well.
    memory = max(work.limits.memory_bytes - work.limits.disk_bytes, work.limits.memory_bytes // 4)
    job = {"files": files, "skip_rejected": work.skip_rejected, "memory": f"{memory >> 20}MiB"}
    return Command(
        argv=("python", program.MAIN),
        files={**program.files("ingestion"), _JOB: json.dumps(job).encode()},
        wall_seconds=work.limits.wall_seconds,
        returns={_REPORT: _REPORT_BYTES},
    )


async def _receive(events: AsyncIterator[ProcessEvent], work: Ingestion, fd: int) -> Exited:
    """Write what comes out to the disk, and wait for the verdict. Raises IngestFailedError, OSError."""
    pieces = bytearray()
    while True:
        event = await next_report(events, work.limits.wall_seconds)
        if isinstance(event, Output) and event.stream == "stdout":
            pieces += event.data
            work.size_bytes += len(event.data)
            if work.size_bytes > work.max_bytes:
                raise _failed(f"the tables are larger than {work.max_bytes:,} bytes, all the room there is for them")
        if len(pieces) >= _PIECES_BYTES or isinstance(event, Exited):
            await run_sync(_write, fd, bytes(pieces))
            pieces.clear()
        if isinstance(event, Exited):
            return event


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _check_end(executor: Executor, exited: Exited, work: Ingestion) -> None:
    """Raises IngestFailedError unless the program has done its work."""
    more = "; the operator gives ingestion more with HOLDFAST_DATASET_MEMORY"
    if exited.reason == "killed" and executor.admission.draining:
        raise ShuttingDownError("The server is shutting down and has ended the ingestion.")
    if exited.reason in ("wall", "cpu"):
        raise _failed(f"it was not done after {work.limits.wall_seconds:g} s")
    if exited.usage.out_of_memory:
        raise _failed(f"it needs more memory than ingestion may use{more}")
    if exited.exit_code != 0 and exited.disk_full:
        raise _failed(f"the tables need more room than ingestion may use{more}")
    if exited.exit_code != 0:
        # Files can make their reader crash, which is no failure of ours.
        raise _failed("the reader of the files broke off, so one of them is damaged or made to harm")


def _reports(data: bytes | None, work: Ingestion) -> tuple[FileReport, ...]:
    """What the sandbox tells, if it can be true. Raises IngestFailedError."""
    try:
        reports = _REPORTS.validate_json(data or b"")
    except ValidationError:
        raise _failed("what its reader reports makes no sense") from None
    tables = [report.table for report in reports]
    sane = len(set(tables)) == len(tables) <= _MOST_TABLES and {report.file for report in reports} == {
        each.name for each in work.files
    }
    if not sane or not all(map(_is_sane, reports)):
        raise _failed("what its reader reports makes no sense")
    return reports


def _is_sane(report: FileReport) -> bool:
    names = [column.name for column in report.columns]
    return (
        _TABLE.fullmatch(report.table) is not None
        and len({name.casefold() for name in names}) == len(names) <= _MOST_COLUMNS
        and all(0 < len(name) <= _MOST_NAME for name in names)
        and report.rows >= 0
        and (bool(names) or bool(report.error))
    )


def _check(work: Ingestion, seconds: float) -> None:
    """Raises IngestFailedError, with the report, for files that are not tables, or not wholly."""
    faults = [f"{report.file}: {report.error}" for report in work.reports if report.error]
    lines = sum(report.rejected_lines for report in work.reports)
    if not faults and lines and not work.skip_rejected:
        first = next(report for report in work.reports if report.rejected)
        where = f"line {first.rejected[0].line} of {first.file}: {first.rejected[0].reason}"
        which = "one line is no row of its table" if lines == 1 else f"{lines:,} lines are no rows of their tables"
        faults.append(f"{which} ({where}); mend the file, or leave such lines out with skip_rejected")
    if not faults and not work.size_bytes:
        raise _failed("its reader sent nothing")
    if faults:
        report = IngestReport(files=work.reports, error="; ".join(faults)[:_SAID_BYTES], seconds=seconds)
        raise IngestFailedError(f"Nothing was registered: {report.error.rstrip('.')}.", report=report.model_dump())


def _failed(reason: str) -> IngestFailedError:
    return IngestFailedError(f"Nothing was registered: {reason}.", report=IngestReport(error=reason).model_dump())
