"""The client for ordinary code: every method returns when it is done."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import count
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent

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

AGAIN_SECONDS = 0.5


def _blocking(build: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    def method(self: "Client", /, *args: P.args, **fields: P.kwargs) -> T:
        return self.send(build(*args, **fields))

    return as_method(method, build)


def _in_session(build: Callable[Concatenate[str, P], Call[T]]) -> "Callable[Concatenate[RemoteSession, P], T]":
    def method(self: "RemoteSession", /, *args: P.args, **fields: P.kwargs) -> T:
        return self._client.send(build(self.id, *args, **fields))

    return as_method(method, build, "session_id")


class Client:
    """A Holdfast server. Every method raises HoldfastError; none raises for what a program did.

    A refusal that passes (a full queue, a server that starts again) is tried again up to `retries` times.
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
            self._http = httpx.Client(**options(url, api_key, timeout))

    run = _blocking(calls.run)
    grade = _blocking(calls.grade)
    health = _blocking(calls.health)
    runtimes = _blocking(calls.runtimes)

    def stream(self, program: Program = None, /, **fields: Any) -> "EventStream[Event | GradeEvent, RunResult]":
        """Run a program and see what it does as it does it: `with client.stream(code) as events: for event in …`."""
        return EventStream(self, calls.stream(program, **fields))

    ask = _blocking(data_calls.ask)
    capsule = _blocking(data_calls.capsule)
    run_status = _blocking(data_calls.run_status)
    runs = _blocking(data_calls.runs)
    cancel = _blocking(data_calls.cancel)
    replay = _blocking(data_calls.replay)
    export = _blocking(data_calls.export)
    forget_run = _blocking(data_calls.forget_run)

    chat = _blocking(chat_calls.chat)
    chat_about = _blocking(chat_calls.chat_about)
    threads = _blocking(chat_calls.threads)
    messages = _blocking(chat_calls.messages)
    cancel_turn = _blocking(chat_calls.cancel_turn)
    forget_thread = _blocking(chat_calls.forget_thread)
    chart = _blocking(chat_calls.chart)
    chart_picture = _blocking(chat_calls.chart_picture)

    prebuild = _blocking(prebuild_calls.build)
    prebuilds = _blocking(prebuild_calls.prebuilds)
    prebuild_info = _blocking(prebuild_calls.info)
    delete_prebuild = _blocking(prebuild_calls.delete)
    clean_up_prebuilds = _blocking(prebuild_calls.clean_up)

    def stream_prebuild(self, tag: str, setup_script: str, **fields: Any) -> "EventStream[PrebuildEvent, Prebuild]":
        """Make a prebuilt environment and see what its script writes; leaving the block ends the build."""
        return EventStream(self, prebuild_calls.stream(tag, setup_script, **fields))

    submit_task = _blocking(task_calls.submit_task)
    task = _blocking(task_calls.task)
    tasks = _blocking(task_calls.tasks)
    cancel_task = _blocking(task_calls.cancel_task)
    redeliver_task = _blocking(task_calls.redeliver_task)
    task_artifact = _blocking(task_calls.task_artifact)
    forget_task = _blocking(task_calls.forget_task)

    def follow_task(self, task_id: str, after: int = 0) -> Iterator[AnyTaskEvent]:
        """The events of a task as they come, until the last; a connection that breaks is made again where it was."""
        while True:
            try:
                for event in self._events_after(task_id, after):
                    yield event
                    after = event.seq
                    if event.type in task_calls.LAST:
                        return
            except UnreachableError:
                time.sleep(AGAIN_SECONDS)
            if self.send(task_calls.task(task_id)).ended_at is not None and after:
                return

    def _events_after(self, task_id: str, after: int) -> Iterator[AnyTaskEvent]:
        call = task_calls.events_after(task_id, after)
        with closing(self._patiently(call, stream=True)) as response, reached(self.url):
            for message in EventSource(response).iter_sse():
                if message.data:
                    yield call.meaning(message.data.encode())

    sessions = _blocking(session_calls.sessions)

    def open_session(self, **fields: Any) -> "RemoteSession":
        """Make a session, which ends with its `with` block or by `close()`; `fields` are those of SessionRequest."""
        return RemoteSession(self, self.send(session_calls.create(**fields)).session_id)

    def attach(self, session_id: str) -> "RemoteSession":
        """A session that somebody made before."""
        return RemoteSession(self, session_id)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Do one exchange, again if the server asks for patience."""
        return meaning(call, self._patiently(call, stream=False))

    def _patiently(self, call: Call[object], *, stream: bool) -> httpx.Response:
        """An answer that is no refusal."""
        for attempt in count():
            with reached(self.url):
                request = self._http.build_request(
                    call.method, call.path, content=call.body, headers=headers(call, stream=stream)
                )
                response = self._http.send(request, stream=stream)
                if response.is_success:
                    return response
                response.read()
                response.close()
            time.sleep(pause(refusal(response), attempt, self._retries))
        raise AssertionError("count() has no end")


class EventStream(Messages[E, R]):
    """The events of a run while it runs. Leaving the `with` block, or the loop, ends a run that still goes on."""

    def __init__(self, client: Client, call: Call[E]) -> None:
        super().__init__(call)
        self._client = client
        self._stack = ExitStack()
        self._messages: Iterator[ServerSentEvent] | None = None

    def __enter__(self) -> Self:
        response = self._client._patiently(self._call, stream=True)
        self._stack.callback(response.close)
        self._messages = EventSource(response).iter_sse()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[E]:
        if self._messages is None:
            with self:
                yield from self
            return
        with reached(self._client.url):
            for message in self._messages:
                event = self._take(message)
                if event is not None:
                    yield event
        self._must_be_over()


class RemoteSession:
    """A session of a server. Leaving its `with` block ends it; without one it goes on until `close()` or its time."""

    def __init__(self, client: Client, session_id: str) -> None:
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

    def stream(self, code: str, *, timeout: float | None = None) -> "EventStream[SessionEvent, SessionRunResult]":
        """Run code and see what it does as it does it. Leaving the `with` block interrupts it."""
        return EventStream(self._client, session_calls.stream(self.id, code, timeout=timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(NotFoundError):
            self.close()
