"""Which path of `/sessions` is which function, and what the documentation says about it."""

from collections.abc import Callable
from typing import Any

from holdfast.api import sessions
from holdfast.api.problems import MEDIA_TYPE
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

MODELS = (
    SessionRequest,
    SessionRunRequest,
    Session,
    Sessions,
    SessionFiles,
    SessionRunResult,
    DisplayEvent,
    SessionExitedEvent,
)
EVENTS = ("CompiledEvent", "StartedEvent", "OutputEvent", "DisplayEvent", "SessionExitedEvent")
_REFUSALS = (400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 503, 507)
_JSON, _EVENTS, _BYTES = "application/json", "text/event-stream", "application/octet-stream"
_ONE, _FILE = "/sessions/{session_id}", "/sessions/{session_id}/files/{path:path}"


def _reference(model: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model}"}


_RAW = {"type": "string", "format": "binary"}
_PROBLEM = {"description": "Not done", "content": {MEDIA_TYPE: {"schema": _reference("Problem")}}}


def _documented(
    answer: str | None = None, *, body: str | None = None, media_type: str = _JSON, status: int = 200
) -> dict[str, Any]:
    """A route that answers with a model, with raw bytes or with nothing, and may refuse."""
    schema = _RAW if media_type == _BYTES else _reference(answer or "")
    content = {media_type: {"schema": schema}} if answer else {}
    responses = {str(refusal): _PROBLEM for refusal in _REFUSALS}
    documented: dict[str, Any] = {"responses": {str(status): {"description": "Done", "content": content}, **responses}}
    if body == "bytes":
        documented["requestBody"] = {"required": True, "content": {_BYTES: {"schema": _RAW}}}
    elif body:
        documented["requestBody"] = {"required": True, "content": {_JSON: {"schema": _reference(body)}}}
    return documented


def _with_names(path: str, documented: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("session_id", "path") if f"{{{name}" in path]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {**documented, "parameters": parameters} if parameters else documented


Row = tuple[str, Callable[..., Any], str, dict[str, Any] | None]
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
        _documented("SessionEvent", body="SessionRunRequest", media_type=_EVENTS),
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
