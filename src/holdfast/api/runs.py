"""`POST /run` and `POST /run/stream`. A client that leaves ends its run."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from holdfast.api import problems
from holdfast.app import App
from holdfast.errors import HoldfastError
from holdfast.types import Event, RunRequest, SessionEvent

AnyEvent = Event | SessionEvent
T = TypeVar("T")
Ending = Callable[[anyio.CancelScope], Coroutine[Any, Any, None]]
"""Something that runs beside the work and may cancel it."""

PING_SECONDS = 10.0
STALLED_READER_SECONDS = 30.0
"""A reader that takes longer than this for one event is treated as gone: it holds a place that others wait for."""

SLOW_READER_SECONDS = 60.0
"""How much longer than the longest run a stream may take in all."""

CLIENT_LEFT = 499
_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def run(request: Request) -> Response:
    """Run a program to its end and answer with what it did."""
    app: App = request.app.state.holdfast
    wanted = await _read(request)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    result = await _unless(lambda: app.executor.run(wanted), _client_leaves(request.receive))
    if result is None:
        return Response(status_code=CLIENT_LEFT)
    return Response(result.model_dump_json(), media_type="application/json")


async def run_stream(request: Request) -> Response:
    """Run a program and send what it does, as server-sent events: `started`, `output`, `exited` (or `error`)."""
    app: App = request.app.state.holdfast
    wanted = await _read(request)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    return EventStream(app, app.executor.stream(wanted))


async def _read(request: Request) -> RunRequest | None:
    """The body, or `None` when the client left. Raises MalformedRequestError, InvalidFieldError, TooLargeError."""
    try:
        return RunRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise problems.from_validation(error) from None
    except ClientDisconnect:
        return None


async def _unless(work: Callable[[], Awaitable[T]], *endings: Ending) -> T | None:
    """The outcome of `work`, or `None` when one of the `endings`, which run beside it, cancelled it."""
    outcome: T | None = None
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        for ending in endings:
            group.start_soon(ending, group.cancel_scope)
        try:
            outcome = await work()
        except Exception as error:
            # Raised outside of the group, which would wrap it.
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return outcome


async def unless_the_client_leaves(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """The outcome of `work`, or `None` when the client left first, which cancels it."""
    return await _unless(work, _client_leaves(request.receive))


def _client_leaves(receive: Receive) -> Ending:
    async def wait(scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        scope.cancel()

    return wait


class EventStream(Response):
    """Events as they happen. Nothing is sent before the first, so that a refusal is still an ordinary answer."""

    def __init__(self, app: App, events: AsyncGenerator[AnyEvent, None]) -> None:
        super().__init__(media_type="text/event-stream", headers=_UNBUFFERED)
        del self.headers["content-length"]
        self._app = app
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = _Writer(send)
        await _unless(lambda: self._send_all(scope, send, writer), _client_leaves(receive), writer.ping)

    async def _send_all(self, scope: Scope, send: Send, writer: "_Writer") -> None:
        async with aclosing(self._events) as events:
            first = await anext(events)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            writer.opened = True
            with anyio.move_on_after(self._app.settings.max_timeout + SLOW_READER_SECONDS):
                await writer.event(first)
                await self._forward(events, writer, scope["state"]["request_id"])
        await send({"type": "http.response.body", "body": b""})

    async def _forward(self, events: AsyncGenerator[AnyEvent, None], writer: "_Writer", request_id: str) -> None:
        try:
            async for event in events:
                await writer.event(event)
        except HoldfastError as error:
            self._app.metrics.rejected.labels(error.code).inc()
            await writer.write(f"event: error\ndata: {problems.of(error, request_id).model_dump_json()}\n\n")


class _Writer:
    """Writes one message at a time, pings while nothing happens, and gives up on a reader that does not read."""

    def __init__(self, send: Send) -> None:
        self.opened = False
        self._send = send
        self._lock = anyio.Lock()
        self._last = time.monotonic()

    async def event(self, event: AnyEvent) -> None:
        """Send one event. Raises TimeoutError for a reader that does not read."""
        await self.write(f"id: {event.seq}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n")

    async def write(self, text: str) -> None:
        """Send one piece of the stream. Raises TimeoutError for a reader that does not read."""
        with anyio.fail_after(STALLED_READER_SECONDS):
            async with self._lock:
                await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        self._last = time.monotonic()

    async def ping(self, scope: anyio.CancelScope) -> None:
        """Send a comment whenever nothing was sent for a while, until `scope` is cancelled."""
        while True:
            await anyio.sleep(PING_SECONDS / 4)
            if self.opened and time.monotonic() - self._last >= PING_SECONDS * 3 / 4:
                try:
                    await self.write(": ping\n\n")
                except TimeoutError:
                    scope.cancel()
