"""SQL and Python over data, each in a fresh cell, and the answer that comes back from there.

The answer is written by a program nobody trusts: it is believed about what the program came to, once it has the shape
and the size that an answer has, and about nothing else.
"""

import json
import math
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from holdfast.data import program
from holdfast.engines import Command, SandboxSpec
from holdfast.execution import Bounds, Executor
from holdfast.guest.data.answer import ANSWER
from holdfast.guest.data.checked import ROOM_BESIDE_THE_TABLE, checked
from holdfast.guest.data.main import DATABASE, JOB
from holdfast.guest.data.protocol import FAILED, MAX_FIGURE_BYTES, timed_out
from holdfast.languages import DATA_PROFILE, SQL_PROFILE
from holdfast.types import Capabilities, DataError, Limits, RunResult, Status, Table

TIMEOUT_SECONDS = 10.0
MEMORY_BYTES = 512 << 20
CPUS = 0.5
PROCESSES = 64
MAX_ROWS = 200
MAX_OUTPUT_BYTES = 65_536
_AT_ONCE = 64 << 10
"""Longer answers are read beside the event loop."""

_ALARM = 128 + signal.SIGALRM
_FIGURES = ("*.png", "*.svg", "*.vl.json")


@dataclass(frozen=True, slots=True)
class DataQuery:
    """What to run: over a dataset, by its digest, or over files, which are placed in the workspace by their tables.

    With `start_seconds` its time begins when it is loaded; a program that undoes this has so many seconds more.
    """

    kind: Literal["sql", "python"]
    code: str
    limits: Limits
    parameters: Sequence[Any] = ()
    dataset: str = ""
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    max_rows: int = MAX_ROWS
    max_output_bytes: int = MAX_OUTPUT_BYTES
    start_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """What became of it. `run` is the run as any other: its output, usage, isolation and artifacts."""

    status: Status
    run: RunResult
    table: Table | None = None
    error: DataError | None = None
    exec_ms: float = 0.0
    notes: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


def data_limits(bounds: Bounds, capabilities: Capabilities, wall_seconds: float = TIMEOUT_SECONDS) -> Limits:
    """What a run over data gets, as far as this server's ceilings and this host allow it."""
    ceilings, enforced = bounds.ceilings, capabilities.limits
    memory = min(MEMORY_BYTES, ceilings.memory_bytes) if "memory_bytes" in enforced else bounds.defaults.memory_bytes
    return bounds.defaults.model_copy(
        update={
            "wall_seconds": min(wall_seconds, ceilings.wall_seconds),
            "memory_bytes": memory,
            "disk_bytes": min(bounds.defaults.disk_bytes, memory * 3 // 4),
            "processes": min(PROCESSES, ceilings.processes),
            "cpus": min(CPUS, ceilings.cpus or CPUS) if "cpus" in enforced else bounds.defaults.cpus,
        }
    )


async def execute(executor: Executor, query: DataQuery) -> DataAnswer:
    """Run it in a cell that sees the one dataset, or the files, and nothing else.

    Raises what `Executor.run` raises, NotFoundError for a dataset that is gone; whatever the query does is an answer.
    """
    profile = SQL_PROFILE if query.kind == "sql" else DATA_PROFILE
    spec = SandboxSpec("python", query.limits, profile=profile, data=query.dataset)
    run = await executor.perform(spec, command(query))
    assert run.result is not None
    text = run.returned.get(ANSWER)
    if text is None or run.result.status not in (Status.SUCCEEDED, Status.FAILED):
        return _unanswered(query, run.result)
    if len(text) > _AT_ONCE:
        return await anyio.to_thread.run_sync(_read, query, run.result, text)
    return _read(query, run.result, text)


def command(query: DataQuery) -> Command:
    """The command that does it."""
    files = {f"data/{name}": content for name, content in query.files.values()}
    job = {
        "kind": query.kind,
        "code": query.code,
        "parameters": list(query.parameters),
        "database": DATABASE if query.dataset else None,
        "files": {table: f"data/{name}" for table, (name, _) in query.files.items()},
        "max_rows": query.max_rows,
        "max_output_bytes": query.max_output_bytes,
        # What DuckDB holds itself to, so that most queries that need more are told so instead of ended.
        "memory_mib": query.limits.memory_bytes * 7 // 10 >> 20,
        "seconds": query.limits.wall_seconds if query.start_seconds else None,
        "threads": max(1, math.ceil(query.limits.cpus or 1)),
    }
    return Command(
        argv=("python", program.MAIN),
        files={**program.files(query.kind), JOB: json.dumps(job).encode(), **files},
        wall_seconds=query.limits.wall_seconds + query.start_seconds,
        artifacts=_FIGURES if query.kind == "python" else (),
        artifact_bytes=MAX_FIGURE_BYTES,
        returns={ANSWER: query.max_output_bytes + ROOM_BESIDE_THE_TABLE},
    )


def _read(query: DataQuery, run: RunResult, text: bytes) -> DataAnswer:
    try:
        said = checked(text, kind=query.kind, max_rows=query.max_rows)
    except ValueError as error:
        return _failed(query, run, f"The program left an answer that is none: {error}.")
    failed = said["error"] is not None
    kept = {artifact.path for artifact in run.artifacts}
    return DataAnswer(
        status=Status.FAILED if failed else Status.SUCCEEDED,
        run=run,
        table=None if failed else Table(**{name: said[name] for name in Table.model_fields}),
        error=DataError(**said["error"]) if failed else None,
        exec_ms=said["exec_ms"],
        notes=tuple(said["notes"]),
        figures=tuple(name for name in said["figures"] if name in kept),
    )


def _unanswered(query: DataQuery, run: RunResult) -> DataAnswer:
    """Why the program could leave no answer."""
    if run.status is Status.TIMED_OUT or (query.start_seconds and run.exit_code == _ALARM):
        return DataAnswer(Status.TIMED_OUT, run, error=DataError(**timed_out(query.kind, run.limits.wall_seconds)))
    sentences = {
        Status.OUT_OF_MEMORY: f"It needed more memory than its limit of {run.limits.memory_bytes >> 20} MiB.",
        Status.DISK_LIMIT: "It wrote more files than it may.",
        Status.OUTPUT_LIMIT: "It was ended because it printed far more than is kept.",
        Status.CANCELLED: "It was ended before it was done.",
    }
    return _failed(query, run, sentences.get(run.status, f"It ended with exit code {run.exit_code} and no answer."))


def _failed(query: DataQuery, run: RunResult, sentence: str) -> DataAnswer:
    status = Status.FAILED if run.status is Status.SUCCEEDED else run.status
    return DataAnswer(status, run, error=DataError(type=FAILED[query.kind], message=sentence))
