"""The exchanges about tasks; see `calls`."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from holdfast.client.calls import Call, read_as
from holdfast.errors import UnreachableError
from holdfast.types import AnyTaskEvent, Task, TaskReceipt, Tasks, task_event

LAST = frozenset({"done", "error"})
"""The types of last events."""


def submit_task(task: dict[str, Any]) -> Call[TaskReceipt]:
    """Ask for a task: the body of `POST /tasks`, for an agent or a workflow. It goes on when the client leaves."""
    return Call("POST", "/tasks", read_as(TaskReceipt), json.dumps(task, default=str).encode())


def task(task_id: str) -> Call[Task]:
    """Where a task is."""
    return Call("GET", _path(task_id), read_as(Task))


def tasks(*, status: str | None = None, limit: int = 100, before: str | None = None) -> Call[Tasks]:
    """The tasks of this key, the latest first."""
    query = {"status": status, "limit": limit, "before": before}
    given = urlencode({name: value for name, value in query.items() if value is not None})
    return Call("GET", f"/tasks?{given}", read_as(Tasks))


def cancel_task(task_id: str) -> Call[Task]:
    """End a task; one that has ended already stays as it is."""
    return Call("POST", _path(task_id, "cancel"), read_as(Task), b"{}")


def redeliver_task(task_id: str) -> Call[Task]:
    """Deliver the events of a task again from where its delivery has died."""
    return Call("POST", _path(task_id, "redeliver"), read_as(Task), b"{}")


def task_artifact(task_id: str, name: str) -> Call[bytes]:
    """A file that a task has left."""
    return Call("GET", _path(task_id, "artifacts", name), bytes)


def forget_task(task_id: str) -> Call[None]:
    """Forget a task; one that goes on is cancelled first."""
    return Call("DELETE", _path(task_id), lambda _: None)


def events_after(task_id: str, after: int) -> Call[AnyTaskEvent]:
    """The events of a task after a number."""
    return Call("GET", f"{_path(task_id, 'events')}?after={after}", _event)


def _event(content: bytes) -> AnyTaskEvent:
    try:
        return task_event.validate_json(content, extra="ignore")
    except ValidationError:
        # A problem, or an event that only a newer client knows.
        raise UnreachableError("What the server sent is no event of a task.") from None


def _path(task_id: str, *parts: str) -> str:
    return "/".join(["/tasks", *(quote(part, safe="") for part in (task_id, *parts))])
