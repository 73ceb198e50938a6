"""Sessions: sandboxes that someone keeps, to run code in again and again.

A Python session is one interpreter in one cell, so its state stays; in other languages the files stay and each run is
a process of its own, compiled before in a cell that is not the session's. A session has one owner (the key that made
it), runs one thing at a time, and ends when it is deleted, idle or old. What ends otherwise, or with the server, is
lost: it answers with its reason, and the files that were there after its last run can be had until its lifetime ends.
"""

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus
from anyio.to_thread import run_sync

from holdfast.background import background
from holdfast.errors import (
    EngineError,
    HoldfastError,
    InvalidFieldError,
    NotFoundError,
    QuotaError,
    SessionLostError,
    ShuttingDownError,
)
from holdfast.execution import Executor, recorded
from holdfast.execution.output import FLOOD_FACTOR
from holdfast.sessions import files
from holdfast.sessions.kernel import Kernel
from holdfast.sessions.live import Live, SessionRun
from holdfast.sessions.plan import Ceilings, Plan, plan_run, plan_session, probe_of
from holdfast.sessions.store import Record, SessionStore
from holdfast.sessions.turns import Turn, fresh
from holdfast.types import (
    Caller,
    Isolation,
    RunKind,
    RunRequest,
    Session,
    SessionEvent,
    SessionExitedEvent,
    SessionFiles,
    SessionRequest,
    SessionRunRequest,
    SessionRunResult,
)

__all__ = ["Caller", "Ceilings", "SessionManager", "SessionStore"]

START_SECONDS = 30.0
CLOSE_SECONDS = 1.5
REAP_SECONDS = 0.5
STOPPED = "The server was stopped."
KILLED = "The server ended without closing it."


class Environments(Protocol):
    """Where prebuilt environments are kept."""

    def using(self, request: RunRequest, caller: Caller) -> AbstractAsyncContextManager[RunRequest]:
        """The request with what its image means, whose files stay until the end of the block. Raises RequestError."""
        ...

    def holding(self, layer: str) -> AbstractContextManager[None]:
        """The files of a layer, if it is one, stay until the end of the block. Raises NotFoundError."""
        ...


class SessionManager:
    """All sessions of a server. It works while `open` is entered."""

    def __init__(self, executor: Executor, environments: Environments, store: SessionStore, ceilings: Ceilings) -> None:
        self._executor = executor
        self._environments = environments
        self._store = store
        self._ceilings = ceilings
        self._live: dict[str, Live] = {}
        self._lost: dict[str, Record] = {}
        self._starting: list[str | None] = []
        self._group: TaskGroup | None = None
        executor.metrics.sessions.set_function(lambda: len(self._live))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Find what an earlier server has lost, and keep sessions until the end of the block."""
        for record in await run_sync(self._store.load):
            self._lost[record.session.session_id] = await self._as_lost(record, KILLED)
        async with background() as self._group:
            self._group.start_soon(self._reap)
            try:
                yield
            finally:
                await self._end_all()

    async def _end_all(self) -> None:
        self._group = None
        for live in self._live.values():
            live.end(STOPPED)
        with anyio.move_on_after(2 * CLOSE_SECONDS, shield=True):
            for live in [*self._live.values()]:
                await live.gone.wait()

    async def create(self, request: SessionRequest, caller: Caller) -> Session:
        """Make a session. Raises RequestError, QuotaError, QueueFullError, EngineError, StorageFullError."""
        async with self._environments.using(probe_of(request), caller) as probe:
            plan = plan_session(request, probe, self._executor, self._ceilings)
            live = await self._started(plan, caller)
        await self._furnish(live, plan)
        return _seen(live)

    async def _started(self, plan: Plan, caller: Caller) -> Live:
        if self._group is None:
            raise ShuttingDownError("The server is shutting down and takes no new sessions.")
        self._check_quota(caller)
        self._starting.append(caller.owner)
        try:
            async with self._executor.admission.place():
                with anyio.fail_after(START_SECONDS):
                    live: Live = await self._group.start(self._keep, plan, caller)
        except TimeoutError:
            raise EngineError("The session did not start in time; try again.") from None
        finally:
            self._starting.remove(caller.owner)
        return live

    async def _furnish(self, live: Live, plan: Plan) -> None:
        """The files of the request come last: what starts an interpreter must not find them."""
        try:
            for name, data in plan.files.items():
                await files.write(live, name, data)
            await files.keep(live, self._store, self._ceilings.files_bytes)
        except BaseException:
            # Also when its client has left, who does not know its name.
            live.removed = True
            live.end("Its files could not be placed.")
            raise

    def list(self, caller: Caller) -> tuple[Session, ...]:
        """The sessions a caller may see, also the lost ones, oldest first."""
        live = [(live.record, _seen(live)) for live in self._live.values()]
        lost = [(record, record.session) for record in self._lost.values()]
        seen = [session for record, session in (*lost, *live) if caller.sees_all or record.owner == caller.owner]
        return tuple(sorted(seen, key=lambda session: session.created_at))

    def get(self, session_id: str, caller: Caller) -> Session:
        """One session, also a lost one. Raises NotFoundError."""
        live = self._live.get(session_id)
        record = self._record(session_id, caller)
        return record.session if live is None else _seen(live)

    async def delete(self, session_id: str, caller: Caller) -> None:
        """End a session and forget it. Raises NotFoundError."""
        self._record(session_id, caller)
        live = self._live.get(session_id)
        if live is not None:
            live.removed = True
            live.end("It was deleted.")
            await live.gone.wait()
            async with live.filing:
                await run_sync(self._store.remove, [session_id])
        if self._lost.pop(session_id, None) is not None:
            await run_sync(self._store.remove, [session_id])

    async def run(self, session_id: str, request: SessionRunRequest, caller: Caller) -> SessionRunResult:
        """Run code to its end. Raises what `stream` raises."""
        async with aclosing(self.stream(session_id, request, caller)) as events:
            async for event in events:
                if isinstance(event, SessionExitedEvent):
                    return event.result
        raise EngineError("The session ended without a verdict.")

    async def stream(
        self, session_id: str, request: SessionRunRequest, caller: Caller
    ) -> AsyncGenerator[SessionEvent, None]:
        """Run code as events, of which `SessionExitedEvent` is the last. Closing the generator interrupts the code.

        Raises NotFoundError, SessionLostError, SessionBusyError, RequestError, QueueFullError, EngineError.
        """
        live = self._there(session_id, caller)
        spec, command = plan_run(request, live.spec, live.environment, self._executor)
        run = SessionRun(spec, live.id)
        with recorded(run, self._executor.on_end, RunKind.SESSION):
            async with live.turn(), self._executor.admission.place():
                self._there(session_id, caller)
                run.mark()
                run.mark()
                live.record = _with(live.record, runs=live.record.session.runs + 1)
                number = live.record.session.runs
                events = fresh(live, run, command, self._executor)
                if live.kernel is not None:
                    events = self._turn(live, live.kernel, run, number, request.code)
                async with aclosing(events):
                    async for event in events:
                        yield event
                if live.id in self._live and live.reason == "":
                    await files.keep(live, self._store, self._ceilings.files_bytes)
                last = run.finished_in_session()
        self._executor.count(spec.language, last.result)
        yield last

    async def interrupt(self, session_id: str, caller: Caller) -> Session:
        """Interrupt what the session runs, if it runs something. Raises NotFoundError, SessionLostError."""
        live = self._there(session_id, caller)
        await live.interrupt()
        return _seen(live)

    async def files(self, session_id: str, caller: Caller) -> SessionFiles:
        """The files of a session, also of a lost one. Raises NotFoundError, EngineError."""
        return await files.listed(self._record(session_id, caller), self._live.get(session_id))

    async def read(self, session_id: str, path: str, caller: Caller) -> bytes:
        """A file of a session, also of a lost one. Raises NotFoundError, InvalidFileNameError, TooLargeError."""
        return await files.read(self._record(session_id, caller), self._live.get(session_id), self._store, path)

    async def write(self, session_id: str, path: str, data: bytes, caller: Caller) -> None:
        """Place a file. Raises NotFoundError, SessionLostError, InvalidFileNameError, TooLargeError."""
        live = self._there(session_id, caller)
        await files.write(live, path, data)
        await self._after_filing(live)

    async def remove(self, session_id: str, path: str, caller: Caller) -> None:
        """Remove a file. Raises NotFoundError, SessionLostError, InvalidFileNameError."""
        live = self._there(session_id, caller)
        await files.remove(live, path)
        await self._after_filing(live)

    async def _after_filing(self, live: Live) -> None:
        live.touched = time.monotonic()
        if not live.busy:
            await files.keep(live, self._store, self._ceilings.files_bytes)

    async def _turn(
        self, live: Live, kernel: Kernel, run: SessionRun, number: int, code: str
    ) -> AsyncGenerator[SessionEvent, None]:
        """A run in the interpreter of the session."""
        if live.interrupted:
            run.give_up(live.sandbox.isolation)
            return
        dropped, kernel.dropped_bytes = kernel.dropped_bytes, 0
        if dropped:
            run.notes.append(f"{dropped:,} bytes that were written between runs were dropped.")
        if self._group is None:
            raise ShuttingDownError("The server is shutting down and takes no new runs.")
        with self._executor.killable(kernel.process):
            async with aclosing(Turn(live, kernel, run, number).events(code, self._group)) as events:
                async for event in events:
                    yield event
        if kernel.ended is not None:
            await live.gone.wait()

    async def _keep(self, plan: Plan, caller: Caller, *, task_status: TaskStatus[Live]) -> None:
        """The whole life of one session. What goes wrong before it has started is the caller's to hear."""
        started: list[Live] = []

        def on_ready(live: Live) -> None:
            started.append(live)
            self._live[live.id] = live
            task_status.started(live)

        try:
            with self._environments.holding(plan.spec.layer):
                async with self._executor.sandbox(plan.spec) as sandbox:
                    live = Live(_new_record(plan, caller, sandbox.isolation), plan.spec, plan.environment, sandbox)
                    try:
                        await _live_in(live, plan, partial(on_ready, live))
                    finally:
                        if started:
                            await self._bury(live)
        except Exception as error:
            if not started:
                raise
            structlog.get_logger().error("a session failed", exc_info=error)
        if not started:
            raise _why_not(live)

    async def _bury(self, live: Live) -> None:
        """Keep what is left of a session that has ended."""
        with anyio.CancelScope(shield=True):
            if not live.removed:
                live.reason = live.reason or "It was ended."
                with anyio.move_on_after(CLOSE_SECONDS):
                    await files.keep(live, self._store, self._ceilings.files_bytes)
                self._lost[live.id] = await self._as_lost(live.record, live.reason)
                self._executor.metrics.sessions_lost.inc()
            self._live.pop(live.id, None)
            live.gone.set()

    async def _as_lost(self, record: Record, reason: str) -> Record:
        if not record.lost:
            record = _with(record, status="lost", reason=reason)
            try:
                await run_sync(self._store.save, record)
            except (HoldfastError, OSError) as error:
                structlog.get_logger().error("a lost session could not be recorded", exc_info=error)
        return record

    async def _reap(self) -> None:
        """End what is idle or old, and forget what was lost when its lifetime is over."""
        while True:
            await anyio.sleep(REAP_SECONDS)
            now = time.monotonic()
            for live in [*self._live.values()]:
                session = live.record.session
                if now - live.made > session.lifetime_seconds:
                    live.end("Its lifetime was over.")
                elif live.sandbox.lost:
                    live.end("Its sandbox was lost.")
                elif not live.busy and now - live.touched > session.idle_seconds:
                    live.end(f"It was idle for {session.idle_seconds:g} s.")
            over = self._store.excess(self._lost)
            await run_sync(self._store.remove, over)
            for name in over:
                self._lost.pop(name, None)

    def _check_quota(self, caller: Caller) -> None:
        owners = [live.record.owner for live in self._live.values()] + self._starting
        if len(owners) >= self._ceilings.sessions:
            raise QuotaError(f"All {self._ceilings.sessions} sessions of this server are in use; try again later.")
        most = self._ceilings.sessions_per_key
        if not caller.sees_all and owners.count(caller.owner) >= most:
            raise QuotaError(f"This key has {most} sessions, which is as many as it may have; delete one first.")

    def _record(self, session_id: str, caller: Caller) -> Record:
        live = self._live.get(session_id)
        record = self._lost.get(session_id) if live is None else live.record
        if record is None or not (caller.sees_all or record.owner == caller.owner):
            raise NotFoundError("There is no such session.", field="session_id")
        return record

    def _there(self, session_id: str, caller: Caller) -> Live:
        """A session that can be used. Raises NotFoundError, SessionLostError."""
        record = self._record(session_id, caller)
        live = self._live.get(session_id)
        if live is None or live.reason or (live.kernel and live.kernel.ended):
            reason = record.session.reason or (live.reason if live else "") or "It is ending."
            raise SessionLostError(f"The session is lost: {reason.rstrip('.')}; make a new one.", field="session_id")
        return live


def _why_not(live: Live) -> HoldfastError:
    """What to tell of a session that did not start. A limit too small for an interpreter is no fault of ours."""
    exited = live.kernel.ended.exited if live.kernel and live.kernel.ended else None
    if exited is not None and exited.usage.out_of_memory:
        return InvalidFieldError(
            "The interpreter needs more memory than 'mem_limit' gives it; ask for more.", field="mem_limit"
        )
    return EngineError(f"The session could not be started: {live.reason}")


def _seen(live: Live) -> Session:
    return live.record.session.model_copy(update={"status": "busy" if live.busy else "idle"})


def _with(record: Record, **changes: Any) -> Record:
    return record.model_copy(update={"session": record.session.model_copy(update=changes)})


def _new_record(plan: Plan, caller: Caller, isolation: Isolation) -> Record:
    now = datetime.now(UTC)
    session = Session(
        session_id=f"ses-{secrets.token_hex(16)}",
        image=plan.image,
        status="idle",
        created_at=now,
        expires_at=now + timedelta(seconds=plan.lifetime_seconds),
        idle_seconds=plan.idle_seconds,
        lifetime_seconds=plan.lifetime_seconds,
        limits=plan.spec.limits,
        isolation=isolation,
    )
    return Record(session=session, owner=caller.owner)


async def _live_in(live: Live, plan: Plan, on_ready: Callable[[], None]) -> None:
    """Return when the session has ended, by itself or because it was told to."""
    with live.scope:
        if plan.command is None:
            on_ready()
            await anyio.sleep_forever()
            return
        async with live.sandbox.exec(plan.command) as process:
            live.process = process
            live.kernel = Kernel(process, FLOOD_FACTOR * plan.spec.limits.output_bytes)
            ended = await live.kernel.pump(on_ready)
            live.reason = live.reason or ended.reason
