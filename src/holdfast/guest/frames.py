"""Messages over a stream socket: a header, a payload of bytes, and sometimes file descriptors.

Layout: header length and payload length as two unsigned 32-bit integers in network order, then both. Descriptors ride
on the first byte. Towards less trusted processes a header is marshalled, because decoding that needs no module; towards
more trusted ones it is JSON text, because decoding that is safe whatever arrives. A malformed frame means a broken
peer and ends the connection.

The processes of a cell import as little as they can: every page an interpreter has is copied for every run.
"""

from __future__ import annotations

import _json
import _socket
import marshal
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

LENGTHS = struct.Struct("!II")
MAX_FDS = 8
MARSHAL_VERSION = 4
_INT_BYTES = struct.calcsize("i")


class Frame:
    """One received message."""

    __slots__ = ("fds", "header", "payload")

    def __init__(self, header: dict[str, Any], payload: bytes, fds: list[int]) -> None:
        self.header = header
        self.payload = payload
        self.fds = fds


def marshalled(message: Any) -> bytes:
    """A message for a less trusted process."""
    return marshal.dumps(message, MARSHAL_VERSION)


def json_text(message: object) -> bytes:
    """A message for a more trusted process."""
    return _json_of(message).encode()


def _json_of(value: object) -> str:
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join([f"{_json_of(str(key))}:{_json_of(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple | set):
        return "[" + ",".join([_json_of(item) for item in value]) + "]"
    return repr(value)


def pack(header: bytes, payload: bytes = b"") -> bytes:
    """The bytes of one message."""
    return LENGTHS.pack(len(header), len(payload)) + header + payload


def join_files(files: Mapping[str, bytes]) -> tuple[list[tuple[str, int]], bytes]:
    """Named contents as an index of names and sizes, and one payload."""
    return [(name, len(data)) for name, data in files.items()], b"".join(files.values())


def split_files(index: Sequence[Sequence[Any]], payload: bytes) -> dict[str, bytes]:
    """The reverse of `join_files`."""
    files: dict[str, bytes] = {}
    offset = 0
    for name, size in index:
        files[name] = payload[offset : offset + size]
        offset += size
    return files


def rights(fds: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """The ancillary data that carries descriptors."""
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []


def receive_with_fds(end: _socket.socket, size: int) -> tuple[bytes, list[int]]:
    """Up to `size` bytes and the descriptors that came with them."""
    space = _socket.CMSG_LEN(MAX_FDS * _INT_BYTES)
    data, ancillary, _, _ = end.recvmsg(size, space, _socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, raw in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            fds += struct.unpack(f"{len(raw) // _INT_BYTES}i", raw[: len(raw) - len(raw) % _INT_BYTES])
    return data, fds


class Channel:
    """The blocking end of a connection, for the processes inside a cell. What arrives comes from the more trusted side,
    or from our own code before anything untrusted has run, and is marshalled."""

    def __init__(self, end: _socket.socket, encode: Callable[[object], bytes] = marshalled) -> None:
        self._socket = end
        self._socket.setblocking(True)
        self._encode = encode

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, header: object, payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        """Send one message. Raises OSError when the peer is gone."""
        data = pack(self._encode(header), payload)
        sent = self._socket.sendmsg([data], rights(fds))
        if sent < len(data):
            self._socket.sendall(memoryview(data)[sent:])

    def send_pieces(self, header: object, payload_size: int, pieces: Iterable[bytes]) -> None:
        """Send one message whose payload is too large to hold at once. Raises OSError when the peer is gone."""
        text = self._encode(header)
        self._send_all(LENGTHS.pack(len(text), payload_size) + text)
        for piece in pieces:
            self._send_all(piece)

    def receive(self) -> Frame | None:
        """The next message, or None when the peer has closed. Raises OSError."""
        lengths, fds = self._receive_first(LENGTHS.size)
        if 0 < len(lengths) < LENGTHS.size:
            lengths += self._receive_exactly(LENGTHS.size - len(lengths)) or b""
        if len(lengths) < LENGTHS.size:
            return None
        header_size, payload_size = LENGTHS.unpack(lengths)
        header = self._receive_exactly(header_size)
        payload = self._receive_exactly(payload_size)
        if header is None or payload is None:
            return None
        return Frame(marshal.loads(header), payload, fds)  # noqa: S302  # from the more trusted side

    def close(self) -> None:
        self._socket.close()

    def _send_all(self, data: bytes | memoryview) -> None:
        self._socket.sendall(data)

    def _receive_first(self, size: int) -> tuple[bytes, list[int]]:
        return receive_with_fds(self._socket, size)

    def _receive_into(self, view: memoryview) -> int:
        return self._socket.recv_into(view)

    def _receive_exactly(self, size: int) -> bytes | None:
        if size == 0:
            return b""
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            received = self._receive_into(view)
            if received == 0:
                return None
            view = view[received:]
        return bytes(buffer)
