"""A command running in a cell: its output as it is written, and pid 1's verdict."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

from holdfast.engines import Exited, Output, ProcessEvent
from holdfast.types import Usage

Stream = Literal["stdout", "stderr", "frames"]

_READ_BYTES = 1 << 16
_UNREAD_BYTES = 1 << 18
"""How much output may wait for a slow reader; beyond it the program has to wait."""

_MOST_BYTES_IN_A_PIPE = 1 << 20
"""To what a program can enlarge a pipe (fs.pipe-max-size)."""

MOST_UNREAD_INPUT = 8 << 20
"""Who is sent more while this much waits for them is not reading; no command is as large."""


class OutputPipe:
    """The reading end of an output stream. Stops reading while too much is unread."""

    def __init__(self, stream: Stream, wake: Callable[[], None]) -> None:
        self.stream: Stream = stream
        self._fd, self.write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.write_end, True)
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._reading = True
        self.ended = False
        self._loop.add_reader(self._fd, self._on_readable)

    def _on_readable(self) -> None:
        if not self._read():
            return
        if self.is_full:
            self.pause()
        self._wake()

    @property
    def is_full(self) -> bool:
        """Whether so much is unread that the program should wait."""
        return self._unread >= _UNREAD_BYTES

    def pause(self) -> None:
        """Stop reading until what has been read is taken."""
        if self._reading and not self.ended:
            self._loop.remove_reader(self._fd)
            self._reading = False

    def _read(self) -> int:
        """Keep what can be read at once; how much that was, at the end of the pipe 1."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self.close()
            return 1
        self._chunks.append(data)
        self._unread += len(data)
        return len(data)

    def take_rest(self) -> None:
        """Everybody who could write is dead: read what is left, and do not wait for an end.

        A descriptor in flight, in a socket that only itself refers to, keeps a pipe open long after its program.
        """
        self.take_what_is_there()
        self.close()

    def take_what_is_there(self) -> None:
        """Read all there is at this moment, however much is unread."""
        left = _MOST_BYTES_IN_A_PIPE
        while not self.ended and left > 0 and (count := self._read()):
            left -= count

    def take(self) -> Output | None:
        """The oldest unread chunk."""
        if not self._chunks:
            return None
        data = self._chunks.popleft()
        self._unread -= len(data)
        if not self._reading and not self.ended and not self.is_full:
            self._loop.add_reader(self._fd, self._on_readable)
            self._reading = True
        return Output(self.stream, data)

    def close_write_end(self) -> None:
        """Our copy of the program's end; without it the pipe would never end."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def close(self) -> None:
        self.close_write_end()
        if not self.ended:
            self.ended = True
            self._loop.remove_reader(self._fd)
            os.close(self._fd)


class InputPipe:
    """The writing end of stdin: everything is written as fast as the program reads, then closed."""

    def __init__(self) -> None:
        self.read_end, self._fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.read_end, True)
        self._left = bytearray()
        self._loop = asyncio.get_running_loop()
        self._waiting = False
        self._last = False

    def close_read_end(self) -> None:
        """Our copy of the program's end; without it a program that does not read would never be noticed."""
        if self.read_end >= 0:
            os.close(self.read_end)
            self.read_end = -1

    @property
    def unread_bytes(self) -> int:
        """How much waits until the program reads."""
        return len(self._left)

    def feed(self, data: bytes, *, last: bool = True) -> None:
        """Write this too, and if it is the last, close when it is written."""
        if self._fd >= 0:
            self._left += data
        self._last = last
        if self._fd >= 0 and not self._waiting:
            self._write()

    def _write(self) -> None:
        try:
            while self._left:
                del self._left[: os.write(self._fd, self._left)]
        except BlockingIOError:
            if not self._waiting:
                self._waiting = True
                self._loop.add_writer(self._fd, self._write)
            return
        except BrokenPipeError:
            self._left.clear()
            self._last = True
        if self._last:
            self.close()
        elif self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._fd)

    def close(self) -> None:
        self.close_read_end()
        if self._fd >= 0:
            if self._waiting:
                self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1


class Pipes:
    """The streams of one program, from our side: the standard ones, and for an interactive one its frames."""

    def __init__(self, *, interactive: bool = False) -> None:
        self.changed = asyncio.Event()
        self.stdin = InputPipe()
        self.outputs: tuple[OutputPipe, ...] = (
            OutputPipe("stdout", self.changed.set),
            OutputPipe("stderr", self.changed.set),
        )
        if interactive:
            self.outputs += (OutputPipe("frames", self._on_frames),)

    def _on_frames(self) -> None:
        """What was written before a frame is to come out before it, and it is in its pipe by now."""
        *others, frames = self.outputs
        for pipe in others:
            pipe.take_what_is_there()
        # A frame is taken after what came before it, so this ends with the reader who lets it wait.
        if any(pipe.is_full for pipe in others):
            frames.pause()
        self.changed.set()

    def program_ends(self) -> tuple[int, ...]:
        """Descriptors for the program: stdin, stdout, stderr, and that for frames."""
        return (self.stdin.read_end, *(pipe.write_end for pipe in self.outputs))

    def given_away(self) -> None:
        """The cell has its ends now; ours of the same would keep the pipes open."""
        self.stdin.close_read_end()
        for pipe in self.outputs:
            pipe.close_write_end()

    def close(self) -> None:
        self.stdin.close()
        for pipe in self.outputs:
            pipe.close()


class Control(Protocol):
    """The way to pid 1."""

    async def order(self, op: str) -> None:
        """Tell it to kill or to interrupt the program; one that is gone need not be told."""
        ...

    async def usage(self) -> Usage:
        """Ask for its account. Raises EngineError."""
        ...


class LocalProcess:
    """An async iterator of `Output` that ends with one `Exited`."""

    def __init__(self, pipes: Pipes, control: Control) -> None:
        self.pipes = pipes
        self._control = control
        self._verdict: Exited | BaseException | None = None

    @property
    def finished(self) -> bool:
        """Whether the verdict is in (output may still be unread)."""
        return self._verdict is not None

    def finish(self, verdict: Exited | BaseException) -> None:
        """Take the verdict, or the reason there is none."""
        self._verdict = verdict
        if isinstance(verdict, BaseException):
            self.pipes.close()
        for pipe in self.pipes.outputs:
            pipe.take_rest()
        self.pipes.changed.set()

    async def kill(self) -> None:
        """End the whole process tree."""
        if not self.finished:
            await self._control.order("kill")

    async def send(self, data: bytes) -> None:
        """Write to its stdin. A program that does not read what it is sent is ended."""
        if self.pipes.stdin.unread_bytes > MOST_UNREAD_INPUT:
            await self.kill()
            return
        self.pipes.stdin.feed(data, last=False)

    async def interrupt(self) -> None:
        """Send SIGINT to its process group."""
        if not self.finished:
            await self._control.order("interrupt")

    async def usage(self) -> Usage:
        """What the cell has used so far. Raises EngineError."""
        return await self._control.usage()

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
        while True:
            self.pipes.changed.clear()
            while chunk := self._next_chunk():
                yield chunk
            if self._verdict is not None and all(pipe.ended for pipe in self.pipes.outputs):
                if isinstance(self._verdict, BaseException):
                    raise self._verdict
                yield self._verdict
                return
            await self.pipes.changed.wait()

    def _next_chunk(self) -> Output | None:
        for pipe in self.pipes.outputs:
            chunk = pipe.take()
            if chunk is not None:
                return chunk
        return None
