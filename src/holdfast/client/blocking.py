"""The client for ordinary code: every method returns when it is done."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent

from holdfast.client import calls
from holdfast.client.answers import E, Messages, R, meaning, pause, reached, refusal
from holdfast.client.calls import Call
from holdfast.client.line import HERE, RETRIES, TIMEOUT_SECONDS, as_method, headers, options
from holdfast.client.requests import Program
from holdfast.types import Event, RunResult

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(build: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    def method(self: "Client", /, *args: P.args, **fields: P.kwargs) -> T:
        return self.send(build(*args, **fields))

    return as_method(method, build)


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

    def stream(self, program: Program = None, /, **fields: Any) -> "EventStream[Event, RunResult]":
        """Run a program and see what it does as it does it: `with client.stream(code) as events: for event in …`."""
        return EventStream(self, calls.stream(program, **fields))

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
    """The events of a run while it runs. Leaving the `with` block ends a run that still goes on."""

    def __init__(self, client: Client, call: Call[E]) -> None:
        super().__init__(call)
        self._client = client
        self._stack = ExitStack()
        self._messages: Iterator[ServerSentEvent] = iter(())

    def __enter__(self) -> Self:
        response = self._client._patiently(self._call, stream=True)
        self._stack.callback(response.close)
        self._messages = EventSource(response).iter_sse()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[E]:
        with reached(self._client.url):
            for message in self._messages:
                event = self._take(message)
                if event is not None:
                    yield event
        self._must_be_over()
