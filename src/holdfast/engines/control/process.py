"""A command running in a container: what it wrote, as it arrives, and pid 1's verdict."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol, cast

from holdfast.engines import Exited, Output, ProcessEvent
from holdfast.guest.streams import WINDOW
from holdfast.types import Usage

_TELL_BYTES = WINDOW // 4
"""After how much has been read pid 1 is told, so that it sends more."""


class Control(Protocol):
    """The way to pid 1."""

    async def order(self, op: str, payload: bytes = b"", **details: Any) -> None:
        """Tell it something; one that is gone need not be told."""
        ...

    async def usage(self) -> Usage:
        """Ask for its account. Raises EngineError."""
        ...


class ContainedProcess:
    """An async iterator of `Output` that ends with one `Exited`."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._chunks: deque[Output] = deque()
        self._changed = asyncio.Event()
        self._verdict: Exited | BaseException | None = None
        self._untold = 0

    @property
    def finished(self) -> bool:
        """Whether the verdict is in (output may still be unread)."""
        return self._verdict is not None

    def put(self, stream: str, data: bytes) -> None:
        """Take what the program has written."""
        self._chunks.append(Output(cast('Literal["stdout", "stderr", "frames"]', stream), data))
        self._changed.set()

    def finish(self, verdict: Exited | BaseException) -> None:
        """Take the verdict, or the reason there is none."""
        self._verdict = verdict
        self._changed.set()

    async def kill(self) -> None:
        """End the whole process tree."""
        if not self.finished:
            await self._control.order("kill")

    async def send(self, data: bytes) -> None:
        """Write to its stdin. Pid 1 ends a program that does not read what it is sent."""
        if not self.finished:
            await self._control.order("input", data, last=False)

    async def interrupt(self) -> None:
        """Send SIGINT to its process group."""
        if not self.finished:
            await self._control.order("interrupt")

    async def usage(self) -> Usage:
        """What the container has used so far. Raises EngineError."""
        return await self._control.usage()

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
        while True:
            self._changed.clear()
            while self._chunks:
                chunk = self._chunks.popleft()
                yield chunk
                await self._tell(len(chunk.data))
            if self._verdict is not None:
                if isinstance(self._verdict, BaseException):
                    raise self._verdict
                yield self._verdict
                return
            await self._changed.wait()

    async def _tell(self, count: int) -> None:
        self._untold += count
        if self._untold >= _TELL_BYTES and not self.finished:
            untold, self._untold = self._untold, 0
            await self._control.order("taken", bytes=untold)
