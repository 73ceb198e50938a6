"""Promises about programs one talks with: frames beside the output, interrupts, and files while they run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from holdfast.engines import Command, Engine, Exited, Process, Sandbox
from holdfast.errors import NotFoundError
from holdfast.testing.contract.case import Check, command, require, run_in, sandbox

PATIENCE_SECONDS = 15.0

PREPARE = """
import os, sys
frames = open(int(os.environ["HOLDFAST_FRAMES"]), "w", buffering=1)
"""
ECHO = f"""{PREPARE}
for line in sys.stdin:
    print("heard", line.strip(), flush=True)
    print("oops", file=sys.stderr, flush=True)
    print("done", line.strip(), file=frames)
"""
SPINS = f"""{PREPARE}
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("ready", file=frames)
    while True:
        pass
except KeyboardInterrupt:
    print("interrupted", file=frames)
"""


def _talk(code: str) -> Command:
    return replace(command(code), interactive=True)


class Talk:
    """A running program and what it has said so far."""

    def __init__(self, box: Sandbox, process: Process) -> None:
        self.box = box
        self.process = process
        self.said = {"stdout": b"", "stderr": b"", "frames": b""}
        self.exited: Exited | None = None
        self._events = aiter(process)

    async def hear(self, stream: str, text: bytes) -> None:
        """Listen until the program has said this."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while text not in self.said[stream]:
                event = await anext(self._events)
                if isinstance(event, Exited):
                    self.exited = event
                    return
                self.said[event.stream] += event.data


@asynccontextmanager
async def _talking(engine: Engine, code: str) -> AsyncIterator[Talk]:
    async with sandbox(engine) as box, box.exec(_talk(code)) as process:
        yield Talk(box, process)


async def a_conversation_goes_back_and_forth(engine: Engine) -> None:
    async with _talking(engine, ECHO) as talk:
        for word in (b"one", b"two", b"three"):
            await talk.process.send(word + b"\n")
            await talk.hear("frames", b"done " + word)
        require(talk.said["frames"] == b"done one\ndone two\ndone three\n", talk.said)


async def what_was_written_before_a_frame_comes_before_it(engine: Engine) -> None:
    async with _talking(engine, ECHO) as talk:
        for number in range(50):
            await talk.process.send(b"%d\n" % number)
            await talk.hear("frames", b"done %d\n" % number)
            require(b"heard %d\n" % number in talk.said["stdout"], talk.said)
            require(talk.said["stderr"].count(b"oops") == number + 1, talk.said)


async def a_mebibyte_can_be_sent_while_the_program_runs(engine: Engine) -> None:
    code = f"{PREPARE}\nprint(sum(len(sys.stdin.readline()) for _ in range(2)), file=frames)"
    async with _talking(engine, code) as talk:
        for _ in range(2):
            await talk.process.send(b"x" * (1 << 20) + b"\n")
        await talk.hear("frames", b"%d\n" % (2 * ((1 << 20) + 1)))


async def an_interrupt_is_a_keyboard_interrupt(engine: Engine) -> None:
    async with _talking(engine, SPINS) as talk:
        await talk.hear("frames", b"ready")
        await talk.process.interrupt()
        await talk.hear("frames", b"interrupted")


async def usage_is_counted_while_the_program_runs(engine: Engine) -> None:
    async with _talking(engine, SPINS) as talk:
        await talk.hear("frames", b"ready")
        before = (await talk.process.usage()).cpu_user_seconds
        await anyio.sleep(0.5)
        require((await talk.process.usage()).cpu_user_seconds > before)


async def files_go_in_and_out_while_the_program_runs(engine: Engine) -> None:
    code = f"{PREPARE}\nprint(open(sys.stdin.readline().strip()).read(), file=frames)\nsys.stdin.readline()"
    async with _talking(engine, code) as talk:
        await talk.box.write("deep/in", b"from outside")
        await talk.process.send(b"deep/in\n")
        await talk.hear("frames", b"from outside")
        require(await talk.box.read("deep/in", max_bytes=100) == b"from outside")


async def a_conversation_ends_with_a_verdict(engine: Engine) -> None:
    async with _talking(engine, f"{PREPARE}\nprint('bye', file=frames)\nsys.exit(3)") as talk:
        await talk.hear("frames", b"never")
        require(talk.exited is not None and talk.exited.exit_code == 3, talk.exited)
        require(talk.said["frames"] == b"bye\n", talk.said)


async def a_killed_conversation_ends_with_a_verdict(engine: Engine) -> None:
    async with _talking(engine, SPINS) as talk:
        await talk.hear("frames", b"ready")
        await talk.process.kill()
        await talk.hear("frames", b"never")
        require(talk.exited is not None and talk.exited.reason == "killed", talk.exited)


async def files_are_listed_with_their_sizes(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.write("a", b"12345")
        await box.write("b/c", b"")
        before = (await box.list()).files
        require({name: size for name, (size, _) in before.items()} == {"a": 5, "b/c": 0}, before)
        await box.write("a", b"54321")
        after = (await box.list()).files
        require(after["b/c"] == before["b/c"] and after["a"] != before["a"], after)


async def a_removed_file_is_gone(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await box.write("b/c", b"")
        await box.remove("b/c")
        require(not (await box.list()).files)
        try:
            await box.remove("b/c")
        except NotFoundError:
            return
        require(False, "no NotFoundError")


async def a_link_is_not_listed(engine: Engine) -> None:
    async with sandbox(engine) as box:
        await run_in(box, command("import os; os.symlink('main.py', 'link')"))
        require(list((await box.list()).files) == ["main.py"])


PROMISES: tuple[Check, ...] = (
    a_conversation_goes_back_and_forth,
    what_was_written_before_a_frame_comes_before_it,
    a_mebibyte_can_be_sent_while_the_program_runs,
    an_interrupt_is_a_keyboard_interrupt,
    usage_is_counted_while_the_program_runs,
    files_go_in_and_out_while_the_program_runs,
    a_conversation_ends_with_a_verdict,
    a_killed_conversation_ends_with_a_verdict,
    files_are_listed_with_their_sizes,
    a_removed_file_is_gone,
    a_link_is_not_listed,
)
