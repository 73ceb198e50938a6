"""What `holdfast task` reads and prints."""

import base64
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

from holdfast.agents.workflow.document import load_document
from holdfast.client import Client
from holdfast.errors import InvalidFieldError, MalformedRequestError
from holdfast.settings.runner import of_environment
from holdfast.types import (
    AnyTaskEvent,
    ApprovalEvent,
    ArtifactEvent,
    DoneEvent,
    ErrorEvent,
    LogEvent,
    StatusEvent,
    StepEndEvent,
    StepStartEvent,
    TaskStatus,
    TokenEvent,
    ToolEndEvent,
    ToolStartEvent,
)

MAX_TASK_BYTES = 16 << 20


def body(file: str, workspace: Path | None, secrets: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /tasks`. Raises MalformedRequestError, InvalidFieldError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        task = load_document(text, most_bytes=MAX_TASK_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise MalformedRequestError(f"{file} cannot be read: {reason}.") from None
    given = {name: value for name, value in options.items() if value is not None}
    if secrets:
        named = task.get("secrets") or {}
        if not isinstance(named, dict):
            raise InvalidFieldError("secrets: write names and values, such as {TOKEN: abc}.", field="secrets")
        given["secrets"] = {**named, **dict(map(_secret, secrets))}
    if workspace is not None:
        given["workspace"] = {"archive": {"base64": base64.b64encode(_packed(workspace)).decode()}}
    return {**task, **given}


def _secret(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    found = value if equals else of_environment(name)
    if found is None:
        raise InvalidFieldError(f"The secret {name} is not in the environment; write {name}=VALUE.", field="secrets")
    return name, found


def _packed(place: Path) -> bytes:
    """The files of a folder as a tar; a file is an archive already. Raises InvalidFieldError."""
    if place.is_file():
        return place.read_bytes()
    if not place.is_dir():
        raise InvalidFieldError(f"{place} is neither a folder nor an archive.", field="workspace")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(place, arcname=".")
    return packed.getvalue()


def watch(client: Client, task_id: str, *, after: int = 0, as_json: bool = False, cancel: bool = False) -> int:
    """Print events as they come; the exit code. With `cancel`, Ctrl-C ends the task, and the rest is still told."""
    printer = _Printer(as_json)
    if not as_json:
        print(f"task {task_id}", file=sys.stderr)
    try:
        for event in client.follow_task(task_id, after):
            printer.show(event)
    except KeyboardInterrupt:
        if not cancel:
            raise
        client.cancel_task(task_id)
        for event in client.follow_task(task_id, printer.seq):
            printer.show(event)
    if printer.last is None:
        # All there was had been seen before.
        return 0 if client.task(task_id).status is TaskStatus.SUCCEEDED else 1
    return 0 if isinstance(printer.last, DoneEvent) else 1


class _Printer:
    """Prints events: what programs and models say on stdout, all about them on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.last: DoneEvent | ErrorEvent | None = None
        self.seq = 0
        self._as_json = as_json
        self._in_text = False

    def show(self, event: AnyTaskEvent) -> None:
        """Print one."""
        self.seq = event.seq
        if isinstance(event, DoneEvent | ErrorEvent):
            self.last = event
        if self._as_json:
            print(event.model_dump_json(exclude_none=True), flush=True)
            return
        if isinstance(event, TokenEvent):
            print(_plain(event.text), end="", flush=True)
            self._in_text = True
            return
        if self._in_text:
            print(flush=True)
            self._in_text = False
        if isinstance(event, LogEvent):
            print(_plain(event.message), file=sys.stderr if event.level == "stderr" else sys.stdout, flush=True)
            return
        print(_plain(_sentence(event)), file=sys.stderr, flush=True)


def _plain(text: str) -> str:
    """Text without what a terminal would obey."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _sentence(event: AnyTaskEvent) -> str:  # noqa: C901 - one line for each type
    match event:
        case StatusEvent():
            return f"-- {event.status}" + (f": {event.reason}" if event.reason else "")
        case StepStartEvent():
            return f"-> {event.step_name}" + (f" ({event.job})" if event.job else "")
        case StepEndEvent():
            return f"<- {event.step_name}: {event.step_state}" + (f": {event.output}" if event.output else "")
        case ToolStartEvent():
            return f"-> {event.tool_name} {event.args or ''}"
        case ToolEndEvent():
            return f"<- {event.tool_state}"
        case ArtifactEvent():
            return f"-- kept {event.name} ({event.size_bytes:,} bytes)"
        case ApprovalEvent():
            return f"-- {event.tool_name} {event.state}: {event.args}"
        case ErrorEvent():
            return f"failed ({event.code}): {event.message}"
    return event.type
