"""Events of tasks: written in groups, in the order they came, and handed to whoever follows them.

One writer takes all that has come while it wrote before, so that tokens of a model wait for one transaction at most.
What is committed goes to followers from memory; they read the database for what was before they came.
"""

import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog

from holdfast.errors import StoreUnavailableError
from holdfast.store import Store
from holdfast.store.appending import Append, NewEvent
from holdfast.tasks.bells import Bells, patiently
from holdfast.tasks.tails import Tails
from holdfast.types import FINAL_STATUSES, AnyTaskEvent, TaskStatus, task_event

BATCH = 500
ROOM = 2000
"""Appends that may wait to be written; whoever has more waits for room."""

PAGE = 500
AGAIN_SECONDS = 0.5
POLL_SECONDS = 5.0
"""How late a follower is at most if nobody rings."""

DELIVERIES = "deliveries"
QUEUE = "queue"
LAST = frozenset({"done", "error"})
_GIVEN = frozenset({"task_id", "seq", "timestamp"})


class NotOursError(Exception):
    """The task has ended, or somebody else does it: nothing was written."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """An append on its way, and what became of it."""

    entry: Append
    written: anyio.Event = field(default_factory=anyio.Event)
    last: int | None = None


class EventLog:
    """Appends events to tasks while `run` runs, and rings for those who follow them."""

    def __init__(self, store: Store, bells: Bells) -> None:
        self._store = store
        self._bells = bells
        self._tails = Tails()
        self._waiting: deque[_Waiting] = deque()
        self._arrived = anyio.Event()
        self._room = anyio.Event()
        self._over = False

    async def run(self) -> None:
        """Write what arrives, in its order, until cancelled; what has arrived by then is still written."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived = anyio.Event()
                while self._waiting:
                    await self._write()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(2 * AGAIN_SECONDS):
                while self._waiting:
                    await self._write()
            self._over = True
            self._give_up()

    async def append(self, entry: Append) -> int:
        """Return when it is written: the number of the task's last event. Raises NotOursError."""
        waiting = await self._add(entry)
        await waiting.written.wait()
        if waiting.last is None:
            raise NotOursError(entry.task_id)
        return waiting.last

    async def hand_over(self, entry: Append) -> None:
        """Return when there is room for it; it is written soon, before all that comes after it."""
        await self._add(entry)

    def _give_up(self) -> None:
        """Nobody waits for what is never written."""
        while self._waiting:
            self._waiting.popleft().written.set()
        self._room.set()

    async def _add(self, entry: Append) -> _Waiting:
        while len(self._waiting) >= ROOM and not self._over:
            await self._room.wait()
        if self._over:
            raise NotOursError(entry.task_id)
        waiting = _Waiting(entry)
        self._waiting.append(waiting)
        self._arrived.set()
        return waiting

    async def _write(self) -> None:
        batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
        try:
            lasts = await self._store.tasks.append([waiting.entry for waiting in batch])
        except StoreUnavailableError:
            # Tasks wait for their database: an event that is not kept has not happened.
            structlog.get_logger().error("events of tasks wait for the database", events=len(batch))
            await anyio.sleep(AGAIN_SECONDS)
            return
        for waiting, last in zip(batch, lasts, strict=True):
            self._waiting.popleft()
            if last is not None:
                self.committed(waiting.entry, last)
            waiting.last = last
            waiting.written.set()
        self._room.set()
        self._room = anyio.Event()

    def committed(self, entry: Append, last: int) -> None:
        """Hand what was just written to who follows the task; `last` is the number of its last event."""
        tail = self._tails.held(entry.task_id)
        if tail is not None:
            tail.extend(entry.rows(last))
        self._bells.ring(DELIVERIES)

    def ring(self, task_id: str) -> None:
        """Something else has become of a task: wake who follows it, and who delivers."""
        tail = self._tails.held(task_id)
        if tail is not None:
            tail.doubt()
        self._bells.ring(DELIVERIES)

    async def follow(
        self, task_id: str, after: int, is_there: Callable[[], Awaitable[TaskStatus | None]]
    ) -> AsyncGenerator[AnyTaskEvent, None]:
        """The events of a task after a number as they come, until its last one, or until the task is not there."""
        tail = self._tails.of(task_id)
        looked = -1
        while True:
            changed, doubts = tail.changed, tail.doubts
            rows: Sequence[Mapping[str, Any]] = tail.after(after)
            if not rows and (looked != doubts or tail.lacks(after)):
                rows, over = await self._look(task_id, after, is_there)
                if over and not rows:
                    return
                looked = looked if rows else doubts
            elif not rows and not await patiently(changed, POLL_SECONDS):
                looked = -1
            for row in rows:
                yield event_of(row)
                after = row["seq"]
            if rows and rows[-1]["type"] in LAST:
                return

    async def _look(
        self, task_id: str, after: int, is_there: Callable[[], Awaitable[TaskStatus | None]]
    ) -> tuple[Sequence[Mapping[str, Any]], bool]:
        """What the database has after a number, and whether nothing will come any more."""
        rows = await self._store.tasks.events(task_id, after, PAGE)
        if rows:
            return rows, False
        # Asked for only when there is nothing new, and then what has come in between is still read.
        status = await is_there()
        over = status is None or status in FINAL_STATUSES
        return (await self._store.tasks.events(task_id, after, PAGE) if over else []), over


def new_event(event: AnyTaskEvent) -> NewEvent:
    """An event as it is appended."""
    return NewEvent(event.type, event.model_dump_json(exclude=set(_GIVEN), exclude_none=True))


def event_of(row: Mapping[str, Any]) -> AnyTaskEvent:
    """An event as it is kept."""
    return task_event.validate_python(
        {
            **json.loads(row["body"]),
            "task_id": row["task_id"],
            "seq": row["seq"],
            "timestamp": datetime.fromisoformat(row["created_at"]),
        }
    )


def now() -> datetime:
    """The time of day, as it is kept."""
    return datetime.now(UTC)
