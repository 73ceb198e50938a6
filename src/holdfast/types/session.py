"""The nouns of sessions: one that is kept, a run in it, and what that shows."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from holdfast.types.numbers import Count, NoBoolean, Positive
from holdfast.types.run import (
    CompiledEvent,
    FileContent,
    Frozen,
    Isolation,
    Limits,
    OutputEvent,
    PrebuildSpec,
    RunResult,
    StartedEvent,
    parse_size,
)


class SessionRequest(BaseModel):
    """A session to make: one sandbox that someone keeps. Its limits hold for its whole life, `timeout` for each run."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    image: str = Field(default="python", validation_alias=AliasChoices("image", "language"))
    idle_seconds: Positive | None = None
    lifetime_seconds: Positive | None = None
    timeout: Positive | None = None
    mem_limit: str | None = None
    disk_limit: str | None = None
    cpu_shares: Annotated[int, Field(ge=2, le=262_144), NoBoolean] | None = None
    cpus: Positive | None = None
    processes: Count | None = None
    open_files: Annotated[int, Field(ge=16), NoBoolean] | None = None
    max_output_bytes: Count | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileContent] = Field(default_factory=dict)
    prebuild_spec: PrebuildSpec | None = None

    @field_validator("mem_limit", "disk_limit")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value


class SessionRunRequest(BaseModel):
    """Code to run in a session."""

    model_config = ConfigDict(extra="forbid")

    code: str
    timeout: Positive | None = None


class Session(Frozen):
    """A session. One that is `lost` says why; its last files stay until `expires_at`."""

    session_id: str
    image: str
    status: Literal["idle", "busy", "lost"]
    reason: str | None = None
    created_at: datetime
    expires_at: datetime
    idle_seconds: float
    lifetime_seconds: float
    runs: int = 0
    limits: Limits
    isolation: Isolation


class Sessions(Frozen):
    """The sessions a caller may see, oldest first."""

    sessions: tuple[Session, ...]


class SessionFile(Frozen):
    """One file of a session."""

    path: str
    size_bytes: int


class SessionFiles(Frozen):
    """The files of a session; `notes` are sentences about what is left out."""

    files: tuple[SessionFile, ...]
    notes: tuple[str, ...] = ()


class Display(Frozen):
    """Something shown: the value of a last expression, or what the code displayed, in one or more formats by name."""

    kind: Literal["value", "display"]
    data: dict[str, Any]
    metadata: dict[str, Any] = Field(default_factory=dict)


class ProgramError(Frozen):
    """The exception that ended the code; `traceback` is plain text."""

    name: str
    value: str
    traceback: str


class SessionRunResult(RunResult):
    """What one run in a session did. `execution_count` is the number of the cell in an interpreter that counts."""

    session_id: str
    displays: tuple[Display, ...] = ()
    error: ProgramError | None = None
    execution_count: int | None = None


class DisplayEvent(Frozen):
    """Something was shown; its place among the output is that of the event."""

    type: Literal["display"] = "display"
    seq: int
    display: Display


class SessionExitedEvent(Frozen):
    """The last event of a run in a session."""

    type: Literal["exited"] = "exited"
    seq: int
    result: SessionRunResult


SessionEvent = Annotated[
    CompiledEvent | StartedEvent | OutputEvent | DisplayEvent | SessionExitedEvent, Field(discriminator="type")
]
