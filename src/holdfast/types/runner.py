"""The nouns of runners: processes elsewhere that register, are given tasks, and tell of them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from holdfast.types.numbers import NoBoolean
from holdfast.types.run import Frozen
from holdfast.types.task import TASK_TYPES, TaskType

MAX_WAIT_SECONDS = 60.0
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,100}$")]


class RunnerRegistration(BaseModel):
    """A runner that is there. With `wait_seconds` the answer comes when there is a task, or when they are over."""

    model_config = ConfigDict(extra="forbid")

    pod_name: _Name = "unknown"
    pod_ip: _Name = "unknown"
    runner_id: _Name | None = Field(default=None, description="What an earlier answer called it.")
    wait_seconds: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False), NoBoolean] = 0.0
    types: Annotated[list[TaskType], Field(min_length=1)] = Field(default_factory=lambda: list(TASK_TYPES))


class AssignedTask(Frozen):
    """A task as a runner gets it: `config` is the body of the request, with its secrets."""

    id: str
    type: TaskType
    config: dict[str, Any]
    attempt: int = 1
    state: Any = None
    request_id: str | None = None
    timeout_seconds: float | None = None
    session_id: str | None = None
    owner: str | None = Field(default=None, description="Whose it is: the same for all tasks of one key.")


class RunnerAssignment(Frozen):
    """What a runner is told: its name, and a task if there is one, whose events go to `callback_url` with `token`."""

    runner_id: str
    task: AssignedTask | None = None
    callback_url: str | None = None
    token: str | None = None
    heartbeat_url: str
    heartbeat_seconds: float


class RunnerOrders(Frozen):
    """What a runner should know of its task: whether it is still its own, and whether it is to be cancelled."""

    held: bool = True
    cancel: bool = False


class Runner(Frozen):
    """A runner that is registered."""

    runner_id: str
    pod_name: str
    pod_ip: str
    state: str = Field(description="`idle`, `busy` or `stale`: not heard of for a while.")
    task_id: str | None = None
    registered_at: datetime
    seen_at: datetime


class Runners(Frozen):
    """The runners that are registered, oldest first."""

    runners: tuple[Runner, ...]
