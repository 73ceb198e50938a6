"""The few sentences of rtnetlink a gateway needs. A socket speaks for the namespace it was opened in.

Functions raise OSError with the kernel's errno.
"""

from __future__ import annotations

import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

IPV4_ADDRESSES, IPV4_ROUTES = 0x10, 0x40
"""Groups to listen to."""

_ERROR, _DONE = 2, 3
_NEWLINK, _NEWADDR, _NEWROUTE, _DELROUTE, _GETROUTE = 16, 20, 24, 25, 26
_REQUEST, _ACK, _DUMP, _EXCLUSIVE, _CREATE = 1, 4, 0x300, 0x200, 0x400
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_LINK, _ADDRESS, _ROUTE = struct.Struct("=BxHiII"), struct.Struct("=BBBBI"), struct.Struct("=BBBBBBBBI")
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 3, 4, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_TABLE_MAIN = 254
_UNICAST, _PROTOCOL_STATIC, _SCOPE_UNIVERSE, _SCOPE_LINK = 1, 4, 0, 253
_REACHES_THE_HOST = (2, 3, 4)
"""Route types local, broadcast and anycast."""
_IFF_UP = 1
_NETLINK_ROUTE = 0
_BUFFER = 1 << 18


def _attribute(kind: int, data: bytes) -> bytes:
    return (_ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data).ljust(_aligned(4 + len(data)), b"\0")


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


class Netlink:
    """One socket. `groups` are what it is told of without asking."""

    def __init__(self, groups: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self._socket.bind((0, groups))

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def add_pair(self, name: str, peer: str, namespace: int, mtu: int) -> None:
        """Two connected interfaces: one here, the other in a namespace given by descriptor."""
        size = _attribute(_IFLA_MTU, _number(mtu))
        other = _LINK.pack(0, 0, 0, 0, 0) + _attribute(_IFLA_IFNAME, peer.encode() + b"\0") + size
        other += _attribute(_IFLA_NET_NS_FD, _number(namespace))
        kind = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
        ours = _attribute(_IFLA_IFNAME, name.encode() + b"\0") + size + _attribute(_IFLA_LINKINFO, kind)
        self._ask(_NEWLINK, _CREATE | _EXCLUSIVE, _LINK.pack(0, 0, 0, 0, 0) + ours)

    def up(self, index: int) -> None:
        """Switch an interface on."""
        self._ask(_NEWLINK, 0, _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))

    def add_address(self, index: int, address: str) -> None:
        """Give an interface one address, without a network around it."""
        raw = socket.inet_aton(address)
        body = _ADDRESS.pack(socket.AF_INET, 32, 0, _SCOPE_UNIVERSE, index)
        self._ask(_NEWADDR, _CREATE, body + _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw))

    def add_route(self, index: int, address: str | None, via: str | None = None) -> None:
        """Send what is for an address (None: for any) out of an interface, to whom it is for or to a gateway."""
        scope = _SCOPE_LINK if via is None else _SCOPE_UNIVERSE
        body = _ROUTE.pack(
            socket.AF_INET, 0 if address is None else 32, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, 0
        )
        for kind, value in ((_RTA_DST, address), (_RTA_GATEWAY, via)):
            if value is not None:
                body += _attribute(kind, socket.inet_aton(value))
        self._ask(_NEWROUTE, _CREATE, body + _attribute(_RTA_OIF, _number(index)))

    def host_addresses(self) -> frozenset[str]:
        """Everything the kernel here would take for its own, as addresses with prefix lengths."""
        self._send(_GETROUTE, _DUMP, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0))
        found: set[str] = set()
        while True:
            for kind, body in self._receive():
                if kind == _ERROR:
                    raise OSError("the routes of the host cannot be read")
                if kind == _DONE:
                    return frozenset(found)
                if kind == _NEWROUTE and (route := _host_route(body)):
                    found.add(route)

    def host_changed(self) -> bool:
        """Read what a socket with groups was told: whether it may be about the addresses of this host."""
        try:
            return any(kind not in (_NEWROUTE, _DELROUTE) or _host_route(body) for kind, body in self._receive())
        except OSError:
            # More came than fits into the socket's buffer.
            return True

    def _ask(self, kind: int, flags: int, body: bytes) -> None:
        self._send(kind, flags | _ACK, body)
        for answer, data in self._receive():
            if answer == _ERROR and (number := -struct.unpack_from("=i", data)[0]):
                raise OSError(number, f"netlink request {kind}: {os.strerror(number)}")

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags | _REQUEST, 1, 0) + body)

    def _receive(self) -> Iterator[tuple[int, bytes]]:
        data = self._socket.recv(_BUFFER)
        while len(data) >= _HEADER.size:
            size, kind, *_ = _HEADER.unpack_from(data)
            yield kind, data[_HEADER.size : size]
            data = data[_aligned(size) :]


def _host_route(body: bytes) -> str | None:
    """The destination of a route that ends at this host, in whatever table."""
    _, length, _, _, _, _, _, kind, _ = _ROUTE.unpack_from(body)
    if kind not in _REACHES_THE_HOST:
        return None
    data = body[_ROUTE.size :]
    while len(data) >= _ATTRIBUTE.size:
        size, attribute = _ATTRIBUTE.unpack_from(data)
        if attribute == _RTA_DST:
            return f"{socket.inet_ntoa(data[4:8])}/{length}"
        data = data[max(_ATTRIBUTE.size, _aligned(size)) :]
    return None
