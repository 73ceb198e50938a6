"""Who may run now, who waits, and who is sent away: a fixed number of places and a bounded first-come queue."""

import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import anyio

from holdfast.errors import QueueFullError, ShuttingDownError

_LONGEST_ADVICE_SECONDS = 60
_MEMORY_OF_DURATIONS = 0.2
_HELD: ContextVar[bool] = ContextVar("held", default=False)
"""Whether the caller holds a place already, for all that it runs."""


class _Ticket:
    """One waiting caller. `admitted` is set by whoever hands over a place."""

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.admitted = False


class Admission:
    """`places` concurrent runs and a queue of at most `queue` more; everyone else gets QueueFullError."""

    def __init__(self, *, places: int, queue: int) -> None:
        self.places = places
        self.queue = queue
        self.draining = False
        self._free = places
        self._tickets: deque[_Ticket] = deque()
        self._typical_seconds = 1.0
        self._idle = anyio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Places in use."""
        return self.places - self._free

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._tickets)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place for the length of the block. Raises QueueFullError, ShuttingDownError."""
        if _HELD.get():
            yield
            return
        await self._enter()
        started = time.monotonic()
        try:
            yield
        finally:
            self._typical_seconds += _MEMORY_OF_DURATIONS * (time.monotonic() - started - self._typical_seconds)
            self._leave()

    @asynccontextmanager
    async def place_for_all(self) -> AsyncIterator[None]:
        """Hold one place for all the runs of the block, one after the other: what has begun is not sent away.

        Raises QueueFullError, ShuttingDownError.
        """
        async with self.place():
            token = _HELD.set(True)
            try:
                yield
            finally:
                _HELD.reset(token)

    def check(self) -> None:
        """For who has something to do before a place is needed. Raises QueueFullError, ShuttingDownError."""
        self._refuse_when_draining()
        if not self._free and self.waiting >= self.queue:
            raise self._full()

    def drain(self) -> None:
        """Take nobody new and send the queue away; those who run keep their places."""
        self.draining = True
        while self._tickets:
            self._tickets.popleft().called.set()

    async def wait_until_idle(self) -> None:
        """Return when no place is in use."""
        await self._idle.wait()

    async def _enter(self) -> None:
        self._refuse_when_draining()
        if self._free:
            self._free -= 1
            if self._idle.is_set():
                self._idle = anyio.Event()
            return
        if self.waiting >= self.queue:
            raise self._full()
        await self._wait_in_line()

    async def _wait_in_line(self) -> None:
        ticket = _Ticket()
        self._tickets.append(ticket)
        try:
            await ticket.called.wait()
        except BaseException:
            # Cancelled while waiting: a place that was handed over at the same moment must not be lost.
            if ticket.admitted:
                self._leave()
            elif ticket in self._tickets:
                self._tickets.remove(ticket)
            raise
        if not ticket.admitted:
            self._refuse_when_draining()

    def _leave(self) -> None:
        if self._tickets:
            ticket = self._tickets.popleft()
            ticket.admitted = True
            ticket.called.set()
            return
        self._free += 1
        if self._free == self.places:
            self._idle.set()

    def _refuse_when_draining(self) -> None:
        if self.draining:
            raise ShuttingDownError("The server is shutting down and takes no new runs.")

    def _full(self) -> QueueFullError:
        return QueueFullError(
            f"All {self.places} places and all {self.queue} waiting places are taken.",
            retry_after_seconds=self._advice(),
        )

    def _advice(self) -> int:
        estimate = self._typical_seconds * (self.waiting + 1) / self.places
        return min(_LONGEST_ADVICE_SECONDS, max(1, math.ceil(estimate)))
