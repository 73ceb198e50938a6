"""What a task is while somebody does it, and how its rows are read."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from holdfast.types import (
    OPERATOR,
    AgentTask,
    Caller,
    Task,
    TaskDelivery,
    TaskFailure,
    TaskStatus,
    TaskType,
    WorkflowTask,
    task_request,
)

HERE = "server-"
"""What the names of the server's own workers begin with."""

_SAME = ("type", "status", "key", "request", "request_id", "worker", "attempts", "max_attempts", "events")


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt at one task. Who has the `token` does it; the store knows its digest, which is `claim`."""

    task_id: str
    type: TaskType
    request: AgentTask | WorkflowTask
    secrets: Mapping[str, str]
    owner: str | None
    key: str | None
    request_id: str | None
    claim: str
    token: str
    attempt: int
    state: Any
    size_bytes: int

    @property
    def caller(self) -> Caller:
        """For whom it is done."""
        return caller_of(self.owner)


def caller_of(owner: str | None) -> Caller:
    """Whoever asked for a task, with no more than that key may have; without a key it is the operator."""
    return OPERATOR if owner is None else Caller(owner=owner, sees_all=False)


def new_token() -> str:
    """A name for a claim that nobody can guess."""
    return secrets.token_urlsafe(32)


def claim_of(token: str) -> str:
    """What the store knows of it."""
    return sha256(token.encode()).hexdigest()


def instant(moment: datetime) -> str:
    """A time as text that sorts."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def claimed_of(row: Mapping[str, Any], token: str, values: Mapping[str, str]) -> Claimed:
    """A row that was just claimed, with the secrets of the task."""
    body = {**row["request"], "secrets": dict(values)}
    if row["workspace"] is not None:
        body["workspace"] = row["workspace"]
    return Claimed(
        task_id=row["task_id"],
        type=row["type"],
        request=task_request.validate_python(body),
        secrets=values,
        owner=row["owner"],
        key=row["key"],
        request_id=row["request_id"],
        claim=row["claim"],
        token=token,
        attempt=row["attempts"],
        state=row["state"],
        size_bytes=row["size_bytes"],
    )


def task_of(row: Mapping[str, Any], waiting_for: str | None, artifacts: tuple[str, ...] = ()) -> Task:
    """A row as it is shown."""
    failed = row["error_code"] is not None
    return Task(
        id=row["task_id"],
        **{name: row[name] for name in _SAME},
        secret_names=tuple(row["secret_names"]),
        waiting_for=waiting_for,
        error=TaskFailure(code=row["error_code"], message=row["error_message"]) if failed else None,
        events_url=events_url(row["task_id"]),
        delivery=_delivery_of(row),
        artifacts=artifacts,
        **{name: _time(row[name]) for name in ("created_at", "started_at", "ended_at")},
    )


def events_url(task_id: str) -> str:
    """Where the events of a task are read."""
    return f"/tasks/{task_id}/events"


def status_of(row: Mapping[str, Any]) -> TaskStatus:
    """Where a task is."""
    return TaskStatus(row["status"])


def _delivery_of(row: Mapping[str, Any]) -> TaskDelivery | None:
    if row["callback_url"] is None:
        return None
    all_is_there = row["delivery"] == "pending" and row["ended_at"] and row["delivered_seq"] >= row["events"]
    return TaskDelivery(
        url=row["callback_url"],
        state="delivered" if all_is_there else row["delivery"],
        delivered_seq=row["delivered_seq"],
        dropped=row["dropped"],
        attempts=row["delivery_attempts"],
        error=row["delivery_error"],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
