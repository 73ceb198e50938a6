"""`POST /run`, graded when the body has `tests`, and `POST /run/stream`. A client that leaves ends its run."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from itertools import chain
from typing import Any, TypeVar

import anyio
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from holdfast.api import problems
from holdfast.api.exchange import app_of, json_of
from holdfast.api.slices import SLICE_CHARACTERS, json_slices
from holdfast.app import App
from holdfast.background import background
from holdfast.errors import HoldfastError
from holdfast.keys import ApiKey
from holdfast.types import (
    OPERATOR,
    BuiltEvent,
    Caller,
    ChatEvent,
    Event,
    ExitedEvent,
    GradedEvent,
    GradeEvent,
    GradeRequest,
    RunRequest,
    RunResult,
    SessionEvent,
)

AnyEvent = Event | SessionEvent | BuiltEvent | GradeEvent | ChatEvent
T = TypeVar("T")
Body = TypeVar("Body")
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
    """Run a program to its end and answer with what it did and, with `tests`, with a verdict on each."""
    caller = caller_of(request)

    async def work(app: App, wanted: RunRequest) -> RunResult:
        async with app.prebuilds.using(wanted, caller) as placed:
            return await _run(app, placed)

    return await answer(request, _body_of_a_run, work)


def caller_of(request: Request) -> Caller:
    """Who asks; without any key the local user is the operator."""
    key = request.scope["state"].get("key")
    return Caller(owner=key.sha256, sees_all=key.scope == "admin") if isinstance(key, ApiKey) else OPERATOR


async def _run(app: App, wanted: RunRequest) -> RunResult:
    if isinstance(wanted, GradeRequest) and wanted.tests is not None:
        return await app.grader.grade(wanted)
    return await app.executor.run(wanted)


def _body_of_a_run(body: bytes) -> RunRequest:
    return (GradeRequest if b'"tests"' in body else RunRequest).model_validate_json(body)


def _told(result: BaseModel, status: int) -> Response:
    if not isinstance(result, RunResult) or len(result.stdout) + len(result.stderr) <= SLICE_CHARACTERS:
        return json_of(result, status)
    return SlicedResponse(result)


class SlicedResponse(Response):
    """A result with much output, sent slice by slice as fast as the client reads."""

    media_type = "application/json"

    def __init__(self, result: RunResult) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._result = result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in json_slices(self._result):
            with anyio.fail_after(STALLED_READER_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def run_stream(request: Request) -> Response:
    """Run a program and send what it does, as server-sent events: `started`, `output`, `exited` (or `error`).

    In a compiled language `compiled` comes first; when the compiler failed, only `exited` follows. With `tests` it is
    graded, and the events are a `verdict` on each test as it is reached, and `graded`.
    """
    app = app_of(request)
    wanted = await read(request, _body_of_a_run)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    if isinstance(wanted, GradeRequest) and wanted.tests is not None:
        return GradeStream(app, wanted, caller_of(request))
    return EventStream(app, _stream(app, wanted, caller_of(request)))


async def _stream(app: App, wanted: RunRequest, caller: Caller) -> AsyncGenerator[Event, None]:
    async with app.prebuilds.using(wanted, caller) as placed, aclosing(app.executor.stream(placed)) as events:
        async for event in events:
            yield event


async def answer(
    request: Request,
    parse: Callable[[bytes], Body],
    work: Callable[[App, Body], Awaitable[BaseModel]],
    status: int = 200,
) -> Response:
    """Do what the body asks for, unless the client leaves, and answer with the outcome."""
    app = app_of(request)
    wanted = await read(request, parse)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    result = await _unless(lambda: work(app, wanted), _client_leaves(request.receive))
    return Response(status_code=CLIENT_LEFT) if result is None else _told(result, status)


async def read(request: Request, parse: Callable[[bytes], Body]) -> Body | None:
    """The body, or `None` when the client left. Raises MalformedRequestError, InvalidFieldError, TooLargeError."""
    try:
        return parse(await request.body())
    except ValidationError as error:
        raise problems.from_validation(error) from None
    except ClientDisconnect:
        return None


async def _unless(work: Callable[[], Awaitable[T]], *endings: Ending) -> T | None:
    """The outcome of `work`, or `None` when one of the `endings`, which run beside it, cancelled it."""
    outcome: T | None = None
    async with background() as group:
        for ending in endings:
            group.start_soon(ending, group.cancel_scope)
        outcome = await work()
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


class StreamResponse(Response):
    """Events as they happen. Nothing is sent before the first, so that a refusal is still an ordinary answer."""

    def __init__(self, app: App) -> None:
        super().__init__(media_type="text/event-stream", headers=_UNBUFFERED)
        del self.headers["content-length"]
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        writer = EventWriter(send, start)
        await _unless(lambda: self._send_all(scope, writer), _client_leaves(receive), writer.ping)

    async def _send_all(self, scope: Scope, writer: "EventWriter") -> None:
        try:
            await self.write_to(writer)
        except HoldfastError as error:
            if not writer.opened:
                raise
            self._app.metrics.rejected.labels(error.code).inc()
            problem = problems.of(error, scope["state"]["request_id"])
            await writer.write([f"event: error\ndata: {problem.model_dump_json(exclude_none=True)}\n\n".encode()])
        await writer.close()

    async def write_to(self, writer: "EventWriter") -> None:
        """Write all events; what is raised before the first is an ordinary answer."""
        raise NotImplementedError


class EventStream(StreamResponse):
    """What a generator of events says."""

    def __init__(self, app: App, events: AsyncGenerator[Any, None], longest_seconds: float | None = None) -> None:
        super().__init__(app)
        self._events = events
        self._longest_seconds = longest_seconds or app.settings.max_timeout

    async def write_to(self, writer: "EventWriter") -> None:
        """Write them."""
        async with aclosing(self._events) as events:
            first = await anext(events)
            with anyio.move_on_after(self._longest_seconds + SLOW_READER_SECONDS):
                await writer.event(first)
                async for event in events:
                    await writer.event(event)


class GradeStream(StreamResponse):
    """The verdicts on a submission as they are reached, and in the end all of it."""

    def __init__(self, app: App, wanted: GradeRequest, caller: Caller) -> None:
        super().__init__(app)
        self._wanted = wanted
        self._caller = caller

    async def write_to(self, writer: "EventWriter") -> None:
        """Write them."""
        async with self._app.prebuilds.using(self._wanted, self._caller) as placed:
            result = await self._app.grader.grade(placed, writer.event)
        await writer.event(GradedEvent(seq=len(result.test_results) + 1, result=result))


class EventWriter:
    """Writes one message at a time, pings while nothing happens, and gives up on a reader that does not read."""

    def __init__(self, send: Send, start: Message) -> None:
        self.opened = False
        self._start = start
        self._send = send
        self._lock = anyio.Lock()
        self._last = time.monotonic()

    async def event(self, event: AnyEvent) -> None:
        """Send one event. Raises TimeoutError for a reader that does not read."""
        await self.open()
        head = f"id: {event.seq}\nevent: {event.type}\ndata: "
        if not isinstance(event, ExitedEvent | GradedEvent):
            await self.write([f"{head}{event.model_dump_json()}\n\n".encode()])
            return
        await self.write(chain([head.encode()], json_slices(event), [b"\n\n"]))

    async def open(self) -> None:
        """Say that there will be events, if that was not said."""
        if not self.opened:
            await self._send(self._start)
            self.opened = True

    async def write(self, pieces: Iterable[bytes]) -> None:
        """Send one message of the stream. Raises TimeoutError for a reader that does not read."""
        async with self._lock:
            for piece in pieces:
                with anyio.fail_after(STALLED_READER_SECONDS):
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._last = time.monotonic()

    async def close(self) -> None:
        """Say that there is no more."""
        await self._send({"type": "http.response.body", "body": b""})

    async def ping(self, scope: anyio.CancelScope) -> None:
        """Send a comment whenever nothing was sent for a while, until `scope` is cancelled."""
        while True:
            await anyio.sleep(PING_SECONDS / 4)
            if self.opened and time.monotonic() - self._last >= PING_SECONDS * 3 / 4:
                try:
                    await self.write([b": ping\n\n"])
                except TimeoutError:
                    scope.cancel()
