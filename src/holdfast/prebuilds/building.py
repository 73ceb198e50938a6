"""One build: a setup script in a sandbox of its own; what it leaves is packed there, and unpacked by a helper."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from holdfast.engines import Command, Exited, Output, Sandbox, SandboxSpec
from holdfast.errors import BuildFailedError, EngineError, ShuttingDownError
from holdfast.execution import Executor, next_report
from holdfast.execution.record import Run
from holdfast.prebuilds.recipe import PACK
from holdfast.types import Event, OutputEvent, Status

Unpack = Callable[[AsyncIterator[bytes], Path, int], Awaitable[int]]
"""Make the files that an archive describes in a fresh directory, at most so many bytes; how many it had."""

LOG_CHARACTERS = 8_192
PACK_SECONDS = 300.0
_HEAD_ROOM = 64 << 20
"""What an archive may have beyond the content of its files."""

_WHY = {
    Status.TIMED_OUT: "the setup script was ended at its time limit",
    Status.OUT_OF_MEMORY: "the setup script needed more memory than a build may use (files count in it)",
    Status.OUTPUT_LIMIT: "the setup script was ended because it wrote far more output than is kept",
    Status.DISK_LIMIT: "the setup script wrote more files than a build may hold",
    Status.CANCELLED: "the setup script was ended before it was done",
}


@dataclass
class Build:
    """What is built, where to, and what became of it."""

    spec: SandboxSpec
    command: Command
    directory: Path
    max_bytes: int
    unpack: Unpack
    hint: str = ""
    size_bytes: int = 0


async def perform(executor: Executor, build: Build) -> AsyncGenerator[Event, None]:
    """Do it, and tell what happens. Closing the generator ends it.

    Raises BuildFailedError, EngineError, StorageFullError, QueueFullError, ShuttingDownError.
    """
    run = Run(build.spec)
    log: deque[str] = deque()
    async with executor.admission.place():
        run.mark()
        async with executor.sandbox(build.spec) as sandbox:
            run.mark()
            async with aclosing(_script(executor, sandbox, run, build)) as events:
                async for event in events:
                    if isinstance(event, OutputEvent):
                        _note(log, event.text)
                    yield event
            if run.exited is not None and run.exited.reason == "killed" and executor.admission.draining:
                raise ShuttingDownError("The server is shutting down and has ended the build.")
            _check(run, "".join(log)[-LOG_CHARACTERS:], build.hint)
            async with aclosing(_packed(executor, sandbox, build.max_bytes + _HEAD_ROOM)) as pieces:
                build.size_bytes = await build.unpack(pieces, build.directory, build.max_bytes)


def _note(log: deque[str], text: str) -> None:
    """Keep the end of what was written."""
    log.append(text[-LOG_CHARACTERS:])
    while sum(map(len, log)) - len(log[0]) >= LOG_CHARACTERS:
        log.popleft()


async def _script(executor: Executor, sandbox: Sandbox, run: Run, build: Build) -> AsyncGenerator[Event, None]:
    killed = False
    async with sandbox.exec(build.command) as process:
        with executor.killable(process):
            yield run.started(sandbox.isolation)
            reports = aiter(process)
            while run.exited is None:
                for event in run.take(await next_report(reports, build.command.wall_seconds)):
                    yield event
                if run.flooded and not killed:
                    killed = True
                    await process.kill()


def _check(run: Run, log: str, hint: str) -> None:
    """Raises BuildFailedError unless the script has ended by itself, with success."""
    result = run.finished().result
    if result.status is Status.SUCCEEDED:
        return
    why = _WHY.get(result.status, f"the setup script ended with exit code {result.exit_code}")
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    said = f"; its last line: {last[:500].rstrip('.')}" if last else ""
    advice = hint if result.status is Status.FAILED else ""
    raise BuildFailedError(f"Build failed: {why}{said}.{advice}", log=log)


async def _packed(executor: Executor, sandbox: Sandbox, most: int) -> AsyncGenerator[bytes, None]:
    """The layer as the sandbox packs it, once everything the script has started is dead. Raises BuildFailedError."""
    said, left = b"", most
    command = Command(argv=PACK, wall_seconds=PACK_SECONDS)
    async with sandbox.exec(command) as process:
        with executor.killable(process):
            async for report in process:
                if isinstance(report, Exited):
                    _check_packing(report, said)
                elif isinstance(report, Output) and report.stream == "stdout":
                    left -= len(report.data)
                    if left < 0:
                        raise BuildFailedError("Build failed: the layer is larger than all the room there is for it.")
                    yield report.data
                else:
                    said = (said + report.data)[:1000]


def _check_packing(exited: Exited, said: bytes) -> None:
    if exited.exit_code == 0:
        return
    sentence = said.decode(errors="replace").strip().rstrip(".")
    if exited.exit_code == 1 and sentence:
        raise BuildFailedError(f"Build failed: {sentence}.")
    raise EngineError("The layer could not be packed; try again, with more room for builds (HOLDFAST_PREBUILD_MEMORY).")
