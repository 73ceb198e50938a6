"""A session whose cell is there, and what is known of one run in it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from holdfast.engines import Process, Sandbox, SandboxSpec
from holdfast.errors import SessionBusyError
from holdfast.execution.record import Run
from holdfast.languages import LANGUAGES
from holdfast.sessions.kernel import Kernel, Shown
from holdfast.sessions.store import Record
from holdfast.types import (
    NOTHING_USED,
    Display,
    DisplayEvent,
    Isolation,
    ProgramError,
    RunResult,
    SessionExitedEvent,
    SessionRunResult,
    Status,
    Timings,
    Truncated,
)

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
        self.compiling: anyio.CancelScope | None = None
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

    async def interrupt(self) -> None:
        """Interrupt what it runs, whatever that is at the moment: it waits, it is compiled, or it is a program."""
        if not self.busy:
            return
        self.interrupted = True
        if self.compiling is not None:
            self.compiling.cancel()
        if self.process is not None:
            await self.process.interrupt()

    def end(self, reason: str) -> None:
        """End it; `gone` tells when that is done."""
        self.reason = self.reason or reason
        self.scope.cancel()
        if self.compiling is not None:
            self.compiling.cancel()


class SessionRun(Run):
    """One run in a session: a run that can show things and has an error with a shape."""

    def __init__(self, spec: SandboxSpec, session_id: str) -> None:
        super().__init__(spec)
        self._session_id = session_id
        self._arrived = time.monotonic()
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

    def give_up(self, isolation: Isolation) -> None:
        """It was interrupted before its program began."""
        waited = time.monotonic() - self._arrived
        self.failure = RunResult(
            run_id=self.id,
            status=Status.CANCELLED,
            stdout="",
            stderr="",
            exit_code=INTERRUPTED,
            execution_time=0.0,
            truncated=Truncated(stdout=False, stderr=False),
            usage=NOTHING_USED,
            timings=Timings(queue_ms=0, setup_ms=round(waited * 1000, 3), start_ms=0, run_ms=0, collect_ms=0),
            limits=self.spec.limits,
            isolation=isolation,
            notes=("It was interrupted before its program began; the session keeps its state.",),
            phase="compile" if LANGUAGES[self.spec.language].compile else "run",
        )

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
