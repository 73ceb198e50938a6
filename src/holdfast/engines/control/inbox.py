"""Messages from a pid 1, cut out of its byte stream: reports and answers, which nobody mixes up."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from holdfast.guest.frames import LENGTHS

MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 64 << 20
_ANSWERS = ("done", "refused")

Message = tuple[dict[str, Any], bytes]


class ConnectionLost(Exception):
    """The peer is gone."""


class Inbox:
    """Of either kind, reports and answers, one task receives at a time. `on_output` gets what a program wrote."""

    def __init__(self, on_output: Callable[[str, bytes], None] | None = None) -> None:
        self._buffer = bytearray()
        self._reports = _Mailbox(self)
        self._answers = _Mailbox(self)
        self._on_output = on_output
        self.lost = False

    async def receive(self) -> Message:
        """The next report: that a sandbox is ready or has failed, or a verdict. Raises ConnectionLost at the end."""
        return await self._reports.take()

    async def answer(self) -> Message:
        """The next answer to a question. Raises ConnectionLost at the end."""
        return await self._answers.take()

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._buffer += data
        while self._take_frame():
            continue

    def end(self) -> None:
        """Nothing more will arrive."""
        self.lost = True
        self._reports.wake()
        self._answers.wake()

    def _take_frame(self) -> bool:
        if len(self._buffer) < LENGTHS.size:
            return False
        header_size, payload_size = LENGTHS.unpack_from(self._buffer)
        if header_size > MAX_HEADER_BYTES or payload_size > MAX_PAYLOAD_BYTES:
            self.end()
            return False
        end = LENGTHS.size + header_size + payload_size
        if len(self._buffer) < end:
            return False
        start = LENGTHS.size + header_size
        header = json.loads(self._buffer[LENGTHS.size : start])
        self._deliver(header, bytes(self._buffer[start:end]))
        del self._buffer[:end]
        return True

    def _deliver(self, header: dict[str, Any], payload: bytes) -> None:
        if header["op"] == "output" and self._on_output is not None:
            self._on_output(header["stream"], payload)
            return
        box = self._answers if header["op"] in _ANSWERS else self._reports
        box.put((header, payload))


class _Mailbox:
    """Messages of one kind that nobody has taken yet."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._messages: deque[Message] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self) -> Message:
        """The oldest message, soon. Raises ConnectionLost at the end."""
        while not self._messages:
            if self._inbox.lost:
                raise ConnectionLost
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._messages.popleft()
