"""A capsule as rows, and rows as a capsule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from holdfast.types import Capsule, CapsuleError, CapsuleStatus, RunKind

_WITH_THE_RUN = frozenset({"run_id", "created_at", "ended_at", "key", "status", "usage", "isolation"})
"""What is in the row of the run."""

_CALLED = {"result": "result_json", "error": "error_json"}
_MEANS = {column: name for name, column in _CALLED.items()}
_IMAGES = {"plan": "sql", "sql": "sql", "python": "python"}
_COLUMNS_OF_OURS = frozenset({"seq", "owner", "kind", "image", "code", "exit_code", "size_bytes"})

STOPPED = CapsuleError(
    code="server_stopped",
    message="The server was stopped while this ran.",
    hint="Run it again; a replay does so with what was asked.",
)


def run_row(capsule: Capsule, owner: str | None) -> dict[str, Any]:
    """The row of `runs`."""
    fixed = {"run_id": capsule.run_id, "kind": RunKind.DATA.value, "owner": owner, "key": capsule.key}
    created = {"created_at": instant(capsule.created_at), "image": _IMAGES[capsule.query_mode], "exit_code": None}
    return {**fixed, **created, **run_changes(capsule)}


def run_changes(capsule: Capsule) -> dict[str, Any]:
    """What becomes of that row when the run ends."""
    return {
        "status": capsule.status.value,
        "code": None if capsule.error is None else capsule.error.code[:64],
        "usage": None if capsule.usage is None else capsule.usage.model_dump(mode="json"),
        "isolation": None if capsule.isolation is None else capsule.isolation.model_dump(mode="json"),
        "ended_at": None if capsule.ended_at is None else instant(capsule.ended_at),
    }


def unfinished_changes() -> dict[str, Any]:
    """What becomes of the rows of runs that a server has left without an end."""
    now = instant(datetime.now(UTC))
    return {"status": CapsuleStatus.FAILED.value, "code": STOPPED.code, "ended_at": now}


def capsule_row(capsule: Capsule) -> dict[str, Any]:
    """The row of `capsules`, without the name of the run."""
    fields = capsule.model_dump(mode="json", exclude=set(_WITH_THE_RUN))
    size = len(capsule.model_dump_json().encode())
    return {_CALLED.get(name, name): value for name, value in fields.items()} | {"size_bytes": size}


def read_capsule(row: Mapping[Any, Any]) -> Capsule:
    """The capsule of both rows."""
    fields = {_MEANS.get(name, name): value for name, value in row.items() if name not in _COLUMNS_OF_OURS}
    return Capsule.model_validate(fields)


def instant(moment: datetime) -> str:
    """A time as text that sorts."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
