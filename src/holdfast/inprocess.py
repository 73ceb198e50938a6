"""Holdfast without a server: `Holdfast.local()` runs programs in sandboxes that this very process looks after."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from functools import partial
from typing import Any, Self

import anyio
from anyio.abc import ObjectReceiveStream, TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal

from holdfast.app import App, open_app
from holdfast.client.answers import Transcript
from holdfast.client.requests import Program, Tests, grade_request, run_request
from holdfast.errors import InvalidFieldError
from holdfast.languages import LANGUAGES
from holdfast.settings import Settings, load_settings
from holdfast.types import OPERATOR, Event, GradeRequest, GradeResult, RunRequest, RunResult


class Holdfast:
    """Programs on this machine, with the methods of `AsyncClient` for runs. `Holdfast.local()` makes one."""

    def __init__(self, app: App) -> None:
        self._app = app

    @staticmethod
    def local(*, languages: Collection[str] = LANGUAGES, **settings: Any) -> "Local":
        """Holdfast in this process: `async with Holdfast.local() as holdfast`, or plain `with` in ordinary code.

        Of other `languages` than these nothing is known, which is quicker to open; `settings` are those of an operator
        and win over the environment. Raises HostError, ConfigurationError.
        """
        return Local(load_settings(settings), languages)

    async def run(self, program: Program = None, /, **fields: Any) -> RunResult:
        """Run a program to its end; `fields` are those of RunRequest. With `tests`, the result is a GradeResult."""
        request = run_request(program, fields)
        if isinstance(request, GradeRequest) and request.tests is not None:
            return await self.grade(request)
        async with self._app.prebuilds.using(request, OPERATOR) as placed:
            return await self._app.executor.run(placed)

    async def grade(self, program: Program = None, /, *, tests: Tests | None = None, **fields: Any) -> GradeResult:
        """Run a submission and judge it by `tests`, or those of the request; `fields` are those of RunRequest."""
        async with self._app.prebuilds.using(grade_request(program, tests, fields), OPERATOR) as placed:
            return await self._app.grader.grade(placed)

    def stream(self, program: Program = None, /, **fields: Any) -> "Events":
        """Run a program and see what it does as it does it: `async with holdfast.stream(code) as events: …`."""
        request = run_request(program, fields)
        if isinstance(request, GradeRequest) and request.tests is not None:
            raise InvalidFieldError("With tests, nothing is streamed here; judge it with grade().", field="tests")
        return Events(self._app, request)


class Events(Transcript[Event, RunResult]):
    """The events of a run while it runs. Leaving the `async with` block ends a run that still goes on."""

    def __init__(self, app: App, request: RunRequest) -> None:
        super().__init__()
        self._events = _stream(app, request)
        self._first: Event | None = None

    async def __aenter__(self) -> Self:
        # A refusal comes before the first event: it is raised here, as it is over HTTP.
        self._first = await anext(self._events)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        if self._first is None:
            async with self:
                async for event in self:
                    yield event
            return
        yield self._keep(self._first)
        async for event in self._events:
            yield self._keep(event)


async def _stream(app: App, request: RunRequest) -> AsyncGenerator[Event, None]:
    async with app.prebuilds.using(request, OPERATOR) as placed, aclosing(app.executor.stream(placed)) as events:
        async for event in events:
            yield event


class Local:
    """Holdfast in this process, still closed."""

    def __init__(self, settings: Settings, languages: Collection[str]) -> None:
        self._settings = settings
        self._languages = languages
        self._opened = AsyncExitStack()
        self._blocking = ExitStack()

    async def __aenter__(self) -> Holdfast:
        return Holdfast(await self._opened.enter_async_context(open_app(self._settings, self._languages)))

    async def __aexit__(self, *problem: Any) -> None:
        await self._opened.__aexit__(*problem)

    def __enter__(self) -> "BlockingHoldfast":
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            holdfast = stack.enter_context(portal.wrap_async_context_manager(self))
            self._blocking = stack.pop_all()
        return BlockingHoldfast(portal, holdfast)

    def __exit__(self, *problem: Any) -> None:
        self._blocking.__exit__(*problem)


class BlockingHoldfast:
    """`Holdfast` for ordinary code: the event loop runs in a thread of its own."""

    def __init__(self, portal: BlockingPortal, holdfast: Holdfast) -> None:
        self._portal = portal
        self._holdfast = holdfast

    def run(self, program: Program = None, /, **fields: Any) -> RunResult:
        """Run a program to its end; `fields` are those of RunRequest. With `tests`, the result is a GradeResult."""
        return self._portal.call(partial(self._holdfast.run, program, **fields))

    def grade(self, program: Program = None, /, *, tests: Tests | None = None, **fields: Any) -> GradeResult:
        """Run a submission and judge it by `tests`, or those of the request; `fields` are those of RunRequest."""
        return self._portal.call(partial(self._holdfast.grade, program, tests=tests, **fields))

    def stream(self, program: Program = None, /, **fields: Any) -> "BlockingEvents":
        """Run a program and see what it does as it does it: `with holdfast.stream(code) as events: …`."""
        return BlockingEvents(self._portal, self._holdfast.stream(program, **fields))


class BlockingEvents(Transcript[Event, RunResult]):
    """The events of a run while it runs. Leaving the `with` block ends a run that still goes on."""

    def __init__(self, portal: BlockingPortal, events: Events) -> None:
        super().__init__()
        self._portal = portal
        self._events = events
        self._received: ObjectReceiveStream[Event] | None = None

    def __enter__(self) -> Self:
        # One task has the run from its beginning to its end, whoever asks for the next event.
        self._run, self._received = self._portal.start_task(_pass_on, self._events)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._received is not None
        self._run.cancel()
        self._portal.call(_until_over, self._received)

    def __iter__(self) -> Iterator[Event]:
        if self._received is None:
            with self:
                yield from self
            return
        while True:
            try:
                yield self._keep(self._portal.call(self._received.receive))
            except anyio.EndOfStream:
                break
        self._run.result()


async def _pass_on(events: Events, *, task_status: TaskStatus[ObjectReceiveStream[Event]]) -> None:
    async with events:
        sent, received = anyio.create_memory_object_stream[Event](0)
        async with sent:
            task_status.started(received)
            async for event in events:
                await sent.send(event)


async def _until_over(received: ObjectReceiveStream[Event]) -> None:
    """Wait until the run is no more."""
    async with received:
        async for _ in received:
            continue
