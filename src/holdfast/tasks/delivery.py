"""Delivery of events to callbacks: in order, at least once, from the rows, beside whatever the tasks do.

What is sent next is written down before it is sent, so that the same events go under the same key however often and by
whichever server they are tried. The rule for those that cannot be delivered: `done`, `error` and `tool_end` are tried
ten times, and then the delivery is dead until it is asked for again; any other is tried five times, and then dropped
with all that follow it until the next of those three. Tokens of one message that wait are sent as one.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio
import structlog
from anyio.abc import TaskGroup
from pydantic import ValidationError

from holdfast.errors import StoreUnavailableError
from holdfast.store import Store
from holdfast.tasks.bells import Bells, patiently
from holdfast.tasks.callbacks import Posted, Poster
from holdfast.tasks.claims import instant
from holdfast.tasks.events import DELIVERIES, event_of, now
from holdfast.telemetry import Metrics
from holdfast.types import CRITICAL_EVENTS, AnyTaskEvent, TokenEvent

CRITICAL_TRIES = 10
TRIES = 5
WINDOW = 500
"""Events looked at to find what is sent next."""

JOINED_CHARACTERS = 32_768
TOGETHER = 200
PER_OWNER = 32
"""Deliveries at a time, in all and of one key: those that hang keep others' away."""

LOOK_SECONDS = 1.0
_UNREAD = "An event of the task cannot be read."
GATHER_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long until the next try: doubling from `first_seconds` to 60 times that, and up to a quarter more."""

    first_seconds: float = 0.5

    def seconds(self, tries: int) -> float:
        """After so many tries, 1 or more."""
        longest = 60 * self.first_seconds
        return min(self.first_seconds * 2.0 ** (tries - 1), longest) * random.uniform(1, 1.25)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Message:
    """One callback: an event, or several tokens as one. `first` and `last` are the numbers of the events in it."""

    type: str
    first: int
    last: int
    body: bytes

    @property
    def tries(self) -> int:
        """How often it is tried."""
        return CRITICAL_TRIES if self.type in CRITICAL_EVENTS else TRIES


def message_of(events: Sequence[AnyTaskEvent], until: int | None = None) -> Message:
    """The first of these events, with the tokens that go with it; exactly those up to `until`, if that is given."""
    joined = [events[0]]
    characters = 0
    for event in events[1:]:
        if until is not None and event.seq > until:
            break
        if until is None and not _goes_with(joined[0], event, characters):
            break
        joined.append(event)
        characters += len(event.text) if isinstance(event, TokenEvent) else 0
    first = joined[0]
    told = first.model_dump(mode="json", exclude_none=True)
    if isinstance(first, TokenEvent) and len(joined) > 1:
        text = "".join(event.text for event in joined if isinstance(event, TokenEvent))
        told |= {"text": text, "seq": joined[-1].seq, "first_seq": first.seq}
    body = json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
    return Message(first.type, first.seq, joined[-1].seq, body)


def _goes_with(first: AnyTaskEvent, event: AnyTaskEvent, characters: int) -> bool:
    tokens = isinstance(first, TokenEvent) and isinstance(event, TokenEvent) and first.message_id == event.message_id
    return tokens and characters < JOINED_CHARACTERS


class Courier:
    """Delivers the events of all tasks that have a callback, while `run` runs."""

    def __init__(self, store: Store, bells: Bells, poster: Poster, backoff: Backoff, metrics: Metrics) -> None:
        self._store = store
        self._bells = bells
        self._poster = poster
        self._backoff = backoff
        self._metrics = metrics
        self._busy: dict[str, str | None] = {}

    async def run(self) -> None:
        """Until cancelled. What is not delivered by then is delivered by the next server."""
        async with anyio.create_task_group() as group:
            while True:
                bell = self._bells.hear(DELIVERIES)
                try:
                    await self._begin(group)
                except StoreUnavailableError:
                    structlog.get_logger().error("callbacks wait for the database")
                await patiently(bell, LOOK_SECONDS)
                # Events come in crowds, and readers before callbacks.
                await anyio.sleep(GATHER_SECONDS)

    async def _begin(self, group: TaskGroup) -> None:
        for row in await self._store.tasks.deliverable(instant(now()), TOGETHER + len(self._busy)):
            task_id, owner = row["task_id"], row["owner"]
            crowded = len(self._busy) >= TOGETHER or [*self._busy.values()].count(owner) >= PER_OWNER
            if task_id in self._busy or crowded:
                continue
            self._busy[task_id] = owner
            group.start_soon(self._deliver, task_id)

    async def _deliver(self, task_id: str) -> None:
        """Send what there is, until there is nothing, or until it must be tried later."""
        try:
            while await self._next(task_id):
                continue
        except StoreUnavailableError:
            structlog.get_logger().error("a callback waits for the database", task=task_id)
            await anyio.sleep(LOOK_SECONDS)
        finally:
            del self._busy[task_id]
            self._bells.ring(DELIVERIES)

    async def _next(self, task_id: str) -> bool:
        """Send the next message once; whether there may be another one to send now."""
        row = await self._store.tasks.find(task_id, None)
        if row is None or row["delivery"] != "pending":
            return False
        try:
            events = [event_of(each) for each in await self._store.tasks.events(task_id, row["delivered_seq"], WINDOW)]
        except ValidationError:
            # Those of other tasks go on.
            structlog.get_logger().error("the delivery of a task's events is dead", task=task_id, reason=_UNREAD)
            await self._store.tasks.note_delivery(task_id, {"delivery": "dead", "delivery_error": _UNREAD})
            return False
        if not events:
            return False
        message = await self._written_down(row, events)
        posted = await self._post(row, message)
        if posted.delivered:
            await self._note(row, message.last)
            self._metrics.callbacks.labels("delivered").inc()
            return True
        return await self._failed(row, message, posted.reason)

    async def _written_down(self, row: Mapping[str, Any], events: Sequence[AnyTaskEvent]) -> Message:
        """What is sent next. It stays what it was for a try before."""
        before = row["sending_seq"]
        if before > row["delivered_seq"]:
            return message_of(events, before)
        message = message_of(events)
        if message.type == "token":
            # More of them may have come by the next try.
            await self._store.tasks.note_delivery(row["task_id"], {"sending_seq": message.last})
        return message

    async def _post(self, row: Mapping[str, Any], message: Message) -> Posted:
        more = {"X-Request-ID": row["request_id"]} if row["request_id"] else {}
        key = f"{row['task_id']}:{message.first}"
        return await self._poster.post(row["callback_url"], row["task_id"], key, message.body, more)

    async def _note(self, row: Mapping[str, Any], reached: int, dropped: int = 0) -> None:
        changes = {
            "delivered_seq": reached,
            "delivery_attempts": 0,
            "delivery_at": None,
            "delivery_error": row["delivery_error"] if dropped else None,
            "dropped": row["dropped"] + dropped,
        }
        await self._store.tasks.note_delivery(row["task_id"], changes)

    async def _failed(self, row: Mapping[str, Any], message: Message, error: str) -> bool:
        tries = row["delivery_attempts"] + 1
        host = urlsplit(row["callback_url"]).hostname
        log = structlog.get_logger().bind(task=row["task_id"], seq=message.last, host=host, tries=tries)
        if tries < message.tries:
            log.info("a callback will be tried again", reason=error)
            pause = self._backoff.seconds(tries)
            later = instant(now() + timedelta(seconds=pause))
            changes = {"delivery_attempts": tries, "delivery_error": error, "delivery_at": later}
            await self._store.tasks.note_delivery(row["task_id"], changes)
            self._metrics.callbacks.labels("failed").inc()
            # Longer pauses end with a look.
            await anyio.sleep(min(pause, LOOK_SECONDS / 4))
            return False
        if message.type in CRITICAL_EVENTS:
            log.error("the delivery of a task's events is dead", reason=error)
            changes = {"delivery": "dead", "delivery_attempts": tries, "delivery_error": error, "delivery_at": None}
            await self._store.tasks.note_delivery(row["task_id"], changes)
            self._metrics.callbacks.labels("dead").inc()
            return False
        log.warning("events are dropped", reason=error)
        await self._drop(row, message)
        return True

    async def _drop(self, row: Mapping[str, Any], message: Message) -> None:
        """Leave out what could not be delivered, and all there is until the next critical event."""
        reached = message.last
        for event in await self._store.tasks.events(row["task_id"], message.last, WINDOW):
            if event["type"] in CRITICAL_EVENTS:
                break
            reached = event["seq"]
        count = reached - row["delivered_seq"]
        self._metrics.callbacks.labels("dropped").inc(count)
        await self._note(row, reached, count)
