"""The streams of a program, against one that misuses them: what nobody reads must not pile up in the server."""

import os

import anyio
import pytest
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from holdfast.engines.local.process import MOST_UNREAD_INPUT, LocalProcess, Pipes
from holdfast.types import Usage

pytestmark = pytest.mark.anyio


class Orders:
    """A way to pid 1 that only remembers."""

    def __init__(self) -> None:
        self.given: list[str] = []

    async def order(self, op: str) -> None:
        self.given.append(op)

    async def usage(self) -> Usage:
        raise AssertionError("nobody asks here what the cell has used")


async def test_frames_do_not_let_output_pile_up_that_nobody_takes() -> None:
    pipes = Pipes(interactive=True)
    stdout, _, frames = (pipe.write_end for pipe in pipes.outputs)
    accepted = 0
    try:
        for fd in (stdout, frames):
            os.set_blocking(fd, False)
        for _ in range(300):
            for fd, data in ((stdout, bytes(1 << 16)), (frames, b" ")):
                try:
                    accepted += os.write(fd, data)
                except BlockingIOError:
                    continue
            await checkpoint()
            await checkpoint()
        assert accepted < 4 << 20
    finally:
        pipes.close()


async def test_output_and_frames_go_on_when_they_are_taken() -> None:
    process = LocalProcess(Pipes(interactive=True), Orders())
    stdout, _, frames = (pipe.write_end for pipe in process.pipes.outputs)
    wanted, heard = 4 << 20, {"stdout": 0, "frames": 0}

    def write() -> None:
        for _ in range(wanted >> 16):
            os.write(stdout, bytes(1 << 16))
            os.write(frames, b"x")

    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(run_sync, write)
                async for event in process:
                    heard[event.stream] += len(event.data)  # type: ignore[union-attr]
                    if heard == {"stdout": wanted, "frames": wanted >> 16}:
                        break
    finally:
        process.pipes.close()


async def test_a_program_that_does_not_read_what_it_is_sent_is_ended() -> None:
    orders = Orders()
    process = LocalProcess(Pipes(interactive=True), orders)
    try:
        for _ in range(20):
            await process.send(bytes(1 << 20))
        assert process.pipes.stdin.unread_bytes <= MOST_UNREAD_INPUT + (1 << 20)
        assert set(orders.given) == {"kill"}
    finally:
        process.pipes.close()


async def test_all_that_is_sent_arrives_in_order() -> None:
    pipes = Pipes()
    pieces = [bytes([number]) * 50_000 for number in range(20)]
    ours, read = os.dup(pipes.stdin.read_end), bytearray()

    def drain() -> None:
        while data := os.read(ours, 1 << 16):
            read.extend(data)

    try:
        for piece in pieces:
            pipes.stdin.feed(piece, last=piece is pieces[-1])
        with anyio.fail_after(10):
            await run_sync(drain)
        assert bytes(read) == b"".join(pieces)
    finally:
        os.close(ours)
        pipes.close()
