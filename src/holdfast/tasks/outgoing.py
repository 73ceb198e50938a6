"""What a runner tells of its task: numbered, in order, one at a time, tried again until it is there or all is given up.

To a server of ours nothing may be left out, since it counts; to any other callback the rule of `delivery` holds.
"""

import json
from collections import deque
from typing import Any

import anyio
import structlog

from holdfast.tasks.callbacks import Poster
from holdfast.tasks.delivery import CRITICAL_TRIES, WINDOW, Backoff, Message, message_of
from holdfast.tasks.events import NotOursError, now
from holdfast.types import CRITICAL_EVENTS, AnyTaskEvent

ROOM = 1000
"""Events that may wait to be sent; whoever has more waits for room."""

_TAKEN = 409


class Outgoing:
    """The events of one task on their way to a callback, while `run` runs."""

    def __init__(self, poster: Poster, url: str, task_id: str, backoff: Backoff, *, counted: bool) -> None:
        self.over = anyio.Event()
        """Set when nothing can be sent any more: it was given up, or the task was taken away."""

        self._poster = poster
        self._url = url
        self._task_id = task_id
        self._backoff = backoff
        self._counted = counted
        self._waiting: deque[AnyTaskEvent] = deque()
        self._states: dict[int, Any] = {}
        self._seq = 0
        self._changed = anyio.Event()

    async def put(self, event: AnyTaskEvent, state: Any = None) -> None:
        """Give it a number and send it after all before. Raises NotOursError when nothing can be sent any more."""
        while len(self._waiting) >= ROOM and not self.over.is_set():
            await self._changed.wait()
        if self.over.is_set():
            raise NotOursError(self._task_id)
        self._seq += 1
        given = {"task_id": self._task_id, "seq": self._seq, "timestamp": now()}
        if state is not None:
            self._states[self._seq] = state
        self._waiting.append(event.model_copy(update=given))
        self._notice()

    async def flush(self) -> bool:
        """Return when all is sent; whether it was."""
        while self._waiting and not self.over.is_set():
            await self._changed.wait()
        return not self._waiting

    async def run(self) -> None:
        """Send what comes, until cancelled or given up."""
        while not self.over.is_set():
            if not self._waiting:
                await self._changed.wait()
                continue
            window = [self._waiting[index] for index in range(min(WINDOW, len(self._waiting)))]
            message = message_of(window)
            if await self._sent(message):
                self._remove(message.last)
            else:
                self.over.set()
            self._notice()

    async def _sent(self, message: Message) -> bool:
        """Whether to go on with the next. What was tried once stays as it is."""
        body = self._with_state(message)
        most = CRITICAL_TRIES if self._counted else message.tries
        for tries in range(1, most + 1):
            key = f"{self._task_id}:{message.first}"
            posted = await self._poster.post(self._url, self._task_id, key, body, {})
            if posted.delivered:
                return True
            structlog.get_logger().warning("a callback has failed", seq=message.last, tries=tries, reason=posted.reason)
            if self._counted and posted.status == _TAKEN:
                return False
            if tries < most:
                await anyio.sleep(self._backoff.seconds(tries))
        if self._counted or message.type in CRITICAL_EVENTS:
            return False
        self._drop()
        return True

    def _drop(self) -> None:
        """Leave out all that waits until the next critical event."""
        while len(self._waiting) > 1 and self._waiting[1].type not in CRITICAL_EVENTS:
            del self._waiting[1]

    def _remove(self, last: int) -> None:
        while self._waiting and self._waiting[0].seq <= last:
            self._states.pop(self._waiting.popleft().seq, None)

    def _with_state(self, message: Message) -> bytes:
        state = self._states.get(message.last)
        if state is None:
            return message.body
        return json.dumps(json.loads(message.body) | {"state": state}, allow_nan=False).encode()

    def _notice(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
