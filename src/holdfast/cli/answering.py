"""The stdin programs on a host: the request is run in a cell, with the files of the request and nothing else."""

import base64
import sys
from pathlib import Path
from typing import Literal

from holdfast.app import open_app
from holdfast.cli import in_loop
from holdfast.data.query import DataAnswer, DataQuery, data_limits, execute
from holdfast.errors import HoldfastError
from holdfast.guest.data import protocol
from holdfast.guest.data.protocol import Refusal, RunnerRequest
from holdfast.settings import Settings, load_settings
from holdfast.telemetry import configure_logging
from holdfast.types import RunResult, words_of_program

START_SECONDS = 20.0
"""What a cell may take to load pandas, which here nobody has done in advance; it is not the program's time."""

NOT_SUCCESSFUL = 1


def answer(kind: Literal["sql", "python"], data_dir: Path | None, config: Path | None) -> int:
    """Answer the request on stdin, whatever it is, with one line; the exit code is 0 for success alone."""
    try:
        settings = load_settings(config=config)
        configure_logging("warning", settings.log_format)
        line, succeeded = _answer(kind, settings, data_dir)
    except Refusal as refusal:
        line, succeeded = protocol.response(status="error", error=refusal.error), False
    except HoldfastError as error:
        said = {"type": protocol.INTERNAL, "message": error.detail}
        line, succeeded = protocol.response(status="error", error=said), False
    print(line, flush=True)
    return 0 if succeeded else NOT_SUCCESSFUL


def _answer(kind: Literal["sql", "python"], settings: Settings, data_dir: Path | None) -> tuple[str, bool]:
    root = data_dir or settings.datasets_dir or Path(protocol.IMAGE_ROOT)
    request = protocol.parse(sys.stdin.buffer.read(protocol.MAX_REQUEST_BYTES + 1), kind, str(root))
    if kind == "python" and not settings.enable_python_execution:
        raise Refusal(protocol.DENIED, protocol.DISABLED)
    found = in_loop(_run(kind, settings, request))
    told = _told(found)
    status = words_of_program(found.status).answer
    return protocol.response(
        told,
        status=str(status),
        streams=(found.run.stdout, found.run.stderr) if kind == "python" else ("", found.run.stderr),
        isolation=_isolation(found.run),
        artifacts=_figures(found),
    ), status == "success"


async def _run(kind: Literal["sql", "python"], settings: Settings, request: RunnerRequest) -> DataAnswer:
    without_stock = settings.model_copy(update={"pool_size": 0})
    async with open_app(without_stock, ["python"]) as app:
        limits = data_limits(app.executor.bounds, app.executor.engine.capabilities, float(request.timeout_seconds))
        query = DataQuery(
            kind=kind,
            code=request.code,
            limits=limits,
            files=_files(request, limits.disk_bytes),
            max_rows=request.max_rows,
            max_output_bytes=request.max_output_bytes,
            start_seconds=START_SECONDS,
        )
        return await execute(app.executor, query)


def _files(request: RunnerRequest, room: int) -> dict[str, tuple[str, bytes]]:
    """Name and content by table; nobody but this command waits meanwhile. Raises Refusal."""
    files = {table: Path(path) for table, path in request.files.items()}
    if sum(path.stat().st_size for path in files.values()) > room * 9 // 10:
        raise Refusal(
            protocol.INVALID,
            f"The files are together larger than a run can hold ({room * 9 // 10 >> 20} MiB); make a dataset of them "
            "with 'holdfast datasets add', which is read once.",
        )
    return {table: (f"{table}{path.suffix}", path.read_bytes()) for table, path in files.items()}


def _told(found: DataAnswer) -> dict[str, object]:
    table = found.table.model_dump() if found.table else {}
    error = found.error.model_dump() if found.error else None
    return {**table, "error": error, "exec_ms": found.exec_ms or found.run.timings.run_ms, "notes": found.notes}


def _figures(found: DataAnswer) -> list[tuple[str, bytes]]:
    drawn = [artifact for artifact in found.run.artifacts if artifact.path in found.figures]
    return [(artifact.path, base64.b64decode(artifact.base64)) for artifact in drawn]


def _isolation(run: RunResult) -> dict[str, object]:
    return run.isolation.model_dump(mode="json")
