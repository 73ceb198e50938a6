"""A runner: does tasks in a process of its own, and tells of them by callbacks.

Active, it does the one task it was started for. Standby, it registers with a server, waits there for a task, does it,
and waits again. Handlers cannot tell it from a server's own worker.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import structlog
from pydantic import ValidationError

from holdfast.background import background
from holdfast.errors import HoldfastError, NotFoundError, TooLargeError, UnreachableError
from holdfast.tasks.callbacks import CallbackRules, Poster, Signer
from holdfast.tasks.checking import check_handled
from holdfast.tasks.claims import caller_of
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.events import NotOursError
from holdfast.tasks.files import checked
from holdfast.tasks.handling import TaskHandler, TaskWaitsError
from holdfast.tasks.masking import Mask
from holdfast.tasks.outgoing import Outgoing
from holdfast.tasks.performing import LogBound, perform
from holdfast.tasks.queue import CANCELLED
from holdfast.types import (
    AGENT_TOOLS,
    AgentTask,
    AssignedTask,
    Caller,
    DoneEvent,
    EmittedEvent,
    ErrorEvent,
    LogEvent,
    RunnerAssignment,
    RunnerOrders,
    StatusEvent,
    StepEndEvent,
    StepStartEvent,
    TaskFailure,
    TaskStatus,
    ToolEndEvent,
    ToolStartEvent,
    WorkflowTask,
    task_request,
)
from holdfast.types.invalid import from_validation

WAIT_SECONDS = 25.0
AGAIN_SECONDS = 1.0
LAST_WORD_SECONDS = 10.0
"""How long a runner that must stop may still tell of it."""

STOPPED = TaskFailure(code="runner_stopped", message="The runner was stopped before the task had ended.")
CANNOT_WAIT = TaskFailure(
    code="unsupported", message="A runner cannot wait for approvals; a worker of the server can (HOLDFAST_WORKERS)."
)
Keep = Callable[[str, bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """What a runner does tasks with, and how."""

    handlers: Mapping[str, TaskHandler]
    timeout_seconds: float
    log_bytes: int
    backoff: Backoff
    signer: Signer | None = None
    api_key: str | None = None
    pod_name: str = "unknown"
    pod_ip: str = "unknown"


class ElsewhereRun:
    """A run whose events go to a callback."""

    def __init__(
        self, task: AssignedTask, request: AgentTask | WorkflowTask, outgoing: Outgoing, keep: Keep, log_bytes: int
    ) -> None:
        self._task = task
        self._outgoing = outgoing
        self._keep = keep
        self._logs = LogBound(log_bytes)
        self.request = request
        self.secrets = {name: value.get_secret_value() for name, value in request.secrets.items()}
        self._mask = Mask(self.secrets.values())

    @property
    def id(self) -> str:
        """The task."""
        return self._task.id

    @property
    def caller(self) -> Caller:
        """For whom it is done, who has here what they have at the server, and no others' things."""
        return caller_of(self._task.owner)

    @property
    def attempt(self) -> int:
        """1 at first."""
        return self._task.attempt

    @property
    def state(self) -> Any:
        """What an earlier attempt has kept."""
        return self._task.state

    async def emit(self, *events: EmittedEvent, state: Any = None) -> None:
        """Send events, in order. Raises NotOursError when the task was taken away."""
        told: list[EmittedEvent] = []
        for event in events:
            admitted = self._logs.admit(event) if isinstance(event, LogEvent) else event
            if admitted is not None:
                told.append(self._mask.event(admitted))
        if state is not None and (not told or told[-1].type == "token"):
            # State travels with an event, and tokens are joined.
            told.append(StatusEvent(status=TaskStatus.RUNNING))
        for event in told:
            _log(event)
            await self._outgoing.put(event, self._mask.value(state) if event is told[-1] else None)

    async def kept(self, name: str) -> bytes:
        """Raises NotFoundError: a runner begins anew, and has no files of earlier attempts."""
        raise NotFoundError(f"A runner has no file '{name}' of an earlier attempt.")

    async def keep(self, name: str, data: bytes) -> None:
        """Keep a file. Raises InvalidFileNameError, TooLargeError."""
        checked(name)
        await self._outgoing.flush()
        await self._keep(name, data)


def _log(event: EmittedEvent) -> None:
    """Steps and tools, by number and name: nothing of what was asked or said."""
    log = structlog.get_logger()
    match event:
        case StepStartEvent():
            log.info("a step begins", step=event.step_index, job=event.job)
        case StepEndEvent():
            log.info("a step has ended", step=event.step_index, job=event.job, state=event.step_state)
        case ToolStartEvent():
            log.info("a tool is used", tool=event.tool_name if event.tool_name in AGENT_TOOLS else "unknown")
        case ToolEndEvent():
            log.info("a tool has ended", state=event.tool_state)


async def do_task(
    config: RunnerConfig, task: AssignedTask, outgoing: Outgoing, keep: Keep, stopped: Callable[[], TaskFailure | None]
) -> TaskFailure | None:
    """One task to its end, which is told; `None` is success. Cancelled, it ends as `stopped` says, or untold.

    Raises NotOursError when the task was taken away.
    """
    structlog.get_logger().info("a task begins", type=task.type, attempt=task.attempt)
    try:
        failure = await _outcome(config, task, outgoing, keep)
    except anyio.get_cancelled_exc_class():
        last = stopped()
        if last is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WORD_SECONDS):
                await _tell_end(outgoing, last)
        else:
            structlog.get_logger().warning("a task is given back")
        raise
    await _tell_end(outgoing, failure)
    return failure


async def _tell_end(outgoing: Outgoing, failure: TaskFailure | None) -> None:
    """Raises NotOursError."""
    structlog.get_logger().info("a task has ended", code=None if failure is None else failure.code)
    await outgoing.put(DoneEvent() if failure is None else ErrorEvent(message=failure.message, code=failure.code))
    await outgoing.flush()


async def _outcome(config: RunnerConfig, task: AssignedTask, outgoing: Outgoing, keep: Keep) -> TaskFailure | None:
    """Raises NotOursError."""
    try:
        request = task_request.validate_python(task.config)
        check_handled(config.handlers, request)
    except ValidationError as error:
        return TaskFailure(code="invalid_task", message=from_validation(error).detail)
    except HoldfastError as error:
        return TaskFailure(code=error.code, message=error.detail)
    run = ElsewhereRun(task, request, outgoing, keep, config.log_bytes)
    # Whoever gave it knows that it has begun before anything is done.
    await outgoing.put(StatusEvent(status=TaskStatus.RUNNING, reason=f"begun on {config.pod_name}"))
    if not await outgoing.flush():
        raise NotOursError(task.id)
    timeout = task.timeout_seconds or request.timeout or config.timeout_seconds
    try:
        failure = await perform(config.handlers[request.type], run, timeout)
    except TaskWaitsError:
        return CANNOT_WAIT
    if failure is None:
        return None
    return failure.model_copy(update={"message": Mask(run.secrets.values()).value(failure.message)})


async def run_active(config: RunnerConfig, task: AssignedTask, callback_url: str) -> bool:
    """Do one task and tell `callback_url`; whether it succeeded and all was told."""
    succeeded = False
    async with _telling(config, task, callback_url, None) as outgoing:

        async def keep(name: str, data: bytes) -> None:
            told = f"'{name}' was not kept: a runner that was started for one task has nowhere to keep files."
            await outgoing.put(LogEvent(level="warning", message=told))

        try:
            failure = await do_task(config, task, outgoing, keep, lambda: STOPPED)
            succeeded = failure is None and await outgoing.flush()
        except NotOursError:
            succeeded = False
    return succeeded


async def report(
    signer: Signer | None, task_id: str, callback_url: str, failure: TaskFailure, backoff: Backoff
) -> None:
    """Tell a callback that there will be nothing else."""
    config = RunnerConfig({}, 0, 0, backoff, signer)
    task = AssignedTask(id=task_id, type="workflow", config={})
    async with _telling(config, task, callback_url, None) as outgoing:
        await outgoing.put(ErrorEvent(message=failure.message, code=failure.code))
        await outgoing.flush()


@asynccontextmanager
async def _telling(config: RunnerConfig, task: AssignedTask, url: str, token: str | None) -> AsyncIterator[Outgoing]:
    """Where the events of a task go, for the length of the block."""
    more = {"X-API-Key": config.api_key} if config.api_key and token else {}
    more |= {"X-Request-ID": task.request_id} if task.request_id else {}
    # Its address is the operator's word, not a caller's.
    signer = None if token else config.signer
    async with Poster(CallbackRules(private=True), signer, token, more) as poster:
        outgoing = Outgoing(poster, url, task.id, config.backoff, counted=token is not None)
        # What is still to be told is sent also when the block is cancelled.
        sending = anyio.CancelScope(shield=True)

        async def send() -> None:
            with sending:
                await outgoing.run()

        async with background() as group:
            group.start_soon(send)
            try:
                yield outgoing
            finally:
                sending.cancel()


class Standby:
    """A runner that takes the tasks of a server, one after the other."""

    def __init__(self, config: RunnerConfig, register_url: str) -> None:
        self._config = config
        self._register_url = register_url
        self._runner_id: str | None = None
        self._cancelled = False

    async def run(self) -> None:
        """Until cancelled; then the server is told that this one is gone."""
        headers = {"X-API-Key": self._config.api_key} if self._config.api_key else {}
        async with httpx.AsyncClient(headers=headers, timeout=WAIT_SECONDS + 30, trust_env=False) as client:
            try:
                while True:
                    assignment = await self._assigned(client)
                    if assignment is not None and assignment.task is not None:
                        await self._do(client, assignment, assignment.task)
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(AGAIN_SECONDS):
                    await self._leave(client)

    async def _assigned(self, client: httpx.AsyncClient) -> RunnerAssignment | None:
        body = {"pod_name": self._config.pod_name, "pod_ip": self._config.pod_ip, "wait_seconds": WAIT_SECONDS}
        body |= {"types": [*self._config.handlers]} | ({"runner_id": self._runner_id} if self._runner_id else {})
        try:
            answer = await client.post(self._register_url, json=body)
            answer.raise_for_status()
            assignment = RunnerAssignment.model_validate_json(answer.content, extra="ignore")
        except (httpx.HTTPError, ValidationError) as error:
            structlog.get_logger().warning("the server gives no task", reason=_reason(error))
            await anyio.sleep(AGAIN_SECONDS)
            return None
        if self._runner_id is None:
            structlog.get_logger().info("registered", runner=assignment.runner_id)
        self._runner_id = assignment.runner_id
        return assignment

    async def _do(self, client: httpx.AsyncClient, assignment: RunnerAssignment, task: AssignedTask) -> None:
        with structlog.contextvars.bound_contextvars(task_id=task.id, request_id=task.request_id):
            try:
                await self._done(client, assignment, task)
            except NotOursError:
                structlog.get_logger().warning("a task was taken away")

    async def _done(self, client: httpx.AsyncClient, assignment: RunnerAssignment, task: AssignedTask) -> None:
        """Raises NotOursError."""
        url, token = assignment.callback_url or "", assignment.token or ""
        self._cancelled = False

        async def keep(name: str, data: bytes) -> None:
            await _put(client, f"{url.removesuffix('/callback')}/artifacts/{name}", token, data)

        async with _telling(self._config, task, url, token) as outgoing, background() as group:
            group.start_soon(self._beat, client, assignment, group.cancel_scope, outgoing)
            await do_task(self._config, task, outgoing, keep, self._ending)

    def _ending(self) -> TaskFailure | None:
        """What is told of a task that ends too early: when this runner must stop, nothing, for another may begin it."""
        return CANCELLED if self._cancelled else None

    async def _beat(
        self, client: httpx.AsyncClient, assignment: RunnerAssignment, scope: anyio.CancelScope, outgoing: Outgoing
    ) -> None:
        """Say that the task goes on, and end it when the server says so."""
        headers = {"Authorization": f"Bearer {assignment.token}"}
        while True:
            with anyio.move_on_after(assignment.heartbeat_seconds):
                await outgoing.over.wait()
                scope.cancel()
            try:
                answer = await client.post(assignment.heartbeat_url, headers=headers)
                answer.raise_for_status()
                orders = RunnerOrders.model_validate_json(answer.content, extra="ignore")
            except (httpx.HTTPError, ValidationError) as error:
                structlog.get_logger().warning("a heartbeat was not answered", reason=_reason(error))
                continue
            if not orders.held:
                outgoing.over.set()
            if orders.cancel:
                self._cancelled = True
                scope.cancel()

    async def _leave(self, client: httpx.AsyncClient) -> None:
        if self._runner_id is None:
            return
        url = f"{self._register_url.rpartition('/')[0]}/{self._runner_id}"
        try:
            await client.delete(url)
        except httpx.HTTPError as error:
            structlog.get_logger().warning("the server was not told that this runner goes", reason=_reason(error))


async def _put(client: httpx.AsyncClient, url: str, token: str, data: bytes) -> None:
    """Raises UnreachableError, TooLargeError."""
    try:
        answer = await client.put(url, content=data, headers={"Authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        raise UnreachableError(f"A file could not be kept: {_reason(error)}.") from None
    if answer.is_error:
        raise TooLargeError(f"A file could not be kept: the server answered {answer.status_code}.")


def _reason(error: Exception) -> str:
    """What went wrong, without any URL."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    return type(error).__name__
