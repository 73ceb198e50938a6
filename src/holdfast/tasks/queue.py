"""The queue of tasks: taken, shown, claimed by one worker at a time, ended exactly once, and forgotten in the end.

Secrets are in the memory of this server alone. A task that has some and outlives the server cannot be begun again.
"""

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
import structlog
from anyio.to_thread import run_sync

from holdfast.errors import NotFoundError, QueueFullError, ShuttingDownError
from holdfast.store import Store
from holdfast.store.appending import Append
from holdfast.tasks import keeping
from holdfast.tasks.bells import Bells, patiently
from holdfast.tasks.checking import Checks
from holdfast.tasks.claims import (
    HERE,
    Claimed,
    claim_of,
    claimed_of,
    events_url,
    instant,
    new_token,
    status_of,
    task_of,
)
from holdfast.tasks.events import QUEUE, EventLog, NotOursError, new_event, now
from holdfast.tasks.files import TaskFiles
from holdfast.tasks.turns import Turns
from holdfast.telemetry import Metrics
from holdfast.types import (
    FINAL_STATUSES,
    OPERATOR,
    AgentTask,
    AnyTaskEvent,
    Caller,
    DoneEvent,
    ErrorEvent,
    StatusEvent,
    Task,
    TaskFailure,
    TaskReceipt,
    Tasks,
    TaskStatus,
    WorkflowTask,
)

CANCELLED = TaskFailure(code="cancelled", message="The task was cancelled.")
LOST = TaskFailure(
    code="worker_lost",
    message="What did the task has stopped before its end, and it may not be begun again (max_attempts).",
)
NO_SECRETS = TaskFailure(
    code="secrets_lost",
    message="The server was started anew, and secrets are kept in memory alone; submit the task again.",
)
EXPIRED = TaskFailure(
    code="expired", message="It has waited longer than tasks are kept (HOLDFAST_RETENTION_DAYS); submit it again."
)
CANCEL_SECONDS = 2.0
"""How long the end of a task that is cancelled is waited for; one of a runner elsewhere may take longer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many tasks may be open, how long a lease and a task last, and how much is kept of one."""

    queue: int
    lease_seconds: float
    timeout_seconds: float
    log_bytes: int
    total_bytes: int


class TaskQueue:
    """All tasks of a server, while its store is open and `events` runs."""

    def __init__(
        self, store: Store, bells: Bells, files: TaskFiles, checks: Checks, bounds: Bounds, metrics: Metrics
    ) -> None:
        self.bounds = bounds
        self.bells = bells
        self.files = files
        self.events = EventLog(store, bells)
        self.draining = False
        self._store = store
        self._checks = checks
        self._metrics = metrics
        self._secrets: dict[str, Mapping[str, str]] = {}
        self._claiming = anyio.Lock()
        self._turns = Turns()

    async def submit(
        self, request: AgentTask | WorkflowTask, caller: Caller, key: str | None, request_id: str | None = None
    ) -> TaskReceipt:
        """Take a task. Raises RequestError, QueueFullError, StoreUnavailableError, ShuttingDownError."""
        if self.draining:
            raise ShuttingDownError("The server is shutting down and takes no new tasks.")
        self._checks.check(request)
        if sum((await self._store.tasks.counts()).values()) >= self.bounds.queue:
            raise QueueFullError(f"{self.bounds.queue} tasks are waiting or running, which is as many as may be.")
        task_id = f"task-{secrets.token_hex(16)}"
        values = {name: value.get_secret_value() for name, value in request.secrets.items()}
        row = _new_row(task_id, request, caller.owner, key, request_id)
        if values:
            self._secrets[task_id] = values
        try:
            await self._store.tasks.add(row, new_event(StatusEvent(status=TaskStatus.QUEUED)))
        except BaseException:
            self._secrets.pop(task_id, None)
            raise
        self.bells.ring(QUEUE)
        self.events.ring(task_id)
        secret = self._checks.signer.secret_of(task_id) if request.callback_url and self._checks.signer else None
        return TaskReceipt(id=task_id, status=TaskStatus.QUEUED, events_url=events_url(task_id), callback_secret=secret)

    async def get(self, task_id: str, caller: Caller) -> Task:
        """One task. Raises NotFoundError."""
        row = await self.seen(task_id, caller)
        return task_of(row, await self._waiting_for(row), await run_sync(self.files.names, task_id))

    async def list(self, caller: Caller, status: TaskStatus | None, limit: int, before: str | None) -> Tasks:
        """The latest tasks of a caller, or those older than `before`. Raises NotFoundError when that is none."""
        older_than = None if before is None else (await self.seen(before, caller))["seq"]
        rows = await self._store.tasks.latest(caller.only, status, older_than, limit + 1)
        found = tuple([task_of(row, await self._waiting_for(row)) for row in rows[:limit]])
        return Tasks(tasks=found, next=found[-1].id if len(rows) > limit else None)

    async def follow(self, task_id: str, caller: Caller, after: int) -> AsyncGenerator[AnyTaskEvent, None]:
        """The events of a task after a number, as they come, until its last one. Raises NotFoundError at the first."""
        await self.seen(task_id, caller)

        async def status() -> TaskStatus | None:
            row = await self._store.tasks.find(task_id, None)
            return None if row is None else status_of(row)

        async with aclosing(self.events.follow(task_id, after, status)) as events:
            async for event in events:
                yield event

    async def cancel(self, task_id: str, caller: Caller) -> Task:
        """End a task; one that has ended is answered as it is. Raises NotFoundError."""
        row = await self.seen(task_id, caller)
        if status_of(row) not in FINAL_STATUSES and not await self._store.tasks.cancelling(task_id):
            await self.end_unless(Append(task_id, None, instant(now())), CANCELLED)
        self.bells.ring(_cancelling(task_id))
        await self._until_ended(row, CANCEL_SECONDS)
        return await self.get(task_id, caller)

    async def forget(self, task_id: str, caller: Caller) -> None:
        """Remove a task and all that it left, after it was ended if it had not. Raises NotFoundError."""
        row = await self.seen(task_id, caller)
        if status_of(row) not in FINAL_STATUSES:
            await self.cancel(task_id, caller)
        await self._store.tasks.forget(task_id)
        await run_sync(self.files.remove, task_id)
        self._forgotten(task_id)

    async def _until_ended(self, row: Mapping[str, Any], seconds: float) -> None:
        """Return when a task has ended, but not later than this."""
        with anyio.move_on_after(seconds):
            async for _ in self.follow(row["task_id"], OPERATOR, row["events"]):
                continue

    async def redrive(self, task_id: str, caller: Caller) -> Task:
        """Deliver again what came to no end. Raises NotFoundError."""
        await self.seen(task_id, caller)
        if await self._store.tasks.redrive(task_id):
            self.events.ring(task_id)
        return await self.get(task_id, caller)

    async def artifact(self, task_id: str, name: str, caller: Caller) -> bytes:
        """A file that a task has left. Raises NotFoundError, InvalidFileNameError."""
        await self.seen(task_id, caller)
        return await run_sync(self.files.read, task_id, name)

    async def claim(self, types: Sequence[str], worker: str, wait_seconds: float) -> Claimed | None:
        """A task of these types that is queued, for this worker alone; `None` if there is none in time.

        It is the oldest of whoever was served longest ago: the queue of one key is no other's.
        """
        with anyio.move_on_after(wait_seconds):
            while not self.draining:
                bell = self.bells.hear(QUEUE)
                claimed = await self._claim_now(types, worker)
                if claimed is not None:
                    return claimed
                await patiently(bell, self.bounds.lease_seconds)
        return None

    async def _claim_now(self, types: Sequence[str], worker: str) -> Claimed | None:
        async with self._claiming:
            queued = await self._store.tasks.oldest(types)
            for owner, task_id in self._turns.in_order(queued):
                claimed = await self._claim_one(task_id, worker)
                if claimed is not None:
                    self._turns.served(owner)
                    return claimed
        return None

    async def _claim_one(self, task_id: str, worker: str) -> Claimed | None:
        token, at = new_token(), now()
        lease = instant(at + timedelta(seconds=self.bounds.lease_seconds))
        claimed = {"worker": worker, "claim": claim_of(token), "lease_until": lease, "started_at": instant(at)}
        begun = new_event(StatusEvent(status=TaskStatus.RUNNING))
        with anyio.CancelScope(shield=True):
            # Whoever is cancelled here would leave a task claimed that nobody does.
            row = await self._store.tasks.claim(task_id, claimed, begun)
        if row is None:
            return None
        self.events.committed(Append(task_id, row["claim"], instant(at), [begun]), row["events"])
        try:
            return claimed_of(row, token, self._secrets.get(task_id, {}))
        except ValueError:
            # An older Holdfast took what this one does not know any more.
            structlog.get_logger().error("a task could not be read", task=task_id)
            failure = TaskFailure(code="invalid_task", message="This version of Holdfast cannot do the task.")
            await self.end_unless(Append(task_id, row["claim"], instant(at)), failure)
            self.bells.ring(QUEUE)
            return None

    async def renew(self, claims: Sequence[str]) -> dict[str, bool]:
        """Lengthen leases; the claims that still hold, and whether their task is to be cancelled."""
        until = instant(now() + timedelta(seconds=self.bounds.lease_seconds))
        return await self._store.tasks.renew(claims, until)

    async def end(self, claimed: Claimed, failure: TaskFailure | None) -> None:
        """Give a task its end. Raises NotOursError."""
        await self.finish(Append(claimed.task_id, claimed.claim, instant(now())), failure)

    async def finish(self, entry: Append, failure: TaskFailure | None) -> None:
        """The same for whoever may make this append. Raises NotOursError."""
        status, event = _ending(failure)
        changes = {
            **UNCLAIMED,
            "status": status.value,
            "state": None,
            "workspace": None,
            "error_code": None if failure is None else failure.code[:64],
            "error_message": None if failure is None else failure.message,
            "ended_at": entry.at,
        }
        end = Append(entry.task_id, entry.claim, entry.at, [new_event(event)], changes, entry.received)
        await self.events.append(end)
        self._forgotten(entry.task_id)
        self._metrics.tasks.labels(status).inc()

    async def end_unless(self, entry: Append, failure: TaskFailure) -> None:
        """The same, unless somebody was faster."""
        try:
            await self.finish(entry, failure)
        except NotOursError:
            return

    async def lose(self, row: Mapping[str, Any]) -> None:
        """The worker of a task is gone: end it, or let another begin."""
        entry = Append(row["task_id"], row["claim"], instant(now()))
        failure = self._why_not_again(row)
        if failure is not None:
            await self.end_unless(entry, failure)
            return
        never_begun = row["attempts"] - 1 if _was_idle(row) else row["attempts"]
        event = new_event(StatusEvent(status=TaskStatus.QUEUED, reason="What did it has stopped."))
        changes = {**UNCLAIMED, "status": TaskStatus.QUEUED.value, "attempts": never_begun}
        try:
            await self.events.append(Append(entry.task_id, entry.claim, entry.at, [event], changes))
        except NotOursError:
            return
        self.bells.ring(QUEUE)

    def _why_not_again(self, row: Mapping[str, Any]) -> TaskFailure | None:
        if row["cancelling"]:
            return CANCELLED
        if row["attempts"] >= row["max_attempts"] and not _was_idle(row):
            return LOST
        return NO_SECRETS if self._lacks_secrets(row) else None

    def _lacks_secrets(self, row: Mapping[str, Any]) -> bool:
        return bool(row["secret_names"]) and row["task_id"] not in self._secrets

    async def release(self, claimed: Claimed) -> None:
        """Whoever does this one must stop now."""
        row = await self._store.tasks.find(claimed.task_id, None)
        if row is not None and row["claim"] == claimed.claim:
            await self.lose(row)

    async def recover(self) -> None:
        """At the start of a server: what an earlier one did is lost, and so are the secrets it knew."""
        for row in await self._store.tasks.held(HERE):
            await self.lose(row)
        for row in await self._store.tasks.unclaimed(TaskStatus.QUEUED):
            if self._lacks_secrets(row):
                await self.end_unless(Append(row["task_id"], None, instant(now())), NO_SECRETS)

    async def lose_overdue(self, workers: Sequence[str] = ()) -> None:
        """Let go of tasks whose lease is over, and of those of workers that are gone."""
        for row in await self._store.tasks.lost(instant(now()), workers):
            structlog.get_logger().warning("a worker has lost its task", task=row["task_id"], worker=row["worker"])
            await self.lose(row)

    async def prune(self) -> int:
        """Remove tasks that are kept long enough; how many. One that has waited for so long ends."""
        oldest = instant(now() - timedelta(days=self._store.retention.days))
        for status in (TaskStatus.QUEUED, TaskStatus.WAITING):
            for row in await self._store.tasks.unclaimed(status):
                if row["created_at"] < oldest:
                    await self.end_unless(Append(row["task_id"], None, instant(now())), EXPIRED)
        return await keeping.prune(self._store, self.files, self.bounds.total_bytes)

    async def seen(self, task_id: str, caller: Caller) -> Mapping[str, Any]:
        """The row of a task. Raises NotFoundError."""
        row = await self._store.tasks.find(task_id, caller.only)
        if row is None:
            raise NotFoundError("There is no such task; GET /tasks lists those there are.", field="task_id")
        return row

    async def _waiting_for(self, row: Mapping[str, Any]) -> str | None:
        if status_of(row) is TaskStatus.WAITING:
            return "an answer to what it has asked; its events say what"
        if status_of(row) is not TaskStatus.QUEUED:
            return None
        return self._checks.waiting_for(row["type"], await self._store.tasks.queued_before(row["seq"]))

    def cancelled(self, task_id: str) -> anyio.Event:
        """What is set when the task is to be cancelled."""
        return self.bells.hear(_cancelling(task_id))

    def _forgotten(self, task_id: str) -> None:
        self._secrets.pop(task_id, None)
        self.bells.ring(_cancelling(task_id))
        self.events.ring(task_id)


UNCLAIMED: Mapping[str, Any] = {"claim": None, "worker": None, "lease_until": None, "cancelling": 0}


def _ending(failure: TaskFailure | None) -> tuple[TaskStatus, AnyTaskEvent]:
    if failure is None:
        return TaskStatus.SUCCEEDED, DoneEvent()
    status = TaskStatus.CANCELLED if failure.code == CANCELLED.code else TaskStatus.FAILED
    return status, ErrorEvent(message=failure.message, code=failure.code[:64])


def _was_idle(row: Mapping[str, Any]) -> bool:
    """Whether nothing is undone: its runner had not begun, or it waited for an answer and knows where it was."""
    never_begun = not row["worker"].startswith(HERE) and row["received"] == 0
    return never_begun or (row["status"] == TaskStatus.WAITING and row["state"] is not None)


def _cancelling(task_id: str) -> str:
    return f"cancel {task_id}"


def _new_row(
    task_id: str, request: AgentTask | WorkflowTask, owner: str | None, key: str | None, request_id: str | None
) -> dict[str, Any]:
    asked = request.model_dump(mode="json", exclude={"secrets", "workspace", "callback_url"}, exclude_unset=True)
    workspace = None if request.workspace is None else request.workspace.model_dump(mode="json", exclude_none=True)
    return {
        "task_id": task_id,
        "type": request.type,
        "owner": owner,
        "key": key,
        "status": TaskStatus.QUEUED.value,
        "request": {**asked, "type": request.type},
        "workspace": workspace,
        "secret_names": sorted(request.secrets),
        "request_id": request.request_id or request_id,
        "max_attempts": request.max_attempts,
        "callback_url": request.callback_url,
        "delivery": "pending" if request.callback_url else None,
        "created_at": instant(now()),
    }
