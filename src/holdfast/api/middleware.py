"""What every request passes before a route sees it, and what every answer carries. Plain ASGI: no copies, no tasks."""

import re
import secrets
import time
from collections.abc import MutableMapping
from urllib.parse import SplitResult, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api import problems
from holdfast.api.page import FILES
from holdfast.api.quotas import Bodies, Quotas, Take
from holdfast.app import App, is_loopback
from holdfast.errors import (
    ForbiddenError,
    HoldfastError,
    NotJsonError,
    ShuttingDownError,
    StartupError,
    TooLargeError,
    UnauthenticatedError,
)
from holdfast.execution import on_behalf_of
from holdfast.keys import ApiKey

OPEN_PATHS = frozenset({"/", "/health", "/healthz", "/pyquest/health"})
"""Paths that need no key and are answered while the server drains; as are the files of the page."""

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BEARER = b"bearer "
_FORM_BYTES = 4 << 20
"""What a form may have beyond its files."""


class RequestLog:
    """Gives each request an id, answers what was raised with a problem document, and writes one log line."""

    def __init__(self, app: ASGIApp, holdfast: App) -> None:
        self.app = app
        self.metrics = holdfast.metrics
        self.log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        state: MutableMapping[str, object] = scope.setdefault("state", {})
        state["request_id"] = request_id
        answer = _Answer(send, request_id)
        began = time.perf_counter()
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.status is not None:
                raise
            await self._problem(error, scope)(scope, receive, answer)
        finally:
            self._write(scope, answer.status, began)

    def _problem(self, error: Exception, scope: Scope) -> ASGIApp:
        if isinstance(error, HoldfastError) and not isinstance(error, StartupError):
            return problems.response(error, scope, self.metrics)
        return problems.unexpected(error, scope, self.metrics)

    def _write(self, scope: Scope, status: int | None, began: float) -> None:
        key = scope["state"].get("key")
        self.log.info(
            "request",
            method=scope["method"],
            path=ascii(scope["path"][:200])[1:-1],
            status=status,
            ms=round((time.perf_counter() - began) * 1000, 2),
            request_id=scope["state"]["request_id"],
            key=key.name if isinstance(key, ApiKey) else None,
        )


class _Answer:
    """A `send` that adds the request id and remembers which status was sent."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.status: int | None = None
        self._send = send
        self._request_id = request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)


class Guard:
    """Refuses what may not pass: foreign hosts and origins, missing keys, bodies that are not JSON or too large."""

    def __init__(self, app: ASGIApp, holdfast: App) -> None:
        self.app = app
        self.holdfast = holdfast
        self.settings = holdfast.settings
        self.quotas = Quotas(holdfast.settings)
        self.bodies = Bodies(holdfast.settings)
        self.origins = frozenset(self.settings.cors_origins)
        self.hosts = frozenset({self.settings.host.lower(), *(host.lower() for host in self.settings.allowed_hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"] != "/healthz":
            self._check_host(headers)
        self._check_origin(headers)
        key = self._key(scope)
        if self.holdfast.executor.admission.draining and not _is_open(scope["path"]):
            raise ShuttingDownError("The server is shutting down and takes no new requests.")
        limit = self._body_limit(scope, headers) if scope["method"] in _WITH_BODY else self.settings.max_body_bytes
        with self.quotas.request(key), self.bodies.of(key) as take:
            receive = _limited(receive, limit, _keep_nothing if _is_form(scope, headers) else take)
            if key is None:
                await self.app(scope, receive, send)
                return
            with on_behalf_of(key.name, key.sha256):
                await self.app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = (_parts(f"//{headers.get('host', '')}").hostname or "").rstrip(".")
        if is_loopback(host) or host in self.hosts or "*" in self.hosts:
            return
        raise ForbiddenError(
            "This server does not answer to that Host; add the name to HOLDFAST_ALLOWED_HOSTS if it should."
        )

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or origin in self.origins or _parts(origin).netloc == headers.get("host"):
            return
        raise ForbiddenError("Pages of that Origin may not call this server; see HOLDFAST_CORS_ORIGINS.")

    def _key(self, scope: Scope) -> ApiKey | None:
        """The key a request came with; none is needed on open paths, or while there are no keys."""
        keys = self.holdfast.keys
        if not keys.all():
            _refuse_keyless_from_outside(scope)
            return None
        if _is_open(scope["path"]):
            return None
        presented = _presented(scope)
        if not presented:
            raise UnauthenticatedError("Send an API key in X-API-Key or as a Bearer token.")
        found = [key for secret in presented if (key := keys.find(secret)) is not None]
        if not found:
            raise ForbiddenError(
                "That API key is not valid; the operator makes one with: holdfast keys add NAME.",
                field="X-API-Key" if "x-api-key" in Headers(scope=scope) else "Authorization",
            )
        scope["state"]["key"] = found[0]
        return found[0]

    def _body_limit(self, scope: Scope, headers: Headers) -> int:
        """How large the body may be. Raises NotJsonError, TooLargeError for what is announced."""
        # A page elsewhere can send a form, but not without its Origin.
        form = _is_form(scope, headers)
        known = form or _is_form(scope, headers, "/tasks") or _may_be_anything(scope["method"], headers)
        if not known and _JSON.fullmatch(headers.get("content-type", "")) is None:
            raise NotJsonError("The content type must be application/json.")
        limit = self.settings.dataset_upload + _FORM_BYTES if form else self.settings.max_body_bytes
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared[:20]) > limit:
            raise _too_large(limit)
        return limit


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(FILES)


def _keep_nothing(count: int) -> None:
    """What goes to the disk as it comes is in nobody's memory."""
    del count


def _is_form(scope: Scope, headers: Headers, path: str = "/datasets") -> bool:
    """Whether it is a form of this path; files of a dataset go to the disk as they come, and may be large."""
    is_post = (scope["method"], scope["path"]) == ("POST", path)
    return is_post and headers.get("content-type", "").startswith("multipart/form-data;")


def _may_be_anything(method: str, headers: Headers) -> bool:
    """A page elsewhere cannot send PUT without asking first; and no body at all has no type."""
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    return method == "PUT" or (empty and "content-type" not in headers)


def _parts(address: str) -> SplitResult:
    """The parts of a URL; what is none has no host and no origin."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _limited(receive: Receive, limit: int, take: Take) -> Receive:
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            seen += size
            if seen > limit:
                raise _too_large(limit)
            take(size)
        return message

    return limited


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than {limit:,} bytes.")


def _refuse_keyless_from_outside(scope: Scope) -> None:
    """The last line when something else than `holdfast serve` chose the address to listen on."""
    server = scope.get("server")
    if server is None or server[1] is None or is_loopback(server[0]):
        # No address or no port: a Unix socket, whose file permissions are the key.
        return
    raise ForbiddenError("This server has no API key, so it only answers on loopback; run: holdfast keys add NAME")


def _presented(scope: Scope) -> list[bytes]:
    """The secrets a request carries, as raw bytes: header values need not be text."""
    secrets_sent = []
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            secrets_sent.append(value)
        elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            secrets_sent.append(value[len(_BEARER) :].strip())
    return secrets_sent


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _GIVEN_ID.fullmatch(given) else f"req-{secrets.token_hex(8)}"
