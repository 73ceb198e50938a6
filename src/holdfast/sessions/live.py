"""A session whose cell is there, and one run in it."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from holdfast.engines import Exited, Output, Process, Sandbox, SandboxSpec
from holdfast.errors import SessionBusyError, SessionLostError
from holdfast.execution.record import Run
from holdfast.sessions.kernel import Done, Ended, Kernel, Said, Shown
from holdfast.sessions.store import Record
from holdfast.types import (
    Display,
    DisplayEvent,
    OutputEvent,
    ProgramError,
    RunResult,
    SessionEvent,
    SessionExitedEvent,
    SessionRunResult,
    Usage,
)

INTERRUPT_GRACE_SECONDS = 2.0
"""How long code may take to end after an interrupt before its interpreter is ended."""

LEFT_GRACE_SECONDS = 1.0
KILL_GRACE_SECONDS = 10.0
MAX_DISPLAY_BYTES = 8 << 20
MAX_DISPLAYS = 1_000
DISPLAY_FLOOD = 16
"""Code that displays this many times what may be displayed is ended."""

INTERRUPTED = 130


class Live:
    """A cell that someone keeps. `kernel` is its interpreter, unless every run is a process of its own."""

    def __init__(self, record: Record, spec: SandboxSpec, environment: dict[str, str], sandbox: Sandbox) -> None:
        self.record = record
        self.spec = spec
        self.environment = environment
        self.sandbox = sandbox
        self.kernel: Kernel | None = None
        self.process: Process | None = None
        self.busy = False
        self.interrupted = False
        self.removed = False
        self.reason = ""
        self.scope = anyio.CancelScope()
        self.gone = anyio.Event()
        self.filing = anyio.Lock()
        self.touched = self.made = time.monotonic()

    @property
    def id(self) -> str:
        return self.record.session.session_id

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Be the one who runs something. Raises SessionBusyError."""
        if self.busy:
            raise SessionBusyError("The session runs something already; wait until it is done, or interrupt it.")
        self.busy, self.interrupted = True, False
        try:
            yield
        finally:
            self.busy = False
            self.touched = time.monotonic()

    def end(self, reason: str) -> None:
        """End it; `gone` tells when that is done."""
        self.reason = self.reason or reason
        self.scope.cancel()


class SessionRun(Run):
    """One run in a session: a run that can show things and has an error with a shape."""

    def __init__(self, spec: SandboxSpec, session_id: str) -> None:
        super().__init__(spec)
        self._session_id = session_id
        self._displays: list[Display] = []
        self._display_bytes = self._shown = 0
        self.notes: list[str] = []
        self.error: ProgramError | None = None
        self.count: int | None = None
        self.failure: RunResult | None = None

    @property
    def flooded(self) -> bool:
        """Whether it wrote, or displayed, so much that it must be ended."""
        displays = self._display_bytes > DISPLAY_FLOOD * MAX_DISPLAY_BYTES or self._shown > DISPLAY_FLOOD * MAX_DISPLAYS
        return super().flooded or displays

    def show(self, shown: Shown) -> list[DisplayEvent]:
        """The event for something shown; none beyond what a run may show."""
        display = Display(kind=shown.kind, data=shown.data, metadata=shown.metadata)
        self._display_bytes += shown.size_bytes
        self._shown += 1
        if self._display_bytes > MAX_DISPLAY_BYTES or len(self._displays) >= MAX_DISPLAYS:
            note = f"Displays beyond {MAX_DISPLAY_BYTES >> 20} MiB or {MAX_DISPLAYS:,} were dropped."
            self.notes += [] if note in self.notes else [note]
            return []
        self._displays.append(display)
        return [DisplayEvent(seq=self._next_seq(), display=display)]

    def finished_in_session(self) -> SessionExitedEvent:
        """The last event. Needs `started` and an `Exited` before it, or the `failure` of its compiler."""
        last = self.finished() if self.failure is None else self.never_ran(self.failure)
        fields = dict(last.result) | {"notes": (*last.result.notes, *self.notes)}
        result = SessionRunResult(
            **fields,
            session_id=self._session_id,
            displays=tuple(self._displays),
            error=self.error,
            execution_count=self.count,
        )
        return SessionExitedEvent(seq=last.seq, result=result)


class Turn:
    """One piece of code in an interpreter: interrupted when its time is up, and ended when that does not help."""

    def __init__(self, live: Live, kernel: Kernel, run: SessionRun, number: int) -> None:
        self._live = live
        self._kernel = kernel
        self._run = run
        self._number = number
        self._started = time.monotonic()
        self._deadline = self._started + run.wall_seconds
        self._stages = iter(("interrupt", "kill", "lost"))
        self._reason: Literal["wall", "killed"] | None = None
        self._before: Usage

    async def events(self, code: str) -> AsyncGenerator[SessionEvent, None]:
        """Run it. Closing the generator interrupts it. Raises SessionLostError, EngineError."""
        kernel, run = self._kernel, self._run
        with anyio.CancelScope(shield=True):
            self._before = await kernel.process.usage()
        with kernel.listen() as heard:
            try:
                await kernel.run(self._number, code)
                self._started = time.monotonic()
                self._deadline = self._started + run.wall_seconds
                yield run.started(self._live.sandbox.isolation)
                while run.exited is None:
                    for event in await self._next(heard):
                        yield event
            finally:
                if run.exited is None and kernel.ended is None:
                    with anyio.CancelScope(shield=True):
                        await self._leave(heard)

    async def _next(self, heard: MemoryObjectReceiveStream[Said]) -> list[OutputEvent | DisplayEvent]:
        """What was said, or nothing when something had to be done about a limit."""
        with anyio.move_on_after(self._deadline - time.monotonic()):
            try:
                return await self._take(await heard.receive())
            except anyio.EndOfStream:
                raise SessionLostError(f"The session has ended: {self._live.reason or 'it was ended.'}") from None
        self._reason = self._reason or "wall"
        await self._escalate()
        return []

    async def _take(self, said: Said) -> list[OutputEvent | DisplayEvent]:
        if isinstance(said, Output | Shown):
            events: list[OutputEvent | DisplayEvent] = (
                [*self._run.show(said)] if isinstance(said, Shown) else [*self._run.take(said)]
            )
            if self._run.flooded and self._reason is None:
                self._reason = "killed"
                await self._escalate()
            return events
        if isinstance(said, Ended):
            return [*self._run.take(self._verdict_of_end(said))]
        if said.id == self._number:
            return [*self._run.take(await self._verdict(said))]
        # An interpreter says this once per run; one that says it more often is lying.
        await self._kernel.process.kill()
        return []

    async def _escalate(self) -> None:
        """First ask nicely, then do not ask."""
        stage = next(self._stages)
        if stage == "interrupt":
            self._deadline = time.monotonic() + INTERRUPT_GRACE_SECONDS
            await self._kernel.process.interrupt()
        elif stage == "kill":
            self._deadline = time.monotonic() + KILL_GRACE_SECONDS
            self._live.reason = "Its code went on when it was interrupted, so its interpreter was ended."
            await self._kernel.process.kill()
        else:
            self._live.end("Its sandbox did not answer.")
            raise SessionLostError("The session has ended: its sandbox did not answer.")

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
        with anyio.CancelScope(shield=True):
            after = await self._kernel.process.usage()
        self._run.error, self._run.count = done.error, done.count
        if self._reason is not None:
            self._run.notes.append("The code was interrupted; the session keeps its state.")
        elif self._live.interrupted and done.exit_code == INTERRUPTED:
            self._reason = "killed"
            self._run.notes.append("The code was interrupted as asked; the session keeps its state.")
        return self._exited(after, done.exit_code, None)

    def _verdict_of_end(self, ended: Ended) -> Exited:
        self._run.notes.append(f"The session has ended: {self._live.reason or ended.reason}")
        found = ended.exited
        if found is None:
            return self._exited(self._before, None, 9)
        self._reason = self._reason or ("wall" if found.reason == "wall" else "killed" if found.reason else None)
        return self._exited(found.usage, found.exit_code, found.signal)

    def _exited(self, after: Usage, exit_code: int | None, signal: int | None) -> Exited:
        wall, before = time.monotonic() - self._started, self._before
        usage = Usage(
            wall_seconds=wall,
            cpu_user_seconds=max(0.0, after.cpu_user_seconds - before.cpu_user_seconds),
            cpu_system_seconds=max(0.0, after.cpu_system_seconds - before.cpu_system_seconds),
            memory_peak_bytes=after.memory_peak_bytes,
            processes_peak=after.processes_peak,
            out_of_memory=after.out_of_memory and (signal is not None or not before.out_of_memory),
        )
        return Exited(exit_code, signal, self._reason, usage, disk_full=False, run_ms=wall * 1000)


async def fresh_events(live: Live, run: SessionRun, process: Process) -> AsyncGenerator[SessionEvent, None]:
    """A run that is a process of its own. Closing the generator ends it, and spares the cell."""
    reports = aiter(process)
    try:
        yield run.started(live.sandbox.isolation)
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
