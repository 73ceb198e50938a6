"""Frames over a pair of byte streams, and in them the streams of a program."""

import fcntl
import os
import select
from collections.abc import Iterator

import pytest

from holdfast.guest.frames import LENGTHS, marshalled, pack
from holdfast.guest.streams import MOST_UNREAD_INPUT, WINDOW, StreamChannel, Streams


class Wire:
    """A channel whose other ends are ours, and what came out of it."""

    def __init__(self) -> None:
        receiving, self.to_channel = os.pipe()
        self._from_channel, sending = os.pipe()
        os.set_blocking(self._from_channel, False)
        fcntl.fcntl(sending, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.channel = StreamChannel(receiving, sending)
        self._buffer = b""

    def messages(self) -> list[tuple[bytes, bytes]]:
        """Header and payload of everything that was sent."""
        found = []
        try:
            while data := os.read(self._from_channel, 1 << 20):
                self._buffer += data
        except BlockingIOError:
            pass
        while self._buffer:
            header, payload = LENGTHS.unpack_from(self._buffer)
            start = LENGTHS.size
            found.append(
                (self._buffer[start : start + header], self._buffer[start + header : start + header + payload])
            )
            self._buffer = self._buffer[start + header + payload :]
        return found

    def close(self) -> None:
        self.channel.close()
        os.close(self.to_channel)
        os.close(self._from_channel)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def ready(poll: select.poll) -> list[int]:
    return [fd for fd, _ in poll.poll(0)]


def test_a_message_in_two_pieces_is_one_message(wire: Wire) -> None:
    data = pack(marshalled({"op": "write"}), b"12345")
    os.write(wire.to_channel, data[:3])
    os.write(wire.to_channel, data[3:])
    frame = wire.channel.receive()
    assert frame is not None
    assert (frame.header, frame.payload, frame.fds) == ({"op": "write"}, b"12345", [])


def test_the_end_of_the_stream_is_no_message(wire: Wire) -> None:
    os.write(wire.to_channel, b"\0\0")
    closed, wire.to_channel = wire.to_channel, os.open(os.devnull, os.O_WRONLY)
    os.close(closed)
    assert wire.channel.receive() is None


def test_descriptors_cannot_be_sent(wire: Wire) -> None:
    with pytest.raises(OSError, match="descriptors"):
        wire.channel.send({"op": "x"}, fds=(0,))


def test_output_comes_out_before_the_frame_that_was_written_after_it(wire: Wire) -> None:
    streams, poll = Streams(wire.channel, ("stdout", "stderr", "frames")), select.poll()
    streams.join(poll)
    _, out, error, frames = streams.program_ends
    os.write(out, b"first")
    os.write(error, b"second")
    os.write(frames, b"third")
    streams.move([fd for fd in ready(poll) if fd in streams._outputs and streams._outputs[fd] == "frames"])
    assert [payload for _, payload in wire.messages()] == [b"first", b"second", b"third"]
    streams.finish()
    for fd in streams.program_ends:
        os.close(fd)


def test_a_reader_who_does_not_read_holds_up_the_program_alone(wire: Wire) -> None:
    streams, poll = Streams(wire.channel, ("stdout", "stderr")), select.poll()
    streams.join(poll)
    out = streams.program_ends[1]
    os.set_blocking(out, False)
    sent = 0
    for _ in range(1000):
        try:
            os.write(out, bytes(4096))
        except BlockingIOError:
            if not ready(poll):
                break
        streams.move(ready(poll))
        sent += sum(len(payload) for _, payload in wire.messages())
    assert WINDOW <= sent < WINDOW + (128 << 10)
    streams.taken(sent)
    streams.move(ready(poll))
    assert wire.messages()
    streams.finish()
    for fd in streams.program_ends:
        os.close(fd)


def test_what_is_left_is_sent_at_the_end_without_waiting_for_an_end(wire: Wire) -> None:
    streams = Streams(wire.channel, ("stdout", "stderr"))
    os.write(streams.program_ends[1], b"last words")
    # The writing end stays open, as one in flight would.
    streams.finish()
    assert [payload for _, payload in wire.messages()] == [b"last words"]
    for fd in streams.program_ends:
        os.close(fd)


def test_input_waits_until_the_program_reads_and_too_much_of_it_is_told(wire: Wire) -> None:
    streams, poll = Streams(wire.channel, ("stdout", "stderr")), select.poll()
    streams.join(poll)
    assert streams.feed(bytes(MOST_UNREAD_INPUT + (1 << 20)), last=False)
    assert not streams.feed(b"more", last=False)
    stdin = streams.program_ends[0]
    read = 0
    while read < MOST_UNREAD_INPUT + (1 << 20) + 4:
        read += len(os.read(stdin, 1 << 20))
        streams.move(ready(poll))
    assert streams.feed(b"", last=True)
    assert os.read(stdin, 10) == b""
    streams.finish()
    for fd in streams.program_ends:
        os.close(fd)
