"""What is remembered of a run: who, what and how it went; never code, input or output."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from holdfast.types.run import Frozen, Isolation, Status, Usage
from holdfast.types.states import CapsuleStatus


class RunKind(StrEnum):
    """What a run was for."""

    RUN = "run"
    GRADE = "grade"
    SESSION = "session"
    DATA = "data"


class RunRecord(Frozen):
    """One run that had a place, also one that its client left or that we failed."""

    run_id: str
    kind: RunKind
    key: str | None = Field(description="The name of the key that asked; null is the local user of a keyless server.")
    image: str
    status: Status | CapsuleStatus = Field(
        description="How it ended; `cancelled` when the client left. A data run has the words of its capsule."
    )
    code: str | None = Field(
        description="The code of our own failure, such as `engine_error`, or why a data run failed or was rejected."
    )
    exit_code: int | None
    usage: Usage | None = Field(description="What it used; null when it did not come to a result.")
    isolation: Isolation | None = Field(description="What held it; null when it never started.")
    created_at: datetime
    ended_at: datetime | None = Field(description="Null while a data run is queued or running.")


class RunRecords(Frozen):
    """Runs, the latest first. `next` is what to send as `before` for older ones; null when there are none."""

    runs: tuple[RunRecord, ...]
    next: str | None
