"""The server's end of a control socket: frames in and out, never blocking."""

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.guest.frames import LENGTHS, marshalled, pack, receive_with_fds

_READ_BYTES = 1 << 18
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 64 << 20
_ANSWERS = ("done", "refused")

Message = tuple[dict[str, Any], bytes]


class ConnectionLost(Exception):
    """The peer is gone."""


class Connection:
    """Frames over a non-blocking socket. Of either kind, reports and answers, one task receives at a time.

    `take_descriptors`: the peer may send some, which wait in `descriptors`; otherwise the kernel drops them.
    """

    def __init__(self, end: socket.socket, *, take_descriptors: bool = False) -> None:
        end.setblocking(False)
        self._socket = end
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._reports = _Mailbox(self)
        self._answers = _Mailbox(self)
        self._sending = asyncio.Lock()
        self._receive_some = self._receive_with_descriptors if take_descriptors else self._receive_bytes
        self.descriptors: list[int] = []
        self.lost = False
        self._loop.add_reader(end, self._on_readable)

    async def send(self, header: Mapping[str, Any], payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        """Send one frame. Raises ConnectionLost."""
        await self.send_encoded(marshalled(dict(header)), payload, fds)

    async def send_encoded(self, header: bytes, payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        """Send one frame whose header is encoded already. Raises ConnectionLost."""
        data = pack(header, payload)
        try:
            async with self._sending:
                sent = self._send_now(data, fds)
                if sent < len(data):
                    await self._loop.sock_sendall(self._socket, memoryview(data)[sent:])
        except (OSError, ValueError) as error:
            raise ConnectionLost from error

    def _send_now(self, data: bytes, fds: Sequence[int]) -> int:
        try:
            return socket.send_fds(self._socket, [data], list(fds)) if fds else self._socket.send(data)
        except BlockingIOError:
            if fds:
                raise
            return 0

    async def receive(self) -> Message:
        """The next report: that a sandbox is ready or has failed, or a verdict. Raises ConnectionLost at the end."""
        return await self._reports.take()

    async def answer(self) -> Message:
        """The next answer to a question. Raises ConnectionLost at the end."""
        return await self._answers.take()

    def close(self) -> None:
        """Close our end; for pid 1 this is the order to end the cell."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        while self.descriptors:
            os.close(self.descriptors.pop())
        self._end()

    def _on_readable(self) -> None:
        try:
            data = self._receive_some()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            self._end()
            return
        self._buffer += data
        while self._take_frame():
            continue

    def _receive_bytes(self) -> bytes:
        return self._socket.recv(_READ_BYTES)

    def _receive_with_descriptors(self) -> bytes:
        data, fds = receive_with_fds(self._socket, _READ_BYTES)
        self.descriptors += fds
        return data

    def _take_frame(self) -> bool:
        if len(self._buffer) < LENGTHS.size:
            return False
        header_size, payload_size = LENGTHS.unpack_from(self._buffer)
        if header_size > MAX_HEADER_BYTES or payload_size > MAX_PAYLOAD_BYTES:
            self._end()
            return False
        end = LENGTHS.size + header_size + payload_size
        if len(self._buffer) < end:
            return False
        start = LENGTHS.size + header_size
        header = json.loads(self._buffer[LENGTHS.size : start])
        box = self._answers if header["op"] in _ANSWERS else self._reports
        box.put((header, bytes(self._buffer[start:end])))
        del self._buffer[:end]
        return True

    def _end(self) -> None:
        self.lost = True
        self._reports.wake()
        self._answers.wake()


class _Mailbox:
    """Messages of one kind that nobody has taken yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
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
            if self._connection.lost:
                raise ConnectionLost
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._messages.popleft()
