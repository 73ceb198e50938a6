"""The server's side of runners elsewhere: who is there, what each is given, and what they tell.

Only the lease of a task is kept in the store; who is registered is remembered by this server alone, and a runner
that comes again is known again. A runner tells of its task one callback at a time, each with its own numbers, so that
what comes twice is kept once, and nothing out of order.
"""

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anyio.to_thread import run_sync
from pydantic import ValidationError

from holdfast.errors import InvalidFieldError, MalformedRequestError, NotFoundError, TaskTakenError
from holdfast.store.appending import Append
from holdfast.tasks.claims import Claimed, claim_of, instant
from holdfast.tasks.events import NotOursError, new_event, now
from holdfast.tasks.queue import TaskQueue
from holdfast.tasks.worker import RENEWALS
from holdfast.types import (
    OPERATOR,
    AnyTaskEvent,
    ArtifactEvent,
    AssignedTask,
    DoneEvent,
    ErrorEvent,
    Runner,
    RunnerAssignment,
    RunnerOrders,
    RunnerRegistration,
    Runners,
    StatusEvent,
    TaskFailure,
    TaskStatus,
    task_event,
)
from holdfast.types.invalid import from_validation

STALE_SECONDS = 60.0
FORGOTTEN_SECONDS = 10 * STALE_SECONDS
MOST = 1000
"""Runners that are remembered; of more the ones not heard of for longest are forgotten."""

_OURS = ("first_seq", "state")
_TOLD = frozenset({TaskStatus.RUNNING, TaskStatus.WAITING})


@dataclass(slots=True)
class _Known:
    """A runner, and when it was heard of."""

    runner_id: str
    pod_name: str
    pod_ip: str
    registered_at: datetime
    seen_at: datetime
    claim: str | None = None
    task_id: str | None = None
    heard: float = field(default_factory=time.monotonic)

    @property
    def state(self) -> str:
        """`idle`, `busy` or `stale`."""
        if time.monotonic() - self.heard > STALE_SECONDS:
            return "stale"
        return "busy" if self.claim else "idle"


class Registry:
    """The runners of a server."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._known: dict[str, _Known] = {}

    def all(self) -> Runners:
        """Those that are registered."""
        shown = ("runner_id", "pod_name", "pod_ip", "state", "task_id", "registered_at", "seen_at")
        return Runners(
            runners=tuple(Runner(**{name: getattr(known, name) for name in shown}) for known in self._known.values())
        )

    def count(self, state: str) -> int:
        """How many are in a state."""
        return sum(known.state == state for known in self._known.values())

    async def register(self, body: RunnerRegistration, base_url: str) -> RunnerAssignment:
        """Note a runner, and give it a task if there is one within the time it waits."""
        known = self._heard(body)
        if known.claim is not None:
            # It would not ask if it still did that.
            await self._queue.lose_overdue([known.runner_id])
            known.claim = known.task_id = None
        beat = f"{base_url}/runners/{known.runner_id}/heartbeat"
        told = {"runner_id": known.runner_id, "heartbeat_url": beat, "heartbeat_seconds": self._heartbeat_seconds}
        claimed = await self._queue.claim(body.types, known.runner_id, max(body.wait_seconds, 0.001))
        if claimed is None:
            return RunnerAssignment(**told)
        known.claim, known.task_id = claimed.claim, claimed.task_id
        known.heard = time.monotonic()
        callback_url = f"{base_url}/tasks/{claimed.task_id}/callback"
        return RunnerAssignment(**told, task=self._assigned(claimed), callback_url=callback_url, token=claimed.token)

    def _assigned(self, claimed: Claimed) -> AssignedTask:
        config = claimed.request.model_dump(mode="json", exclude={"secrets", "callback_url"}, exclude_none=True)
        return AssignedTask(
            id=claimed.task_id,
            type=claimed.type,
            config={**config, "secrets": dict(claimed.secrets)},
            attempt=claimed.attempt,
            state=claimed.state,
            request_id=claimed.request_id,
            timeout_seconds=claimed.request.timeout or self._queue.bounds.timeout_seconds,
            owner=claimed.owner,
        )

    async def beat(self, runner_id: str, token: str | None) -> RunnerOrders:
        """A runner lives; with the token of its task it keeps that. Raises NotFoundError."""
        known = self._known.get(runner_id)
        if known is None:
            raise NotFoundError("There is no such runner; register it with POST /runners/register.")
        known.heard, known.seen_at = time.monotonic(), now()
        if token is None:
            return RunnerOrders()
        held = await self._queue.renew([claim_of(token)])
        if claim_of(token) not in held:
            known.claim = known.task_id = None
            return RunnerOrders(held=False, cancel=True)
        return RunnerOrders(cancel=held[claim_of(token)])

    async def leave(self, runner_id: str) -> None:
        """A runner goes; what it did is lost at once. Raises NotFoundError."""
        if self._known.pop(runner_id, None) is None:
            raise NotFoundError("There is no such runner.")
        await self._queue.lose_overdue([runner_id])

    async def receive(self, task_id: str, token: str, body: bytes) -> RunnerOrders:
        """Keep what a runner tells of its task. Raises RequestError."""
        event, first, state = _read(body)
        row = await self._queue.seen(task_id, OPERATOR)
        claim = claim_of(token)
        if row["claim"] != claim:
            raise _taken()
        if event.seq <= row["received"]:
            return RunnerOrders(cancel=bool(row["cancelling"]))
        if first != row["received"] + 1:
            raise InvalidFieldError(f"seq: {row['received'] + 1} is next.", field="seq")
        try:
            await self._keep(task_id, claim, event, (first, event.seq), state)
        except NotOursError:
            raise _taken() from None
        return RunnerOrders(cancel=bool(row["cancelling"]))

    async def _keep(self, task_id: str, claim: str, event: AnyTaskEvent, received: tuple[int, int], state: Any) -> None:
        """Raises NotOursError."""
        changes: dict[str, Any] = {} if state is None else {"state": state}
        if isinstance(event, DoneEvent | ErrorEvent):
            failure = TaskFailure(code=event.code, message=event.message) if isinstance(event, ErrorEvent) else None
            await self._queue.finish(Append(task_id, claim, instant(now()), received=received), failure)
            self._let_go(claim)
            return
        if isinstance(event, StatusEvent):
            changes["status"] = event.status.value
        entry = Append(task_id, claim, instant(now()), [new_event(event)], changes, received)
        await self._queue.events.append(entry)

    async def keep_file(self, task_id: str, token: str, name: str, data: bytes) -> None:
        """Keep a file of a runner's task. Raises RequestError."""
        row = await self._queue.seen(task_id, OPERATOR)
        if row["claim"] != claim_of(token):
            raise _taken()
        await run_sync(self._queue.files.write, task_id, name, data)
        event = new_event(ArtifactEvent(name=name, size_bytes=len(data)))
        try:
            await self._queue.events.append(Append(task_id, row["claim"], instant(now()), [event]))
        except NotOursError:
            raise _taken() from None

    def sweep(self) -> None:
        """Forget runners that have not been heard of for long."""
        for runner_id, known in [*self._known.items()]:
            if time.monotonic() - known.heard > FORGOTTEN_SECONDS:
                del self._known[runner_id]

    @property
    def _heartbeat_seconds(self) -> float:
        return self._queue.bounds.lease_seconds / RENEWALS

    def _heard(self, body: RunnerRegistration) -> _Known:
        known = self._known.get(body.runner_id or "")
        if known is None:
            if len(self._known) >= MOST:
                del self._known[min(self._known.values(), key=lambda each: each.heard).runner_id]
            # One that an earlier server has named keeps its name, so that its lease is known to be its own.
            named = body.runner_id if body.runner_id and body.runner_id.startswith("runner-") else None
            runner_id = named or f"runner-{secrets.token_hex(8)}"
            known = _Known(runner_id, body.pod_name, body.pod_ip, registered_at=now(), seen_at=now())
            self._known[runner_id] = known
        known.heard, known.seen_at = time.monotonic(), now()
        return known

    def _let_go(self, claim: str) -> None:
        for known in self._known.values():
            if known.claim == claim:
                known.claim = known.task_id = None


def _taken() -> TaskTakenError:
    return TaskTakenError("The task has ended, or somebody else does it now.")


def _read(body: bytes) -> tuple[AnyTaskEvent, int, Any]:
    """An event, the number of the first that it stands for, and the state that is to be kept with it."""
    try:
        told = json.loads(body)
    except ValueError:
        raise MalformedRequestError("The body is not JSON.") from None
    if not isinstance(told, dict):
        raise MalformedRequestError("The body is not an event of a task.")
    first, state = (told.pop(name, None) for name in _OURS)
    try:
        event = task_event.validate_python(told)
    except ValidationError as error:
        raise from_validation(error) from None
    if event.seq < 1 or not isinstance(first, int | None):
        raise InvalidFieldError("seq: an event of a runner has a number, 1 or more.", field="seq")
    if isinstance(event, StatusEvent) and event.status not in _TOLD:
        raise InvalidFieldError("status: a runner tells of running and waiting.", field="status")
    return event, first or event.seq, state
