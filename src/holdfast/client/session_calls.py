"""The exchanges about sessions; see `calls`."""

from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from holdfast.client.calls import Call, read_as
from holdfast.client.requests import body_of, valid
from holdfast.types import (
    Session,
    SessionEvent,
    SessionFiles,
    SessionRequest,
    SessionRunRequest,
    SessionRunResult,
    Sessions,
)

BYTES = "application/octet-stream"
_EVENTS: TypeAdapter[SessionEvent] = TypeAdapter(SessionEvent)


def create(**fields: Any) -> Call[Session]:
    """Make a session; `fields` are those of SessionRequest."""
    return Call("POST", "/sessions", read_as(Session), body_of(valid(SessionRequest, fields)))


def sessions() -> Call[Sessions]:
    """The sessions of this key, also lost ones."""
    return Call("GET", "/sessions", read_as(Sessions))


def info(session_id: str) -> Call[Session]:
    """What the session is: idle, busy, or lost and why."""
    return Call("GET", _path(session_id), read_as(Session))


def delete(session_id: str) -> Call[None]:
    """End the session and forget it."""
    return Call("DELETE", _path(session_id), _nothing)


def run(session_id: str, code: str, *, timeout: float | None = None) -> Call[SessionRunResult]:
    """Run code among what earlier runs left. What it does is a result: see `SessionRunResult.check()`."""
    body = _code(code, timeout)
    return Call("POST", _path(session_id, "run"), read_as(SessionRunResult), body)


def stream(session_id: str, code: str, *, timeout: float | None = None) -> Call[SessionEvent]:
    """Run code and see what it does as it does it."""
    return Call("POST", _path(session_id, "run", "stream"), _event, _code(code, timeout))


def interrupt(session_id: str) -> Call[Session]:
    """Interrupt what the session runs; it keeps its state."""
    return Call("POST", _path(session_id, "interrupt"), read_as(Session))


def files(session_id: str) -> Call[SessionFiles]:
    """The files of the session, also of a lost one."""
    return Call("GET", _path(session_id, "files"), read_as(SessionFiles))


def read(session_id: str, path: str) -> Call[bytes]:
    """The bytes of a file of the session, also of a lost one."""
    return Call("GET", _path(session_id, "files", path), bytes)


def write(session_id: str, path: str, content: bytes | str) -> Call[None]:
    """Place a file in the session, also while code runs."""
    data = content.encode() if isinstance(content, str) else content
    return Call("PUT", _path(session_id, "files", path), _nothing, data, BYTES)


def remove(session_id: str, path: str) -> Call[None]:
    """Remove a file of the session."""
    return Call("DELETE", _path(session_id, "files", path), _nothing)


def _path(session_id: str, *parts: str) -> str:
    names = [session_id, *(name for part in parts for name in part.split("/"))]
    return "/".join(["/sessions", *map(_quoted, names)])


def _quoted(name: str) -> str:
    # '..' would be taken away on the way, together with what is before it; the server is to see it and refuse it.
    return name.replace(".", "%2e") if name in (".", "..") else quote(name, safe="")


def _code(code: str, timeout: float | None) -> bytes:
    return body_of(valid(SessionRunRequest, {"code": code, "timeout": timeout}))


def _event(content: bytes) -> SessionEvent:
    return _EVENTS.validate_json(content, extra="ignore")


def _nothing(_: bytes) -> None:
    return None
