"""One POST to an address that a caller has named: refused unless it is public, pinned, signed, bounded in time.

A name is resolved here and the connection made to the address that was looked at, so that it cannot mean another one
in between. Redirects are not followed. The signature is that of Standard Webhooks: `webhook-id`, `webhook-timestamp`
and `webhook-signature`, over all three parts; the id is the same whenever the same event is sent again.
"""

import base64
import hmac
import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpcore

from holdfast.errors import InvalidFieldError

URL_CHARACTERS = 2048
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
ANSWER_BYTES = 1 << 16
CONNECTIONS = 256

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""Where all public addresses of IPv6 are: around them are ways to write others, which the library takes for public."""

_NOWHERE = ipaddress.ip_network("3fff::/20")
_METADATA = tuple(
    map(
        ipaddress.ip_network,
        ("168.63.129.16/32", "192.0.0.0/24", "100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128"),
    )
)
"""Where clouds keep metadata and services for their machines, beside link-local addresses."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefusedError(OSError):
    """All addresses that the host of a callback has are refused."""


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """Where callbacks may go: public addresses, and if `private` also loopback and private networks.

    Link-local addresses, and others where clouds keep their metadata, are never allowed.
    """

    private: bool = False

    def check(self, url: str) -> None:
        """Refuse what can never be a callback. Raises InvalidFieldError."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
            parts = None
        printable = url.isascii() and url.isprintable() and " " not in url
        if parts is None or not host or parts.scheme not in ("http", "https") or not printable:
            raise _refused("callback_url: it must be an http or https URL")
        if len(url) > URL_CHARACTERS:
            raise _refused(f"callback_url: it is longer than {URL_CHARACTERS:,} characters")
        if not self.private and host.rstrip(".").lower() == "localhost":
            raise _private(self.private)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return
        if not self.allows(address):
            raise _private(self.private)

    def allows(self, address: _Address) -> bool:
        """Whether a callback may go to this address."""
        inner = _inner(address)
        if inner.is_link_local or inner.is_multicast or inner.is_unspecified or _within(inner, *_METADATA):
            return False
        if inner.is_loopback or inner.is_private:
            return self.private
        return inner.is_global and (inner.version == 4 or (_within(inner, _UNICAST) and not _within(inner, _NOWHERE)))


def _within(address: _Address, *networks: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return any(address in network for network in networks)


def _inner(address: _Address) -> _Address:
    """The IPv4 address that one of IPv6 may stand for."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _refused(sentence: str) -> InvalidFieldError:
    return InvalidFieldError(f"{sentence}.", field="callback_url")


def _private(allowed: bool) -> InvalidFieldError:
    if allowed:
        return _refused("callback_url: callbacks never go to such an address")
    return _refused(
        "callback_url: callbacks to private addresses are refused; HOLDFAST_ALLOW_PRIVATE_CALLBACKS=true allows them"
    )


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one try: the status of the answer if there was one, and a sentence without the URL."""

    status: int | None
    reason: str

    @property
    def delivered(self) -> bool:
        """Any 2xx is a success."""
        return self.status is not None and 200 <= self.status < 300


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, by the name that was asked for."""

    def __init__(self, rules: CallbackRules) -> None:
        self._rules = rules
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as it is called there
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the host's addresses that is allowed and answers."""
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        allowed = [address for address in addresses if self._rules.allows(ipaddress.ip_address(address))]
        if not allowed:
            raise AddressRefusedError("its address is private, and callbacks to those are refused")
        for address in allowed[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as it is called there
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """No callback goes to a socket of this host."""
        raise AddressRefusedError("callbacks go to network addresses alone")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


class Signer:
    """Signs callbacks with a secret of each task, made from the one of the server, which is asked for when needed."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = cache(key)

    def secret_of(self, task_id: str) -> str:
        """What the callbacks of a task are signed with, as Standard Webhooks write it."""
        return f"whsec_{base64.b64encode(self._of(task_id)).decode()}"

    def headers(self, task_id: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """What says that the body is ours, and is the one with this id."""
        stamp = str(int(at.timestamp()))
        signed = b".".join((message_id.encode(), stamp.encode(), body))
        signature = base64.b64encode(hmac.digest(self._of(task_id), signed, "sha256")).decode()
        return {"webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}

    def _of(self, task_id: str) -> bytes:
        return hmac.new(self._key(), task_id.encode(), sha256).digest()


class Poster:
    """Sends callbacks. Use it as a context manager."""

    def __init__(
        self,
        rules: CallbackRules,
        signer: Signer | None,
        bearer: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS, keepalive_expiry=30.0, network_backend=_Pinned(rules)
        )
        self._signer = signer
        self._fixed = dict(more or {}) | ({"Authorization": f"Bearer {bearer}"} if bearer else {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._pool.aclose()

    async def post(self, url: str, task_id: str, message_id: str, body: bytes, more: dict[str, str]) -> Posted:
        """Send it once."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "holdfast",
            "Idempotency-Key": message_id,
            "webhook-id": message_id,
            **(self._signer.headers(task_id, message_id, body, datetime.now(UTC)) if self._signer else {}),
            **self._fixed,
            **more,
        }
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                status = await self._status(url, headers, body)
        except TimeoutError:
            return Posted(None, "It did not answer in time.")
        except (OSError, UnicodeError) as error:
            return Posted(None, f"It cannot be reached: {_reason(error)}.")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return Posted(None, f"It cannot be reached: {_reason(error)}.")
        return Posted(status, f"It answered {status}.")

    async def _status(self, url: str, headers: dict[str, str], body: bytes) -> int:
        timeouts = {"connect": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS, "pool": ANSWER_SECONDS}
        async with self._pool.stream(
            "POST", url, headers=[*headers.items()], content=body, extensions={"timeout": timeouts}
        ) as answer:
            seen = 0
            # Read to the end of a short answer, so that the connection can be used again.
            async for piece in answer.aiter_stream():
                seen += len(piece)
                if seen > ANSWER_BYTES:
                    break
            return int(answer.status)


def _reason(error: Exception) -> str:
    if isinstance(error, AddressRefusedError):
        return str(error)
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name cannot be resolved"
    return type(error).__name__
