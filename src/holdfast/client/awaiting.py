"""The client for asynchronous code: the methods of `blocking`, to await."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, suppress
from itertools import count
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import anyio
import httpx
from httpx_sse import EventSource

from holdfast.client import calls, chat_calls, data_calls, prebuild_calls, session_calls, task_calls
from holdfast.client.answers import E, Messages, R, meaning, pause, reached, refusal
from holdfast.client.calls import Call
from holdfast.client.line import HERE, RETRIES, TIMEOUT_SECONDS, as_method, headers, options
from holdfast.client.requests import Program
from holdfast.errors import NotFoundError, UnreachableError
from holdfast.types import (
    AnyTaskEvent,
    Event,
    GradeEvent,
    Prebuild,
    PrebuildEvent,
    RunResult,
    SessionEvent,
    SessionRunResult,
)

P = ParamSpec("P")
T = TypeVar("T")

CLOSE_SECONDS = 10.0
AGAIN_SECONDS = 0.5


def _awaited(build: Callable[P, Call[T]]) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    async def method(self: "AsyncClient", /, *args: P.args, **fields: P.kwargs) -> T:
        return await self.send(build(*args, **fields))

    return as_method(method, build)


def _in_session(
    build: Callable[Concatenate[str, P], Call[T]],
) -> "Callable[Concatenate[AsyncRemoteSession, P], Coroutine[Any, Any, T]]":
    async def method(self: "AsyncRemoteSession", /, *args: P.args, **fields: P.kwargs) -> T:
        return await self._client.send(build(self.id, *args, **fields))

    return as_method(method, build, "session_id")


class AsyncClient:
    """A Holdfast server. Every method raises HoldfastError; none raises for what a program did.

    A refusal that passes (a full queue, a server that starts again) is tried again up to `retries` times. Whoever is
    cancelled ends what was asked for.
    """

    def __init__(
        self,
        url: str = HERE,
        api_key: str | None = None,
        *,
        retries: int = RETRIES,
        timeout: float | None = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self._retries = retries
        with reached(url):
            self._http = httpx.AsyncClient(**options(url, api_key, timeout))

    run = _awaited(calls.run)
    grade = _awaited(calls.grade)
    health = _awaited(calls.health)
    runtimes = _awaited(calls.runtimes)

    def stream(self, program: Program = None, /, **fields: Any) -> "AsyncEventStream[Event | GradeEvent, RunResult]":
        """Run a program and see what it does as it does it: `async with client.stream(code) as events: …`."""
        return AsyncEventStream(self, calls.stream(program, **fields))

    ask = _awaited(data_calls.ask)
    capsule = _awaited(data_calls.capsule)
    run_status = _awaited(data_calls.run_status)
    runs = _awaited(data_calls.runs)
    cancel = _awaited(data_calls.cancel)
    replay = _awaited(data_calls.replay)
    export = _awaited(data_calls.export)
    forget_run = _awaited(data_calls.forget_run)

    chat = _awaited(chat_calls.chat)
    chat_about = _awaited(chat_calls.chat_about)
    threads = _awaited(chat_calls.threads)
    messages = _awaited(chat_calls.messages)
    cancel_turn = _awaited(chat_calls.cancel_turn)
    forget_thread = _awaited(chat_calls.forget_thread)
    chart = _awaited(chat_calls.chart)
    chart_picture = _awaited(chat_calls.chart_picture)

    prebuild = _awaited(prebuild_calls.build)
    prebuilds = _awaited(prebuild_calls.prebuilds)
    prebuild_info = _awaited(prebuild_calls.info)
    delete_prebuild = _awaited(prebuild_calls.delete)
    clean_up_prebuilds = _awaited(prebuild_calls.clean_up)

    def stream_prebuild(
        self, tag: str, setup_script: str, **fields: Any
    ) -> "AsyncEventStream[PrebuildEvent, Prebuild]":
        """Make a prebuilt environment and see what its script writes; leaving the block ends the build."""
        return AsyncEventStream(self, prebuild_calls.stream(tag, setup_script, **fields))

    submit_task = _awaited(task_calls.submit_task)
    task = _awaited(task_calls.task)
    tasks = _awaited(task_calls.tasks)
    cancel_task = _awaited(task_calls.cancel_task)
    redeliver_task = _awaited(task_calls.redeliver_task)
    task_artifact = _awaited(task_calls.task_artifact)
    forget_task = _awaited(task_calls.forget_task)

    async def follow_task(self, task_id: str, after: int = 0) -> AsyncGenerator[AnyTaskEvent, None]:
        """The events of a task as they come, until the last; a connection that breaks is made again where it was."""
        while True:
            try:
                async with aclosing(self._events_after(task_id, after)) as events:
                    async for event in events:
                        yield event
                        after = event.seq
                        if event.type in task_calls.LAST:
                            return
            except UnreachableError:
                await anyio.sleep(AGAIN_SECONDS)
            if (await self.send(task_calls.task(task_id))).ended_at is not None and after:
                return

    async def _events_after(self, task_id: str, after: int) -> AsyncGenerator[AnyTaskEvent, None]:
        call = task_calls.events_after(task_id, after)
        response = await self._patiently(call, stream=True)
        async with aclosing(response):
            with reached(self.url):
                async for message in EventSource(response).aiter_sse():
                    if message.data:
                        yield call.meaning(message.data.encode())

    sessions = _awaited(session_calls.sessions)

    async def open_session(self, **fields: Any) -> "AsyncRemoteSession":
        """Make a session, which ends with its `async with` block or by `close()`; `fields` are those of SessionRequest.

        `async with await client.open_session() as session: …`
        """
        return AsyncRemoteSession(self, (await self.send(session_calls.create(**fields))).session_id)

    def attach(self, session_id: str) -> "AsyncRemoteSession":
        """A session that somebody made before."""
        return AsyncRemoteSession(self, session_id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def send(self, call: Call[T]) -> T:
        """Do one exchange, again if the server asks for patience."""
        return meaning(call, await self._patiently(call, stream=False))

    async def _patiently(self, call: Call[object], *, stream: bool) -> httpx.Response:
        """An answer that is no refusal."""
        for attempt in count():
            with reached(self.url):
                request = self._http.build_request(
                    call.method, call.path, content=call.body, headers=headers(call, stream=stream)
                )
                response = await self._http.send(request, stream=stream)
                if response.is_success:
                    return response
                await response.aread()
                await response.aclose()
            await anyio.sleep(pause(refusal(response), attempt, self._retries))
        raise AssertionError("count() has no end")


class AsyncEventStream(Messages[E, R]):
    """The events of a run while it runs. Leaving the `async with` block ends a run that still goes on."""

    def __init__(self, client: AsyncClient, call: Call[E]) -> None:
        super().__init__(call)
        self._client = client
        self._stack = AsyncExitStack()
        self._source: EventSource | None = None

    async def __aenter__(self) -> Self:
        response = await self._client._patiently(self._call, stream=True)
        self._stack.push_async_callback(response.aclose)
        self._source = EventSource(response)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def __aiter__(self) -> AsyncIterator[E]:
        if self._source is None:
            return self._alone()
        events = self._read()
        self._stack.push_async_callback(events.aclose)
        return events

    async def _alone(self) -> AsyncGenerator[E, None]:
        async with self:
            async for event in self:
                yield event

    async def _read(self) -> AsyncGenerator[E, None]:
        assert self._source is not None
        with reached(self._client.url):
            async for message in self._source.aiter_sse():
                event = self._take(message)
                if event is not None:
                    yield event
        self._must_be_over()


class AsyncRemoteSession:
    """A session of a server. Leaving its `async with` block ends it; else it goes on until `close()` or its time."""

    def __init__(self, client: AsyncClient, session_id: str) -> None:
        self.id = session_id
        self._client = client

    info = _in_session(session_calls.info)
    run = _in_session(session_calls.run)
    interrupt = _in_session(session_calls.interrupt)
    files = _in_session(session_calls.files)
    read = _in_session(session_calls.read)
    write = _in_session(session_calls.write)
    remove = _in_session(session_calls.remove)
    close = _in_session(session_calls.delete)

    def stream(self, code: str, *, timeout: float | None = None) -> "AsyncEventStream[SessionEvent, SessionRunResult]":
        """Run code and see what it does as it does it. Leaving the `async with` block interrupts it."""
        return AsyncEventStream(self._client, session_calls.stream(self.id, code, timeout=timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Also when we are being cancelled.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(NotFoundError):
            await self.close()
