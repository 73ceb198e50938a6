"""A capsule in the formats that others read. Parquet is written in a cell, for its types are what a program said."""

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import resources
from typing import Any

from holdfast.engines import Command, SandboxSpec
from holdfast.errors import EngineError, InvalidFieldError
from holdfast.execution import Executor, runs_of
from holdfast.languages import DATA_PROFILE
from holdfast.types import Capsule, RunKind, Table

_PROGRAM = resources.files("holdfast.guest") / "parquet.py"
_TABLE, _PARQUET = ".holdfast/table.json", ".holdfast/table.parquet"
_MOST_PARQUET = 64 << 20
_QUOTED = frozenset(',"\r\n')


class Export(StrEnum):
    """A format."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    IPYNB = "ipynb"
    SQL = "sql"


MEDIA_TYPES = {
    Export.CSV: "text/csv; charset=utf-8",
    Export.PARQUET: "application/vnd.apache.parquet",
    Export.JSON: "application/json",
    Export.IPYNB: "application/x-ipynb+json",
    Export.SQL: "application/sql; charset=utf-8",
}


async def export(executor: Executor, capsule: Capsule, kind: Export) -> bytes:
    """The bytes of the file. Raises InvalidFieldError for what the run does not have, EngineError, QueueFullError."""
    if kind is Export.PARQUET:
        return await _parquet(executor, capsule)
    return _WRITERS[kind](capsule)


def _table(capsule: Capsule) -> Table:
    if capsule.result is None:
        raise InvalidFieldError(
            f"The run has no result to export: it is '{capsule.status}'; 'ipynb' is there for every run.",
            field="format",
        )
    return capsule.result


def _csv(capsule: Capsule) -> bytes:
    table = _table(capsule)
    return "".join(map(_line, [table.columns, *table.rows])).encode()


def _line(values: Iterable[Any]) -> str:
    """What is null is nothing, the empty text is quoted, so that they stay two things."""
    return ",".join(map(_field, values)) + "\r\n"


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text and not _QUOTED.intersection(text) and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _json(capsule: Capsule) -> bytes:
    return _table(capsule).model_dump_json().encode()


def _sql(capsule: Capsule) -> bytes:
    if capsule.compiled_sql is None:
        raise InvalidFieldError("The run is of Python and has no SQL; export it as 'ipynb'.", field="format")
    return f"{_title(capsule)}\n{capsule.compiled_sql.rstrip()}\n".encode()


def _title(capsule: Capsule) -> str:
    about = f"{capsule.run_id} over {capsule.dataset_id} ({capsule.dataset_version_hash}), {capsule.created_at:%F %T}"
    return f"-- {about} UTC: {capsule.status}"


def _notebook(capsule: Capsule) -> bytes:
    """A notebook that does it again, over a copy of the dataset's file, with what came of it here."""
    libraries = ", ".join(f"{name} {version}" for name, version in capsule.libraries.items())
    text = [f"# {capsule.question or capsule.run_id}", ""]
    text += [f"- dataset: `{capsule.dataset_id}` (`{capsule.dataset_version_hash}`)", f"- status: {capsule.status}"]
    text += [f"- run: `{capsule.run_id}`, {capsule.created_at:%F %T} UTC", f"- made with: {libraries}"]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"id": "about", "cell_type": "markdown", "metadata": {}, "source": "\n".join(text)},
            {"id": "data", **_code(_CONNECT), "outputs": []},
            {"id": "run", **_code(_source(capsule)), "outputs": list(_outputs(capsule))},
        ],
    }
    return json.dumps(notebook, indent=1).encode()


_CONNECT = """\
import duckdb
import numpy as np
import pandas as pd

connection = duckdb.connect("data.duckdb", read_only=True)  # the file of the dataset
dfs = {name: connection.table(f'"{name}"').df() for (name,) in connection.sql("SHOW TABLES").fetchall()}
globals().update(dfs)"""


def _source(capsule: Capsule) -> str:
    if capsule.query_mode == "python":
        return capsule.python_code or ""
    return f"connection.sql({json.dumps(capsule.compiled_sql)}).df()"


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "source": source}


def _outputs(capsule: Capsule) -> Iterable[dict[str, Any]]:
    if capsule.stdout:
        yield {"output_type": "stream", "name": "stdout", "text": capsule.stdout}
    if capsule.result is not None:
        text = "\n".join("\t".join(map(_plain, row)) for row in [capsule.result.columns, *capsule.result.rows])
        yield {
            "output_type": "execute_result",
            "execution_count": None,
            "metadata": {},
            "data": {"text/plain": text},
        }
    for figure in capsule.figures:
        if figure.path.endswith(".png"):
            yield {"output_type": "display_data", "metadata": {}, "data": {"image/png": figure.base64}}
    if capsule.error is not None:
        error = capsule.error
        yield {"output_type": "error", "ename": error.code, "evalue": error.message, "traceback": [error.message]}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _parquet(executor: Executor, capsule: Capsule) -> bytes:
    """Raises InvalidFieldError, EngineError, QueueFullError, ShuttingDownError."""
    table = _table(capsule)
    if not table.columns:
        raise InvalidFieldError("The result has no columns, which Parquet needs; export it as 'json'.", field="format")
    limits = executor.bounds.defaults
    command = Command(
        argv=("python", "main.py"),
        files={"main.py": _PROGRAM.read_bytes(), _TABLE: table.model_dump_json().encode()},
        wall_seconds=limits.wall_seconds,
        returns={_PARQUET: _MOST_PARQUET},
    )
    with runs_of(RunKind.DATA):
        run = await executor.perform(SandboxSpec("python", limits, profile=DATA_PROFILE), command)
    if _PARQUET not in run.returned:
        raise EngineError("The Parquet file was not made; try again, or export another format.")
    return run.returned[_PARQUET]


_WRITERS: dict[Export, Callable[[Capsule], bytes]] = {
    Export.CSV: _csv,
    Export.JSON: _json,
    Export.IPYNB: _notebook,
    Export.SQL: _sql,
}
