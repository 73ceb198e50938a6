"""The seam by which a task is done: a handler of its type, and the run that it is given.

`app` names one handler for each type. It runs in a worker of the server or in a runner elsewhere; it cannot tell.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from holdfast.types import AgentTask, ApprovalEvent, Caller, EmittedEvent, WorkflowTask


class TaskFailedError(Exception):
    """A handler raises this when the task has failed by itself: a step, a budget, a model. It is no fault of ours."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TaskWaitsError(Exception):
    """A handler raises this when somebody must allow something first. It holds nothing any more.

    When that was decided the task is begun again, with a `state` that has `kept`, and `decided`: whether each approval
    was given, by its id.
    """

    def __init__(self, kept: Any, asked: ApprovalEvent) -> None:
        super().__init__(asked.approval_id)
        self.kept = kept
        self.asked = asked


class TaskRun(Protocol):
    """One attempt at one task, as its handler sees it."""

    @property
    def id(self) -> str:
        """The task."""
        ...

    @property
    def request(self) -> AgentTask | WorkflowTask:
        """What was asked, as it was checked."""
        ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets of the task. Whoever lets a program see one masks what that program writes."""
        ...

    @property
    def caller(self) -> Caller:
        """For whom it is done: what is made for it belongs to them."""
        ...

    @property
    def attempt(self) -> int:
        """1 at first; more when workers have died under it."""
        ...

    @property
    def state(self) -> Any:
        """What an earlier attempt has kept with `emit(..., state=)`; `None` at first."""
        ...

    async def emit(self, *events: EmittedEvent, state: Any = None) -> None:
        """Append events, and keep `state` (JSON) in the same transaction.

        Returns when they are written; tokens and logs without a state only wait for room, are written within
        milliseconds, and always before what comes after them. A StatusEvent of `waiting` or `running` is where the task
        is from then on. Cancelled when the task is.
        """
        ...

    async def kept(self, name: str) -> bytes:
        """A file that an earlier attempt has kept. Raises NotFoundError."""
        ...

    async def keep(self, name: str, data: bytes) -> None:
        """Keep a file of the task under a plain name, and emit the event of it. Raises TooLargeError."""
        ...


class TaskHandler(Protocol):
    """Does the tasks of one type."""

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Refuse what cannot be done as asked, before it is taken. Quick and without effect. Raises RequestError."""
        ...

    async def run(self, task: TaskRun) -> None:
        """Do it; returning is success. Raises TaskFailedError, or a HoldfastError, whose code the task then has.

        A task is cancelled, timed out or taken away by cancelling this: what it holds is given back, and no event is
        emitted any more.
        """
        ...
