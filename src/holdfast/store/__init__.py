"""What outlives a request: rows in one database, written beside the work and never in its way.

`Store` takes what is to be kept from whoever made it, without waiting, and writes it soon after. SQL is in `database`,
which is loaded when a store is opened.
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

from holdfast.errors import NotFoundError, full_disk_is_ours
from holdfast.types import Caller, RunKind, RunRecord, RunRecords

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from holdfast.store.database import Database

__all__ = ["Retention", "Store"]

QUEUE = 10_000
"""Rows that may wait to be written; more are dropped and counted."""

BATCH = 500
LINGER_SECONDS = 0.2
"""How long the writer collects before it writes: under load many rows cost one transaction."""

CLOSING_SECONDS = 3.0
_COLUMNS_OF_OURS = frozenset({"seq", "owner"})


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept: for how many days, how many runs, and how often that is looked at."""

    days: float
    runs: int
    every_hours: float


class Store:
    """The rows of one state directory. Between `open` and its end it keeps them; before and after it keeps nothing."""

    def __init__(
        self, path: Path, retention: Retention, on_dropped: Callable[[int], None] = lambda count: None
    ) -> None:
        self._path = path
        self._retention = retention
        self._on_dropped = on_dropped
        self._database: Database | None = None
        self._waiting: deque[tuple[RunRecord, str | None]] = deque()
        self._writing = anyio.Lock()
        self._arrived = anyio.Event()

    @asynccontextmanager
    async def open(self, *, tidy: bool = True) -> AsyncIterator["Store"]:
        """Open the database and write to it until the end of the block. Raises ConfigurationError, StorageFullError.

        While it is open, and `tidy`, what is kept long enough is removed.
        """
        from holdfast.store.database import Database

        with full_disk_is_ours():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
        async with Database.open(self._path) as self._database:
            failure: Exception | None = None
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._write_what_arrives)
                    if tidy:
                        group.start_soon(self._prune_now_and_then)
                    try:
                        yield self
                    except Exception as error:
                        # Raised outside of the group, which would wrap it.
                        failure = error
                    group.cancel_scope.cancel()
            finally:
                with anyio.move_on_after(CLOSING_SECONDS, shield=True):
                    await self.flush()
                self._database = None
            if failure is not None:
                raise failure

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
        await self._opened.forget_run((await self._seen(run_id, caller))["seq"])

    async def prune(self) -> int:
        """Remove what is older, or more, than is to be kept; how many rows that were."""
        await self.flush()
        oldest = datetime.now(UTC) - timedelta(days=self._retention.days)
        return await self._opened.prune_runs(_instant(oldest), self._retention.runs)

    async def count(self) -> int:
        """How many runs are kept."""
        return await self._opened.count_runs()

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

    async def _prune_now_and_then(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as error:
                structlog.get_logger().error("old rows could not be removed", reason=type(error).__name__)
            await anyio.sleep(math.ceil(self._retention.every_hours * 3600))


def _row(record: RunRecord, owner: str | None) -> dict[str, Any]:
    times = {"created_at": _instant(record.created_at), "ended_at": _instant(record.ended_at)}
    return {**record.model_dump(mode="json"), **times, "owner": owner}


def _record(row: "RowMapping") -> RunRecord:
    return RunRecord.model_validate({name: value for name, value in row.items() if name not in _COLUMNS_OF_OURS})


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
