"""One run in a session: a piece of code in its interpreter, or a process of its own that may have to be compiled."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Literal

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from holdfast.engines import Command, Exited, Output, Process
from holdfast.errors import EngineError, InvalidFileNameError, NotFoundError, SessionLostError, TooLargeError
from holdfast.execution import Executor
from holdfast.execution.building import Built, with_program
from holdfast.execution.metadata import MAX_METADATA_BYTES, METADATA_FILE
from holdfast.languages import LANGUAGES
from holdfast.sessions import files
from holdfast.sessions.kernel import Done, Ended, Kernel, Said, Shown
from holdfast.sessions.live import INTERRUPTED, Live, SessionRun
from holdfast.types import DisplayEvent, OutputEvent, SessionEvent, Usage

INTERRUPT_GRACE_SECONDS = 2.0
"""How long code may take to end after an interrupt before its interpreter is ended."""

LEFT_GRACE_SECONDS = 1.0
KILL_GRACE_SECONDS = 10.0


@contextmanager
def _beside(group: TaskGroup, work: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Have something else happen for the length of the block, which may yield: a task group of its own may not."""
    scope = anyio.CancelScope()

    async def scoped() -> None:
        with scope:
            await work()

    group.start_soon(scoped)
    try:
        yield
    finally:
        scope.cancel()


class Turn:
    """One piece of code in an interpreter: interrupted when its time is up, and ended when that does not help."""

    def __init__(self, live: Live, kernel: Kernel, run: SessionRun, number: int) -> None:
        self._live = live
        self._kernel = kernel
        self._run = run
        self._number = number
        self._started = time.monotonic()
        self._flooded = anyio.Event()
        self._reason: Literal["wall", "killed"] | None = None
        self._before: Usage

    async def events(self, code: str, group: TaskGroup) -> AsyncGenerator[SessionEvent, None]:
        """Run it. Closing the generator interrupts it. Raises SessionLostError, EngineError."""
        kernel, run = self._kernel, self._run
        with anyio.CancelScope(shield=True):
            self._before = await kernel.process.usage()
        await files.forget(self._live, METADATA_FILE)
        with kernel.listen() as heard:
            try:
                await kernel.run(self._number, code)
                self._started = time.monotonic()
                with _beside(group, self._hold_the_limits):
                    yield run.started(self._live.sandbox.isolation)
                    while run.exited is None:
                        for event in await self._next(heard):
                            yield event
            finally:
                if run.exited is None and kernel.ended is None:
                    with anyio.CancelScope(shield=True):
                        await self._leave(heard)

    async def _hold_the_limits(self) -> None:
        """First ask nicely, then do not ask. It does not depend on anybody who reads what the code says."""
        try:
            with anyio.move_on_after(self._started + self._run.wall_seconds - time.monotonic()):
                await self._flooded.wait()
            self._reason = "killed" if self._flooded.is_set() else "wall"
            await self._kernel.process.interrupt()
            await anyio.sleep(INTERRUPT_GRACE_SECONDS)
            self._live.reason = "Its code went on when it was interrupted, so its interpreter was ended."
            await self._kernel.process.kill()
            await anyio.sleep(KILL_GRACE_SECONDS)
        except EngineError as error:
            self._live.end(error.detail)
            return
        self._live.end("Its sandbox did not answer.")

    async def _next(self, heard: MemoryObjectReceiveStream[Said]) -> list[OutputEvent | DisplayEvent]:
        try:
            return await self._take(await heard.receive())
        except anyio.EndOfStream:
            raise SessionLostError(f"The session has ended: {self._live.reason or 'it was ended.'}") from None

    async def _take(self, said: Said) -> list[OutputEvent | DisplayEvent]:
        if isinstance(said, Output | Shown):
            events: list[OutputEvent | DisplayEvent] = (
                [*self._run.show(said)] if isinstance(said, Shown) else [*self._run.take(said)]
            )
            if self._run.flooded:
                self._flooded.set()
            return events
        if isinstance(said, Ended):
            return [*self._run.take(self._verdict_of_end(said))]
        if said.id == self._number:
            return [*self._run.take(await self._verdict(said))]
        # An interpreter says this once per run; one that says it more often is lying.
        await self._kernel.end_senseless()
        return []

    async def _leave(self, heard: MemoryObjectReceiveStream[Said]) -> None:
        """Nobody wants the outcome: interrupt, and end the session when that does not help."""
        await self._kernel.process.interrupt()
        with anyio.move_on_after(LEFT_GRACE_SECONDS):
            async for said in heard:
                if isinstance(said, Ended) or (isinstance(said, Done) and said.id == self._number):
                    return
        self._live.end("Its client left, and the code did not heed an interrupt.")

    async def _verdict(self, done: Done) -> Exited:
        """What the interpreter says of the code; what it used is what the kernel says."""
        returned, notes = await self._metadata()
        with anyio.CancelScope(shield=True):
            after = await self._kernel.process.usage()
        self._run.error, self._run.count = done.error, done.count
        if self._reason is not None:
            self._run.notes.append("The code was interrupted; the session keeps its state.")
        elif self._live.interrupted and done.exit_code == INTERRUPTED:
            self._reason = "killed"
            self._run.notes.append("The code was interrupted as asked; the session keeps its state.")
        return self._exited(after, done.exit_code, None, returned, notes)

    async def _metadata(self) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """What the code set with its SDK, and a note about what cannot be had."""
        with anyio.CancelScope(shield=True):
            try:
                data = await self._live.sandbox.read(METADATA_FILE, max_bytes=MAX_METADATA_BYTES)
            except NotFoundError:
                return {}, ()
            except TooLargeError:
                return {}, (f"{METADATA_FILE} is larger than it may be.",)
            except InvalidFileNameError:
                return {}, (f"{METADATA_FILE} is no file.",)
        return {METADATA_FILE: data}, ()

    def _verdict_of_end(self, ended: Ended) -> Exited:
        self._run.notes.append(f"The session has ended: {self._live.reason or ended.reason}")
        found = ended.exited
        if found is None:
            return self._exited(self._before, None, 9)
        self._reason = self._reason or ("wall" if found.reason == "wall" else "killed" if found.reason else None)
        return self._exited(found.usage, found.exit_code, found.signal)

    def _exited(
        self,
        after: Usage,
        exit_code: int | None,
        signal: int | None,
        returned: dict[str, bytes] | None = None,
        notes: tuple[str, ...] = (),
    ) -> Exited:
        wall, before = time.monotonic() - self._started, self._before
        usage = Usage(
            wall_seconds=wall,
            cpu_user_seconds=max(0.0, after.cpu_user_seconds - before.cpu_user_seconds),
            cpu_system_seconds=max(0.0, after.cpu_system_seconds - before.cpu_system_seconds),
            memory_peak_bytes=after.memory_peak_bytes,
            processes_peak=after.processes_peak,
            out_of_memory=after.out_of_memory and (signal is not None or not before.out_of_memory),
        )
        return Exited(
            *(exit_code, signal, self._reason, usage),
            disk_full=False,
            run_ms=wall * 1000,
            returned=returned or {},
            notes=notes,
        )


async def fresh(
    live: Live, run: SessionRun, command: Command, executor: Executor
) -> AsyncGenerator[SessionEvent, None]:
    """A run that is a process of its own, compiled first where that is needed. Raises SessionLostError, EngineError."""
    if LANGUAGES[run.spec.language].compile and not live.interrupted:
        built = await _compiled(live, run, command, executor)
        if built is not None:
            yield run.compiled(built.compile)
            run.failure, command = built.failure, with_program(command, built.program)
    if live.interrupted:
        run.give_up(live.sandbox.isolation)
    if run.failure is not None:
        return
    try:
        await files.forget(live, METADATA_FILE)
        async with live.sandbox.exec(command) as process:
            live.process = process
            with executor.killable(process):
                async with aclosing(_process_events(live, run, process)) as events:
                    async for event in events:
                        yield event
    except EngineError as error:
        live.end(error.detail)
        raise
    finally:
        live.process = None
        if live.sandbox.lost:
            live.end("Its sandbox was lost.")


async def _compiled(live: Live, run: SessionRun, command: Command, executor: Executor) -> Built | None:
    """What came of its compiler; None for one that was interrupted. Raises SessionLostError, EngineError."""
    built = None
    with anyio.CancelScope() as live.compiling:
        built = await executor.build(run.spec.language, command.files, run.spec.layer)
    live.compiling = None
    if live.reason:
        raise SessionLostError(f"The session has ended: {live.reason}")
    return built


async def _process_events(live: Live, run: SessionRun, process: Process) -> AsyncGenerator[SessionEvent, None]:
    """Closing the generator ends it, and spares the cell."""
    reports = aiter(process)
    try:
        yield run.started(live.sandbox.isolation)
        if live.interrupted:
            # Asked for while it was being started.
            await process.interrupt()
        killed = False
        while run.exited is None:
            for event in run.take(await anext(reports)):
                yield event
            if run.flooded and not killed:
                killed = True
                await process.kill()
    finally:
        if run.exited is None:
            with anyio.move_on_after(LEFT_GRACE_SECONDS, shield=True):
                await process.kill()
                async for _ in reports:
                    continue
