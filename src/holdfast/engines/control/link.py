"""A pair of byte streams to a pid 1, as messages."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from holdfast.engines.control.inbox import ConnectionLost, Inbox
from holdfast.guest.frames import marshalled, pack


class Link(Protocol):
    """The stdin and stdout of a container, however they are reached."""

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises OSError when nobody reads any more."""
        ...

    async def receive(self) -> bytes:
        """What has arrived, at least one byte; nothing at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of both; for pid 1 this is the order to end."""
        ...


class LinkConnection(Inbox):
    """Messages over a link. What a program writes goes to `outlet`; it is always read, so that answers come through."""

    def __init__(self, link: Link) -> None:
        super().__init__(self._output)
        self._link = link
        self._sending = asyncio.Lock()
        self._outlet: Outlet | None = None
        self._reading = asyncio.create_task(self._read())

    def give_output_to(self, outlet: "Outlet | None") -> None:
        """From here on."""
        self._outlet = outlet

    async def send(self, header: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send one message. Raises ConnectionLost."""
        if self.lost:
            raise ConnectionLost
        try:
            async with self._sending:
                await self._link.send(pack(marshalled(dict(header)), payload))
        except (OSError, RuntimeError) as error:
            raise ConnectionLost from error

    def close(self) -> None:
        """Let go; for pid 1 this is the order to end."""
        self._reading.cancel()
        self._link.close()
        self.end()

    async def aclose(self) -> None:
        """Let go, and wait until nothing is read any more."""
        self.close()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            with suppress(OSError):
                while data := await self._link.receive():
                    self.feed(data)
        finally:
            self.end()

    def _output(self, stream: str, data: bytes) -> None:
        if self._outlet is not None:
            self._outlet.put(stream, data)


class Outlet(Protocol):
    """Who wants what a program writes."""

    def put(self, stream: str, data: bytes) -> None: ...
