"""Workers of the server itself: each does one task at a time, and holds its lease while it does."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import anyio
import structlog
from anyio.to_thread import run_sync

from holdfast.background import background
from holdfast.errors import StoreUnavailableError
from holdfast.execution import on_behalf_of
from holdfast.store.appending import Append
from holdfast.tasks.claims import HERE, Claimed, instant
from holdfast.tasks.deciding import put_aside
from holdfast.tasks.events import NotOursError, new_event, now
from holdfast.tasks.handling import TaskHandler, TaskWaitsError
from holdfast.tasks.masking import Mask
from holdfast.tasks.performing import LogBound, perform
from holdfast.tasks.queue import CANCELLED, TaskQueue
from holdfast.types import (
    AgentTask,
    AnyTaskEvent,
    ArtifactEvent,
    Caller,
    EmittedEvent,
    LogEvent,
    StatusEvent,
    TaskFailure,
    TokenEvent,
    WorkflowTask,
)

RENEWALS = 3
"""How often a lease is renewed in its time."""

AGAIN_SECONDS = 1.0
CLAIM_SECONDS = 3600.0


class HereRun:
    """A run whose events go straight to the store of this server."""

    def __init__(self, queue: TaskQueue, claimed: Claimed) -> None:
        self._queue = queue
        self._claimed = claimed
        self._mask = Mask(claimed.secrets.values())
        self._logs = LogBound(queue.bounds.log_bytes, claimed.size_bytes if claimed.attempt > 1 else 0)

    @property
    def id(self) -> str:
        """The task."""
        return self._claimed.task_id

    @property
    def request(self) -> AgentTask | WorkflowTask:
        """What was asked."""
        return self._claimed.request

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets of the task."""
        return self._claimed.secrets

    @property
    def caller(self) -> Caller:
        """For whom it is done."""
        return self._claimed.caller

    @property
    def attempt(self) -> int:
        """1 at first."""
        return self._claimed.attempt

    @property
    def state(self) -> Any:
        """What an earlier attempt has kept."""
        return self._claimed.state

    async def emit(self, *events: EmittedEvent, state: Any = None) -> None:
        """Append events. Raises NotOursError when the task was taken away."""
        admitted = [event for event in map(self._admitted, events) if event is not None]
        changes: dict[str, Any] = {} if state is None else {"state": self._mask.value(state)}
        for event in admitted:
            if isinstance(event, StatusEvent):
                changes["status"] = event.status.value
        if not admitted and not changes:
            return
        entry = self._append(admitted, changes)
        if changes or not all(isinstance(event, TokenEvent | LogEvent) for event in admitted):
            await self._queue.events.append(entry)
        else:
            await self._queue.events.hand_over(entry)

    async def kept(self, name: str) -> bytes:
        """A file that was kept. Raises NotFoundError."""
        return await run_sync(self._queue.files.read, self.id, name)

    async def keep(self, name: str, data: bytes) -> None:
        """Keep a file. Raises TooLargeError, InvalidFileNameError."""
        await run_sync(self._queue.files.write, self.id, name, data)
        await self._queue.events.append(self._append([ArtifactEvent(name=name, size_bytes=len(data))], {}))

    def _append(self, events: Sequence[AnyTaskEvent], changes: Mapping[str, Any]) -> Append:
        masked = [new_event(self._mask.event(event)) for event in events]
        return Append(self.id, self._claimed.claim, instant(now()), masked, changes)

    def _admitted(self, event: EmittedEvent) -> EmittedEvent | None:
        return self._logs.admit(event) if isinstance(event, LogEvent) else event


def _masked(failure: TaskFailure | None, claimed: Claimed) -> TaskFailure | None:
    if failure is None:
        return None
    return failure.model_copy(update={"message": Mask(claimed.secrets.values()).value(failure.message)})


class Workers:
    """So many workers in this process, while `open` is entered."""

    def __init__(self, queue: TaskQueue, handlers: Mapping[str, TaskHandler], count: int) -> None:
        self.count = count
        self._queue = queue
        self._handlers = handlers
        self._name = f"{HERE}{secrets.token_hex(4)}"
        self._scopes: dict[str, anyio.CancelScope] = {}

    @property
    def busy(self) -> int:
        """How many have a task."""
        return len(self._scopes)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Do tasks until the end of the block; what is not done then is lost, and told so."""
        async with background() as group:
            if self._handlers:
                for number in range(self.count):
                    group.start_soon(self._work, f"{self._name}-{number}")
                group.start_soon(self._renew)
            yield

    async def _work(self, name: str) -> None:
        while True:
            try:
                claimed = await self._queue.claim([*self._handlers], name, CLAIM_SECONDS)
                if claimed is not None:
                    await self._do(claimed)
                else:
                    await anyio.sleep(AGAIN_SECONDS)
            except StoreUnavailableError:
                structlog.get_logger().error("a worker waits for the database")
                await anyio.sleep(AGAIN_SECONDS)

    async def _do(self, claimed: Claimed) -> None:
        """One task to its end, or until it is cancelled, taken away, or the server stops."""
        log = structlog.get_logger().bind(task=claimed.task_id, request_id=claimed.request_id)
        log.info("a task begins", type=claimed.type, attempt=claimed.attempt)
        try:
            failure = _masked(await self._outcome(claimed), claimed)
            with anyio.CancelScope(shield=True):
                await self._queue.end(claimed, failure)
            log.info("a task has ended", code=None if failure is None else failure.code)
        except NotOursError:
            log.warning("a task was taken away")
        except TaskWaitsError as waits:
            with anyio.CancelScope(shield=True):
                await put_aside(self._queue, claimed, waits)
            log.info("a task waits to be allowed something")
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._queue.release(claimed)
            raise

    async def _outcome(self, claimed: Claimed) -> TaskFailure | None:
        """Raises NotOursError, TaskWaitsError."""
        timeout = claimed.request.timeout or self._queue.bounds.timeout_seconds
        origin = on_behalf_of(claimed.key or "", claimed.owner) if claimed.owner else nullcontext()
        outcome: list[TaskFailure | None] = []
        taken: list[NotOursError | TaskWaitsError] = []

        async def work(scope: anyio.CancelScope) -> None:
            try:
                outcome.append(await perform(self._handlers[claimed.type], HereRun(self._queue, claimed), timeout))
            except (NotOursError, TaskWaitsError) as error:
                # Raised outside of the group, which would wrap it.
                taken.append(error)
            scope.cancel()

        with origin:
            async with anyio.create_task_group() as group:
                self._scopes[claimed.claim] = group.cancel_scope
                try:
                    group.start_soon(self._watch, claimed, group.cancel_scope)
                    group.start_soon(work, group.cancel_scope)
                    await anyio.sleep_forever()
                finally:
                    del self._scopes[claimed.claim]
        if taken:
            raise taken[0]
        return outcome[0] if outcome else CANCELLED

    async def _watch(self, claimed: Claimed, scope: anyio.CancelScope) -> None:
        """End the work when the task is to be cancelled."""
        await self._queue.cancelled(claimed.task_id).wait()
        scope.cancel()

    async def _renew(self) -> None:
        """Keep the leases, and end what has none any more."""
        while True:
            await anyio.sleep(self._queue.bounds.lease_seconds / RENEWALS)
            if not self._scopes:
                continue
            asked = [*self._scopes]
            try:
                held = await self._queue.renew(asked)
            except StoreUnavailableError:
                continue
            for claim in asked:
                # Without a lease whatever it would tell is refused, so that it may as well end now.
                if held.get(claim, True) and claim in self._scopes:
                    self._scopes[claim].cancel()
