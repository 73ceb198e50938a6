"""Everything over one pair of byte streams, where no descriptor can be handed over: frames, and in frames the streams
of a program.

Output is sent ahead of its reader by at most `WINDOW` bytes, so that a reader who does not read holds up the program
and nothing else: verdicts and answers go through the same stream.
"""

from __future__ import annotations

import os
import select

from holdfast.guest.frames import Channel, json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW = 256 << 10
MOST_UNREAD_INPUT = 8 << 20
"""Who is sent more while this much waits for them is not reading; no command is as large."""

_READ_BYTES = 1 << 16
_MOST_BYTES_IN_A_PIPE = 1 << 20


class StreamChannel(Channel):
    """A `Channel` over two descriptors that need not be sockets."""

    def __init__(self, receiving: int, sending: int) -> None:
        self._receiving = receiving
        self._sending = sending
        self._encode = json_text

    def fileno(self) -> int:
        return self._receiving

    def send(self, header: object, payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        if fds:
            raise OSError("descriptors cannot be sent over a byte stream")
        self.send_pieces(header, len(payload), (payload,) if payload else ())

    def close(self) -> None:
        for fd in {self._receiving, self._sending} - {-1}:
            os.close(fd)
        self._receiving = self._sending = -1

    def _send_all(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._sending, view) :]

    def _receive_first(self, size: int) -> tuple[bytes, list[int]]:
        return os.read(self._receiving, size), []

    def _receive_into(self, view: memoryview) -> int:
        return os.readv(self._receiving, [view])


class Streams:
    """The streams of one program: `names` are what it writes, in the order of its descriptors."""

    def __init__(self, channel: Channel, names: Sequence[str]) -> None:
        self._channel = channel
        self._window = WINDOW
        self._poll = select.poll()
        self._watched: set[int] = set()
        self._waiting: bytearray = bytearray()
        self._last = False
        stdin, self._stdin = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._stdin, False)
        self._outputs: dict[int, str] = {}
        ends = [stdin]
        for name in names:
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(ours, False)
            self._outputs[ours] = name
            ends.append(theirs)
        self.program_ends = tuple(ends)

    def join(self, poll: select.poll) -> None:
        """Wake this poll when there is something to move."""
        self._poll = poll
        self._watch_outputs()
        self._write_input()

    def move(self, ready: Sequence[int]) -> None:
        """Move what can be moved, after a poll."""
        if self._stdin in ready:
            self._write_input()
        # What was written before a frame is in its pipe by now, and is to come out before it.
        names = [self._outputs[fd] for fd in ready if fd in self._outputs]
        for fd, name in list(self._outputs.items()):
            if name in names or (name != "frames" and "frames" in names):
                self._send_some(fd)
        if self._window <= 0:
            self._stop_watching()

    def feed(self, data: bytes, *, last: bool) -> bool:
        """Write this to stdin when there is room; if it is the last, close it then. False: nobody reads."""
        if self._stdin < 0:
            return True
        reading = last or len(self._waiting) <= MOST_UNREAD_INPUT
        self._waiting += data
        self._last = last
        self._write_input()
        return reading

    def taken(self, count: int) -> None:
        """So much has been read on the other side."""
        self._window += count
        self._watch_outputs()

    def finish(self) -> None:
        """Everybody who could write is dead: send what is left, and do not wait for an end."""
        for fd in list(self._outputs):
            left = _MOST_BYTES_IN_A_PIPE
            while fd in self._outputs and left > 0 and (count := self._send_some(fd)):
                left -= count
        for fd in [*self._outputs, *([self._stdin] if self._stdin >= 0 else [])]:
            os.close(fd)
        self._outputs.clear()
        self._stdin = -1

    def _watch_outputs(self) -> None:
        if self._window > 0:
            for fd in self._outputs:
                self._watch(fd, select.POLLIN)

    def _stop_watching(self) -> None:
        for fd in self._outputs:
            self._forget(fd)

    def _watch(self, fd: int, what: int) -> None:
        self._watched.add(fd)
        self._poll.register(fd, what)

    def _forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            self._poll.unregister(fd)

    def _send_some(self, fd: int) -> int:
        """Send what can be read at once; how much that was."""
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._forget(fd)
            del self._outputs[fd]
            os.close(fd)
            return 0
        self._window -= len(data)
        self._channel.send({"op": "output", "stream": self._outputs[fd]}, data)
        return len(data)

    def _write_input(self) -> None:
        if self._stdin < 0:
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(self._stdin, memoryview(self._waiting)[:_READ_BYTES])]
        except BlockingIOError:
            self._watch(self._stdin, select.POLLOUT)
            return
        except BrokenPipeError:
            self._waiting.clear()
            self._last = True
        self._forget(self._stdin)
        if self._last:
            os.close(self._stdin)
            self._stdin = -1
