"""Which path of `/sessions` is which function, and what the documentation says about it."""

from collections.abc import Callable
from typing import Any

from holdfast.api import sessions
from holdfast.api.documentation import EVENTS, JSON, RUNNING, Row, documented, in_path
from holdfast.types import (
    DisplayEvent,
    Session,
    SessionExitedEvent,
    SessionFiles,
    SessionRequest,
    SessionRunRequest,
    SessionRunResult,
    Sessions,
)

ASKED = (SessionRequest, SessionRunRequest)
ANSWERED = (Session, Sessions, SessionFiles, SessionRunResult, DisplayEvent, SessionExitedEvent)
EVENTS_OF_A_RUN = ("CompiledEvent", "StartedEvent", "OutputEvent", "DisplayEvent", "SessionExitedEvent")
_REFUSALS = (*RUNNING, 409, 410)
_BYTES = "application/octet-stream"
_ONE, _FILE = "/sessions/{session_id}", "/sessions/{session_id}/files/{path:path}"
_RAW = {_BYTES: {"schema": {"type": "string", "format": "binary"}}}


def _documented(*answers: str, body: str | None = None, media_type: str = JSON, status: int = 200) -> dict[str, Any]:
    """A route that answers with a model, with raw bytes or with nothing, and may refuse."""
    models = answers if answers != ("bytes",) else ()
    json_body = body if body != "bytes" else None
    row = documented(*models, media_type=media_type, status=status, refusals=_REFUSALS, body=json_body)
    if body == "bytes":
        row["requestBody"] = {"required": True, "content": _RAW}
    if media_type == _BYTES:
        row["responses"][str(status)]["content"] = _RAW
    return row


def _with_names(path: str, row: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("session_id", "path") if f"{{{name}" in path]
    return {**row, "parameters": [in_path(name) for name in names]} if names else row


"""Path, function, method, and what the documentation says."""

_ROWS: tuple[tuple[str, Callable[..., Any], str, dict[str, Any]], ...] = (
    ("/sessions", sessions.create, "POST", _documented("Session", body="SessionRequest", status=201)),
    ("/sessions", sessions.show_all, "GET", _documented("Sessions")),
    (_ONE, sessions.show, "GET", _documented("Session")),
    (_ONE, sessions.delete, "DELETE", _documented(status=204)),
    (f"{_ONE}/run", sessions.run, "POST", _documented("SessionRunResult", body="SessionRunRequest")),
    (
        f"{_ONE}/run/stream",
        sessions.run_stream,
        "POST",
        _documented(*EVENTS_OF_A_RUN, body="SessionRunRequest", media_type=EVENTS),
    ),
    (f"{_ONE}/interrupt", sessions.interrupt, "POST", _documented("Session")),
    (f"{_ONE}/files", sessions.files, "GET", _documented("SessionFiles")),
    (_FILE, sessions.get_file, "GET", _documented("bytes", media_type=_BYTES)),
    (_FILE, sessions.put_file, "PUT", _documented(body="bytes", status=204)),
    (_FILE, sessions.delete_file, "DELETE", _documented(status=204)),
)
ROUTES: tuple[Row, ...] = tuple(
    (path, endpoint, method, _with_names(path, row)) for path, endpoint, method, row in _ROWS
)
