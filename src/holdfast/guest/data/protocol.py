"""The stdin programs: one request as JSON in, one line of JSON out.

Used on the host, where a request is run in a cell, and in the runner image, where the container is the wall.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

MAX_REQUEST_BYTES = 16 << 20
MAX_STREAM_CHARACTERS = 65_536
MAX_FILES = 1_000
MAX_FIGURE_BYTES = 8 << 20
"""All figures of one run together."""

IMAGE_ROOT = "/data"
"""Where the files are in the runner image, and how requests may call the root anywhere."""

INVALID = "VALIDATION_ERROR"
INTERNAL = "RUNNER_INTERNAL_ERROR"
TIMED_OUT = "RUNNER_TIMEOUT"
DENIED = "PYTHON_POLICY_VIOLATION"
DISABLED = "Python execution is turned off; set ENABLE_PYTHON_EXECUTION=true to allow it."
FAILED = {"sql": "SQL_EXECUTION_ERROR", "python": "PYTHON_EXECUTION_ERROR"}
_WHAT = {"sql": "Query", "python": "Python execution"}
_CODE = {"sql": "sql", "python": "python_code"}
_NOTHING = {"sql": "INVALID_INPUT", "python": INVALID}
_NOT_JSON = {"sql": "INVALID_JSON", "python": INVALID}
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RANGES = {"timeout_seconds": (10, 1, 60), "max_rows": (200, 1, 1000), "max_output_bytes": (65_536, 1024, 1_000_000)}
"""Default, least and most."""


class Refusal(Exception):
    """A request that cannot be run: the type and the sentence of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.error = {"type": kind, "message": message}


@dataclass(frozen=True)
class RunnerRequest:
    """What is to be run. `files` are real paths by table."""

    kind: str
    code: str
    files: Mapping[str, str]
    timeout_seconds: int
    max_rows: int
    max_output_bytes: int


def parse(text: bytes, kind: str, root: str) -> RunnerRequest:
    """The request that stdin held, for the program of this kind. Raises Refusal."""
    if len(text) > MAX_REQUEST_BYTES:
        raise Refusal(_NOTHING[kind], f"The request is larger than {MAX_REQUEST_BYTES:,} bytes.")
    if not text.strip():
        raise Refusal(_NOTHING[kind], "No input received on stdin; send one RunnerRequest as JSON.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(_NOT_JSON[kind], f"Invalid JSON on stdin: {str(error)[:200] or 'too deeply nested'}") from None
    if not isinstance(body, dict):
        raise Refusal(INTERNAL, f"The request must be a JSON object, and is a {type(body).__name__}.")
    asked = body.get("query_type")
    if asked is not None and asked != kind:
        raise Refusal(INVALID, f"query_type must be '{kind}' for this program, and is {json.dumps(asked)[:40]}.")
    code = body.get(_CODE[kind])
    if not isinstance(code, str) or not code.strip():
        raise Refusal(INVALID, f"{_CODE[kind]} must be a non-empty string")
    files = _files(body.get("files"), root)
    numbers = {name: _number(body, name) for name in _RANGES}
    return RunnerRequest(kind, code, {table: _real(path, root) for table, path in files.items()}, **numbers)


def _number(body: Mapping[str, Any], name: str) -> int:
    default, least, most = _RANGES[name]
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or not least <= value <= most:
        raise Refusal(INVALID, f"{name} must be an integer between {least} and {most}")
    return value


def _files(given: Any, root: str) -> dict[str, str]:
    """Paths by table, each as it was written."""
    if not isinstance(given, list) or not given:
        raise Refusal(INVALID, "files must contain at least one file")
    if len(given) > MAX_FILES:
        raise Refusal(INVALID, f"files must not contain more than {MAX_FILES} files")
    files: dict[str, str] = {}
    for file in given:
        name, path = (file.get("name"), file.get("path")) if isinstance(file, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(path, str):
            raise Refusal(INVALID, "Each of files must have a 'name' and a 'path'.")
        table = os.path.splitext(name.replace("\\", "/").rpartition("/")[2])[0]
        if not _TABLE.fullmatch(table):
            raise Refusal(INVALID, f"Invalid table name: '{table[:80]}' (from file '{name[:80]}')")
        if table in files:
            raise Refusal(INVALID, f"Duplicate table name: '{table}'; two files have it.")
        if not path.startswith("/"):
            raise Refusal(INVALID, f"File path must be absolute: '{path[:200]}'")
        files[table] = path
    return files


def _real(path: str, root: str) -> str:
    """The file behind a path below the root, whatever links there are. Raises Refusal."""
    base = os.path.realpath(root)
    inside = path[len(IMAGE_ROOT) :] if path.startswith(f"{IMAGE_ROOT}/") else None
    try:
        real = os.path.realpath(base + inside if inside is not None else path)
        if os.path.commonpath((base, real)) != base:
            shown = IMAGE_ROOT if base == IMAGE_ROOT else f"{IMAGE_ROOT} ({base})"
            raise Refusal(INVALID, f"File path must be under {shown}: '{path[:200]}'")
        if not stat.S_ISREG(os.stat(real).st_mode):
            raise Refusal(INVALID, f"File is not a regular file: '{path[:200]}'")
    except (OSError, ValueError):
        raise Refusal(INVALID, f"File not found: '{path[:200]}'") from None
    return real


def timed_out(kind: str, seconds: float) -> dict[str, str]:
    """The error of a run that took too long."""
    return {"type": TIMED_OUT, "message": f"{_WHAT[kind]} exceeded timeout of {seconds:g} seconds"}


def response(
    answer: Mapping[str, Any] | None = None,
    *,
    status: str = "",
    error: Mapping[str, Any] | None = None,
    streams: tuple[str, str] = ("", ""),
    isolation: Mapping[str, Any] | None = None,
    artifacts: Sequence[tuple[str, bytes]] = (),
) -> str:
    """One RunnerResponse, as one line. Without a `status` it is what the answer says. `artifacts` are files by name."""
    answer = answer or {}
    error = error or answer.get("error")
    notes = "\n".join([*answer.get("notes", ()), streams[1]]).strip("\n")
    body = {
        "status": status or ("error" if error else "success"),
        "columns": answer.get("columns", []),
        "rows": answer.get("rows", []),
        "row_count": answer.get("row_count", 0),
        "exec_time_ms": round(answer.get("exec_ms", 0)),
        "stdout_trunc": streams[0][:MAX_STREAM_CHARACTERS],
        "stderr_trunc": notes[:MAX_STREAM_CHARACTERS],
        "error": error and {name: value for name, value in error.items() if value not in (None, "")},
        "column_types": answer.get("column_types", []),
        "total_rows": answer.get("total_rows", 0),
        "truncated": answer.get("truncated", False),
        "isolation": isolation,
        "artifacts": [
            {"path": path, "size_bytes": len(content), "base64": base64.b64encode(content).decode()}
            for path, content in artifacts
        ],
    }
    return json.dumps(body, allow_nan=False)
