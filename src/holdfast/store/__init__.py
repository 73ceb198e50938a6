"""What outlives a request: rows in one database, of SQLite or of PostgreSQL.

`Store` takes rows of runs from whoever made them, without waiting, and writes them soon after: they are never in the
way. A capsule is written before its run begins, and again when it ends. SQL is in `database`, which is loaded when a
store is opened.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from holdfast.background import background
from holdfast.errors import NotFoundError, StoreUnavailableError, full_disk_is_ours
from holdfast.store import capsules
from holdfast.types import Caller, Capsule, RunKind, RunRecord, RunRecords

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from holdfast.store.database import Database
    from holdfast.store.task_rows import TaskRows
    from holdfast.store.thread_rows import ThreadRows

__all__ = ["Retention", "Store"]

QUEUE = 10_000
"""Rows that may wait to be written; more are dropped and counted."""

BATCH = 500
LINGER_SECONDS = 0.2
"""How long the writer collects before it writes: under load many rows cost one transaction."""

CLOSING_SECONDS = 3.0
AGAIN_SECONDS = 1.0
"""How long until what the database refused is tried again."""

_COLUMNS_OF_OURS = frozenset({"seq", "owner"})


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept: for how many days, how many runs, how much of capsules; and how often that is looked at."""

    days: float
    runs: int
    every_hours: float
    capsule_bytes: int = 1 << 30


class Store:
    """The rows of one file or database. Between `open` and its end it keeps them; before and after it keeps nothing."""

    def __init__(
        self, place: Path | str, retention: Retention, on_dropped: Callable[[int], None] = lambda count: None
    ) -> None:
        self._place = place
        self._retention = retention
        self._on_dropped = on_dropped
        self._database: Database | None = None
        self._waiting: deque[tuple[RunRecord, str | None]] = deque()
        self._writing = anyio.Lock()
        self._arrived = anyio.Event()
        self._ended: dict[str, Capsule] = {}

    @asynccontextmanager
    async def open(self, *, tidy: bool = True) -> AsyncIterator["Store"]:
        """Open the database and write to it until the end of the block. Raises ConfigurationError, StorageFullError.

        With `tidy` it is the store of the one server: data runs that another has left without an end are given one,
        and while it is open, what is kept long enough is removed.
        """
        from holdfast.store.database import Database

        if isinstance(self._place, Path):
            with full_disk_is_ours():
                self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._place.touch(mode=0o600)
        async with Database.open(self._place, alone=tidy) as self._database:
            try:
                if tidy:
                    await self._end_unfinished()
                async with background() as group:
                    group.start_soon(self._write_what_arrives)
                    group.start_soon(self._write_what_was_refused)
                    if tidy:
                        group.start_soon(self._prune_now_and_then)
                    yield self
            finally:
                with anyio.move_on_after(CLOSING_SECONDS, shield=True):
                    await self.flush()
                    await self._write_ended()
                self._database = None

    def keep(self, record: RunRecord, owner: str | None) -> None:
        """Write this soon; it never waits. With too much waiting already it is dropped, and counted."""
        if self._database is None:
            return
        if len(self._waiting) >= QUEUE:
            self._on_dropped(1)
            return
        self._waiting.append((record, owner))
        self._arrived.set()

    async def flush(self) -> None:
        """Return when all that was kept before is written."""
        async with self._writing:
            while self._waiting:
                await self._write([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])

    async def runs(self, caller: Caller, kind: RunKind | None, limit: int, before: str | None) -> RunRecords:
        """The latest runs the caller may see, or those older than `before`. Raises NotFoundError when that is none."""
        await self.flush()
        older_than = None if before is None else (await self._seen(before, caller))["seq"]
        rows = await self._opened.runs(caller.only, kind, older_than, limit + 1)
        found = tuple(map(_record, rows[:limit]))
        return RunRecords(runs=found, next=found[-1].run_id if len(rows) > limit else None)

    async def run(self, run_id: str, caller: Caller) -> RunRecord:
        """One run. Raises NotFoundError."""
        await self.flush()
        return _record(await self._seen(run_id, caller))

    async def forget_run(self, run_id: str, caller: Caller) -> None:
        """Remove one run. Raises NotFoundError."""
        await self.flush()
        await self._seen(run_id, caller)
        await self._opened.forget_run(run_id)
        self._ended.pop(run_id, None)

    async def begin(self, capsule: Capsule, owner: str | None) -> None:
        """Keep a data run that is about to begin. Raises StoreUnavailableError, and then it must not."""
        await self._opened.begin_capsule(
            capsules.run_row(capsule, owner), {"run_id": capsule.run_id, **capsules.capsule_row(capsule)}
        )

    async def end(self, capsule: Capsule) -> None:
        """Keep what a data run came to. Raises StoreUnavailableError, and then it is written when that is possible."""
        try:
            await self._write_end(capsule)
        except StoreUnavailableError:
            self._ended[capsule.run_id] = capsule
            raise

    async def capsule(self, run_id: str, caller: Caller) -> Capsule | None:
        """One data run; `None` when it is none, or not the caller's. Raises StoreUnavailableError."""
        waiting = self._ended.get(run_id)
        row = await self._opened.capsule(run_id, caller.only)
        return None if row is None else waiting or capsules.read_capsule(row)

    async def prune(self) -> int:
        """Remove what is older, or more, than is to be kept; how many rows that were."""
        await self.flush()
        oldest = datetime.now(UTC) - timedelta(days=self._retention.days)
        return await self._opened.prune_runs(
            capsules.instant(oldest), self._retention.runs, self._retention.capsule_bytes
        )

    async def count(self) -> int:
        """How many runs are kept."""
        return await self._opened.count_runs()

    @property
    def retention(self) -> Retention:
        """How much is kept."""
        return self._retention

    @property
    def tasks(self) -> "TaskRows":
        """The rows of tasks, while the store is open."""
        from holdfast.store.task_rows import TaskRows

        return TaskRows(self._opened)

    @property
    def threads(self) -> "ThreadRows":
        """The rows of conversations, while the store is open."""
        from holdfast.store.thread_rows import ThreadRows

        return ThreadRows(self._opened)

    @property
    def _opened(self) -> "Database":
        if self._database is None:
            raise AssertionError("the store is not open")
        return self._database

    async def _seen(self, run_id: str, caller: Caller) -> "RowMapping":
        row = await self._opened.run(run_id, caller.only)
        if row is None:
            raise NotFoundError("There is no such run; GET /runs lists those there are.")
        return row

    async def _write_what_arrives(self) -> None:
        while True:
            await self._arrived.wait()
            await anyio.sleep(LINGER_SECONDS)
            self._arrived = anyio.Event()
            await self.flush()

    async def _write(self, batch: list[tuple[RunRecord, str | None]]) -> None:
        try:
            await self._opened.add_runs([_row(record, owner) for record, owner in batch])
        except Exception as error:
            # A full disk, a locked file: rows are worth less than the runs of others, which go on.
            structlog.get_logger().error("rows of runs were lost", rows=len(batch), reason=type(error).__name__)
            self._on_dropped(len(batch))

    async def _write_what_was_refused(self) -> None:
        while True:
            await anyio.sleep(AGAIN_SECONDS)
            await self._write_ended()

    async def _write_ended(self) -> None:
        """Write what data runs came to that the database has refused so far."""
        for capsule in tuple(self._ended.values()):
            try:
                await self._write_end(capsule)
            except StoreUnavailableError as error:
                structlog.get_logger().error("a capsule waits to be written", run=capsule.run_id, reason=error.code)
                return

    async def _write_end(self, capsule: Capsule) -> None:
        await self._opened.end_capsule(capsule.run_id, capsules.run_changes(capsule), capsules.capsule_row(capsule))
        self._ended.pop(capsule.run_id, None)

    async def _end_unfinished(self) -> None:
        error = capsules.STOPPED.model_dump(mode="json")
        count = await self._opened.end_unfinished(capsules.unfinished_changes(), error)
        if count:
            structlog.get_logger().warning("data runs had no end, for the server was stopped", runs=count)
        await self.threads.end_unfinished()

    async def _prune_now_and_then(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as error:
                structlog.get_logger().error("old rows could not be removed", reason=type(error).__name__)
            await anyio.sleep(math.ceil(self._retention.every_hours * 3600))


def _row(record: RunRecord, owner: str | None) -> dict[str, Any]:
    ended = None if record.ended_at is None else capsules.instant(record.ended_at)
    times = {"created_at": capsules.instant(record.created_at), "ended_at": ended}
    return {**record.model_dump(mode="json"), **times, "owner": owner}


def _record(row: "RowMapping") -> RunRecord:
    return RunRecord.model_validate({name: value for name, value in row.items() if name not in _COLUMNS_OF_OURS})
