"""The server's end of a control socket: frames in and out, never blocking."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.engines.control.inbox import ConnectionLost, Inbox
from holdfast.guest.frames import marshalled, pack, receive_with_fds

_READ_BYTES = 1 << 16


class Connection(Inbox):
    """Frames over a non-blocking socket. Of either kind, reports and answers, one task receives at a time.

    `take_descriptors`: the peer may send some, which wait in `descriptors`; otherwise the kernel drops them.
    """

    def __init__(self, end: socket.socket, *, take_descriptors: bool = False) -> None:
        super().__init__()
        end.setblocking(False)
        self._socket = end
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()
        self._receive_some = self._receive_with_descriptors if take_descriptors else self._receive_bytes
        self.descriptors: list[int] = []
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

    def close(self) -> None:
        """Close our end; for pid 1 this is the order to end the cell."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        while self.descriptors:
            os.close(self.descriptors.pop())
        self.end()

    def _on_readable(self) -> None:
        try:
            data = self._receive_some()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            self.end()
            return
        self.feed(data)

    def _receive_bytes(self) -> bytes:
        return self._socket.recv(_READ_BYTES)

    def _receive_with_descriptors(self) -> bytes:
        data, fds = receive_with_fds(self._socket, _READ_BYTES)
        self.descriptors += fds
        return data
