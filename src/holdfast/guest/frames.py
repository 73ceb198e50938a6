"""Messages over a stream socket: a JSON header, a payload of bytes, and sometimes file descriptors.

Layout: header length and payload length as two unsigned 32-bit integers in network order, then both. Descriptors ride
on the first byte. Both sides are ours; a malformed frame means a broken peer and ends the connection.
"""

import array
import json
import socket
import struct
from typing import Any, NamedTuple

LENGTHS = struct.Struct("!II")
MAX_FDS = 8


class Frame(NamedTuple):
    """One received message."""

    header: dict[str, Any]
    payload: bytes
    fds: list[int]


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """The bytes of one message."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


def join_files(files: dict[str, bytes]) -> tuple[list[tuple[str, int]], bytes]:
    """Named contents as an index of names and sizes, and one payload."""
    return [(name, len(data)) for name, data in files.items()], b"".join(files.values())


def split_files(index: list[tuple[str, int]], payload: bytes) -> dict[str, bytes]:
    """The reverse of `join_files`."""
    files: dict[str, bytes] = {}
    offset = 0
    for name, size in index:
        files[name] = payload[offset : offset + size]
        offset += size
    return files


class Channel:
    """The blocking end of a connection, for the processes inside a cell."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, header: dict[str, Any], payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send one message. Raises OSError when the peer is gone."""
        data = pack(header, payload)
        if not fds:
            self._socket.sendall(data)
            return
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        sent = self._socket.sendmsg([data], rights)
        if sent < len(data):
            self._socket.sendall(memoryview(data)[sent:])

    def receive(self) -> Frame | None:
        """The next message, or None when the peer has closed. Raises OSError."""
        lengths, fds = self._receive_lengths()
        if len(lengths) < LENGTHS.size:
            return None
        header_size, payload_size = LENGTHS.unpack(lengths)
        header = self._receive_exactly(header_size)
        payload = self._receive_exactly(payload_size)
        if header is None or payload is None:
            return None
        return Frame(json.loads(header), payload, fds)

    def close(self) -> None:
        self._socket.close()

    def _receive_lengths(self) -> tuple[bytes, list[int]]:
        space = socket.CMSG_LEN(MAX_FDS * array.array("i").itemsize)
        data, ancillary, _, _ = self._socket.recvmsg(LENGTHS.size, space, socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
        if 0 < len(data) < LENGTHS.size:
            data += self._receive_exactly(LENGTHS.size - len(data)) or b""
        return data, list(fds)

    def _receive_exactly(self, size: int) -> bytes | None:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            received = self._socket.recv_into(view)
            if received == 0:
                return None
            view = view[received:]
        return bytes(buffer)
