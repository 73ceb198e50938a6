"""DuckDB's parser in a cell: text goes in, a tree comes out, and whatever the text does to the parser stays in there.

One cell parses one statement after the other. One that takes too long, needs too much or dies is replaced, and the
statement that did it is told so.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from holdfast.background import background
from holdfast.engines import Command, Engine, Exited, Process, SandboxSpec
from holdfast.errors import EngineError, HoldfastError, ShuttingDownError
from holdfast.languages import DATA_PROFILE, DEFAULT_LANGUAGE, find_language
from holdfast.types import Limits

PATIENCE_SECONDS = 3.0
START_SECONDS = 20.0
PAUSE_SECONDS = 1.0
MAX_ANSWER = 10 << 20
MAX_USES = 10_000
LIFETIME_SECONDS = 24 * 3600.0
MEMORY_BYTES = 384 << 20
_LIMITS = Limits(
    wall_seconds=LIFETIME_SECONDS,
    memory_bytes=MEMORY_BYTES,
    disk_bytes=8 << 20,
    output_bytes=1 << 20,
    processes=16,
    open_files=64,
    cpu_shares=512,
)

_log = structlog.get_logger()


class Overwhelmed(Exception):
    """The parser took too long, needed too much memory, or died."""


@dataclass(slots=True)
class _Question:
    command: Mapping[str, Any]
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: bytes | None = None
    error: HoldfastError | None = None


class Parser:
    """Use it inside `open`. Any number of tasks may ask; one is answered at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ask: MemoryObjectSendStream[_Question] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Parser"]:
        """Keep a cell for the length of the block."""
        self._ask, asked = anyio.create_memory_object_stream[_Question](0)
        async with background() as tasks:
            tasks.start_soon(self._work, asked)
            try:
                yield self
            finally:
                self._ask.close()

    async def ask(self, command: Mapping[str, Any]) -> bytes:
        """What `guest/parse_sql.py` answers, unread. Raises Overwhelmed, EngineError, ShuttingDownError."""
        question = _Question(command)
        if self._ask is None:
            raise AssertionError("the parser is not open")
        try:
            await self._ask.send(question)
            await question.answered.wait()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise ShuttingDownError("The server is shutting down; try again later.") from None
        if question.error is not None:
            raise question.error
        if question.answer is None:
            raise Overwhelmed
        return question.answer

    async def _work(self, asked: MemoryObjectReceiveStream[_Question]) -> None:
        """One cell after the other, until nobody can ask any more."""
        again: _Question | None = None
        async with asked:
            with suppress(anyio.EndOfStream):
                while True:
                    # Without a question there is no cell: it takes as much memory as the rest of a small server.
                    again = again or await asked.receive()
                    try:
                        again = await self._one_life(asked, again)
                    except TimeoutError:
                        slow = EngineError("The parser of SQL did not start in time; try again.")
                        await self._refuse(asked, again, slow)
                        again = None
                    except HoldfastError as error:
                        await self._refuse(asked, again, error)
                        again = None

    async def _one_life(self, asked: MemoryObjectReceiveStream[_Question], again: _Question | None) -> _Question | None:
        """Answer with one cell until it is worn or gone; what it was found dead at is to be asked again."""
        async with AsyncExitStack() as stack:
            with anyio.fail_after(START_SECONDS):
                conversation = await self._start(stack)
            for number in range(1, MAX_USES):
                question, again = again or await asked.receive(), None
                try:
                    question.answer = await conversation.ask(number, question.command)
                except anyio.get_cancelled_exc_class():
                    question.error = ShuttingDownError("The server is shutting down; try again later.")
                    question.answered.set()
                    raise
                if question.answer is None and conversation.over and number > 1:
                    return question  # Perhaps it had ended before, for a reason of its own.
                question.answered.set()
                if question.answer is None:
                    return None
        return None

    async def _start(self, stack: AsyncExitStack) -> "_Conversation":
        language = find_language(DEFAULT_LANGUAGE)
        program = resources.files("holdfast.guest").joinpath("parse_sql.py").read_bytes()
        sandbox = await self._engine.create(SandboxSpec(language.name, _LIMITS, profile=DATA_PROFILE))
        await stack.enter_async_context(aclosing(sandbox))
        command = Command(
            language.run,
            environment=language.environment,
            files={language.main_file: program},
            wall_seconds=LIFETIME_SECONDS,
            interactive=True,
        )
        conversation = _Conversation(await stack.enter_async_context(sandbox.exec(command)))
        if await conversation.hear() is None:
            raise EngineError("The parser of SQL did not start; run: holdfast setup")
        return conversation

    async def _refuse(
        self, asked: MemoryObjectReceiveStream[_Question], again: _Question | None, error: HoldfastError
    ) -> None:
        """For a moment, tell whoever asks that it cannot be done; then try anew."""
        _log.warning("parser_failed", reason=error.detail)
        with anyio.move_on_after(PAUSE_SECONDS):
            while True:
                question, again = again or await asked.receive(), None
                question.error = error
                question.answered.set()


class _Conversation:
    """With one process, whose every word is untrusted. `over` says that it has ended."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._events = aiter(process)
        self.over = False

    async def ask(self, number: int, command: Mapping[str, Any]) -> bytes | None:
        """The line it answers; None when it has ended, does not answer, or answers something else."""
        line = json.dumps({**command, "id": number}).encode() + b"\n"
        with anyio.move_on_after(PATIENCE_SECONDS):
            try:
                await self._process.send(line)
                answer = await self.hear()
            except EngineError:
                self.over, answer = True, None
            return answer if answer is not None and answer.startswith(b'{"id": %d,' % number) else None
        return None

    async def hear(self) -> bytes | None:
        """The next line of its frames."""
        heard = bytearray()
        async for event in self._events:
            if isinstance(event, Exited):
                break
            if event.stream != "frames":
                continue
            heard += event.data
            if heard.endswith(b"\n"):
                return bytes(heard)
            if len(heard) > MAX_ANSWER:
                return None
        self.over = True
        return None
