"""A conversation with the interpreter of a session (`guest/session.py`), whose every word is untrusted.

The pump reads what it says for as long as it lives; a run listens meanwhile. What is said while nobody listens, by
threads and processes that code left behind, is dropped and counted.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from holdfast.engines import Exited, Output, Process
from holdfast.errors import EngineError, RuntimeNotAvailableError
from holdfast.types import Display, ProgramError

MAX_FRAME_BYTES = 10 << 20
"""Somewhat more than the largest display with its metadata. Taken apart, a frame can be many times as large."""

MAX_ID = 1 << 32
_SENSELESS = "Its interpreter was ended, because what it said made no sense."
_FLOOD = "Its interpreter was ended, because code it had left behind flooded its output."
_HEARD_AT_ONCE = 1
_UNHEARD_FRAME_BYTES = 1024
"""What a frame that nobody listens for counts as."""


def program() -> bytes:
    """The program that is the other side of the conversation."""
    return resources.files("holdfast.guest").joinpath("session.py").read_bytes()


class Ready(BaseModel):
    """It waits for commands."""

    op: Literal["ready"]


class Failed(BaseModel):
    """It could not start."""

    op: Literal["failed"]
    error: str


class Shown(Display):
    """Something to show."""

    op: Literal["display"]
    id: int = Field(ge=0, lt=MAX_ID)
    size_bytes: int = 0


class Done(BaseModel):
    """A run has ended."""

    op: Literal["done"]
    id: int
    exit_code: int = Field(ge=0, le=255)
    count: int
    error: ProgramError | None = None


Frame = Ready | Failed | Shown | Done
_FRAME: TypeAdapter[Frame] = TypeAdapter(Frame)


@dataclass(frozen=True, slots=True)
class Ended:
    """The interpreter is gone; `exited` is the verdict, if there is one."""

    exited: Exited | None
    reason: str


Said = Output | Shown | Done | Ended


class BrokenProtocol(Exception):
    """The interpreter said something that means nothing."""


class Kernel:
    """One interpreter."""

    def __init__(self, process: Process, most_unheard_bytes: int) -> None:
        self.process = process
        self._most_unheard_bytes = most_unheard_bytes
        self.ended: Ended | None = None
        self.dropped_bytes = 0
        self._is_ready = False
        self._buffer = bytearray()
        self._killed_for: str | None = None
        self._listener: MemoryObjectSendStream[Said] | None = None
        self._on_ready: Callable[[], None] = lambda: None

    async def pump(self, on_ready: Callable[[], None]) -> Ended:
        """Read until it ends. Raises RuntimeNotAvailableError when it cannot start."""
        self._on_ready = on_ready
        try:
            async for event in self.process:
                await self._take(event)
        except RuntimeNotAvailableError:
            raise
        except EngineError as error:
            self.ended = Ended(None, error.detail)
        finally:
            # Whoever still listens when this is cancelled has to hear of an end.
            self.ended = self.ended or Ended(None, "It was ended.")
            if self._listener is not None:
                self._listener.close()
        return self.ended

    @contextmanager
    def listen(self) -> Iterator[MemoryObjectReceiveStream[Said]]:
        """For the length of the block, hear what it says; the stream ends with the interpreter."""
        said, heard = anyio.create_memory_object_stream[Said](_HEARD_AT_ONCE)
        with said, heard:
            self._listener = said
            if self.ended is not None:
                said.close()
            try:
                yield heard
            finally:
                self._listener = None

    async def run(self, number: int, code: str) -> None:
        """Tell it to run something."""
        await self.process.send(_line({"op": "run", "id": number, "code": code}))

    async def end_senseless(self) -> None:
        """End it, because what it says makes no sense."""
        self._killed_for = self._killed_for or _SENSELESS
        await self.process.kill()

    async def _take(self, event: Output | Exited) -> None:
        if isinstance(event, Exited):
            self.ended = Ended(event, self._killed_for or _why(event))
            return await self._say(self.ended)
        if event.stream != "frames":
            return await self._say(event)
        try:
            for line in self._lines(event.data):
                await self._heard(_parsed(line))
        except BrokenProtocol:
            await self.end_senseless()

    def _lines(self, data: bytes) -> Iterator[bytes]:
        """The whole lines there are by now. Raises BrokenProtocol."""
        if self._killed_for is not None:
            return
        self._buffer += data
        if len(self._buffer) > MAX_FRAME_BYTES:
            raise BrokenProtocol
        if b"\n" in data:
            *lines, rest = bytes(self._buffer).split(b"\n")
            self._buffer = bytearray(rest)
            yield from lines

    async def _heard(self, frame: Frame) -> None:
        if isinstance(frame, Ready | Failed) and self._is_ready:
            raise BrokenProtocol
        if isinstance(frame, Ready):
            self._is_ready = True
            self._on_ready()
        elif isinstance(frame, Failed):
            raise RuntimeNotAvailableError(
                f"The interpreter of sessions could not start ({frame.error[:200]}); run: holdfast setup", field="image"
            )
        else:
            await self._say(frame)
            if isinstance(frame, Shown):
                await self.process.send(_line({"op": "shown", "id": frame.id}))

    async def _say(self, said: Said) -> None:
        try:
            if self._listener is not None:
                return await self._listener.send(said)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._listener = None
        self.dropped_bytes += _weight(said)
        if self.dropped_bytes > self._most_unheard_bytes and self._killed_for is None:
            self._killed_for = _FLOOD
            await self.process.kill()


def _weight(said: Said) -> int:
    if isinstance(said, Output):
        return len(said.data)
    return _UNHEARD_FRAME_BYTES + (said.size_bytes if isinstance(said, Shown) else 0)


def _line(command: dict[str, Any]) -> bytes:
    return json.dumps(command).encode() + b"\n"


def _parsed(line: bytes) -> Frame:
    try:
        frame = _FRAME.validate_json(line)
    except ValidationError:
        raise BrokenProtocol from None
    return frame.model_copy(update={"size_bytes": len(line)}) if isinstance(frame, Shown) else frame


def _why(exited: Exited) -> str:
    if exited.usage.out_of_memory:
        return "Its interpreter needed more memory than the session's limit."
    if exited.reason == "wall":
        return "Its lifetime was over."
    if exited.reason is not None:
        return "Its interpreter was ended."
    if exited.signal is not None:
        return f"Its interpreter was ended by signal {exited.signal}."
    return f"Its interpreter ended with exit code {exited.exit_code}."
