"""The SQL of runs: one class around one database. Which kind that is, `connecting` alone knows."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from holdfast.errors import StoreUnavailableError
from holdfast.store import capsule_rows, thread_rows
from holdfast.store.connecting import READERS, claimed, connect, in_threads
from holdfast.store.tables import runs

_OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)
_NOT_THERE = (DBAPIError, PoolTimeoutError, OSError)
_UNAVAILABLE = "The database of the server is locked, full or gone; try again, and if that does not help, look there."


T = TypeVar("T")


async def _in_one_go(threads: Engine, work: Callable[[Connection], T], limiter: anyio.CapacityLimiter) -> T:
    """One transaction in a thread, also for whoever is cancelled. Raises StoreUnavailableError."""

    def transaction() -> T:
        try:
            with threads.begin() as connection:
                return work(connection)
        except _OUR_MISTAKES:
            raise
        except _NOT_THERE as error:
            raise StoreUnavailableError(_UNAVAILABLE) from error

    with anyio.CancelScope(shield=True):
        result = await run_sync(transaction, limiter=limiter)
    return result


class Database:
    """Rows in and out. Make one with `Database.open`."""

    def __init__(self, engine: AsyncEngine, threads: Engine | None) -> None:
        self._engine = engine
        self._threads = threads
        # SQLite has one writer at a time; that the others wait here and not in it keeps them in order.
        self._writing = anyio.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._writer, self._readers = anyio.CapacityLimiter(1), anyio.CapacityLimiter(READERS)

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Path | str, *, alone: bool = False) -> AsyncIterator["Database"]:
        """The database of a file or URL, made or brought up to date. `alone`: no other server may use it meanwhile.

        Raises ConfigurationError.
        """
        async with connect(place) as engine, claimed(engine, place) if alone else nullcontext():
            threads = in_threads(engine)
            try:
                yield cls(engine, threads)
            finally:
                if threads is not None:
                    threads.dispose()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncConnection]:
        """One transaction. Whoever is cancelled in it still waits for it: a driver left in the middle hangs.

        Raises StoreUnavailableError, and then nothing of the transaction was kept.
        """
        with anyio.CancelScope(shield=True):
            try:
                async with self._engine.begin() as connection:
                    yield connection
            except _OUR_MISTAKES:
                raise
            except _NOT_THERE as error:
                raise StoreUnavailableError(_UNAVAILABLE) from error

    @asynccontextmanager
    async def writes(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that writes."""
        async with self._writing, self.connected() as connection:
            yield connection

    async def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction that writes, for what somebody waits for: with SQLite it is done in one go, in a thread."""
        if self._threads is None:
            async with self.writes() as connection:
                return await connection.run_sync(work)
        async with self._writing:
            return await _in_one_go(self._threads, work, self._writer)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """The same for one that only reads."""
        if self._threads is None:
            async with self.connected() as connection:
                return await connection.run_sync(work)
        return await _in_one_go(self._threads, work, self._readers)

    async def add_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep these runs."""
        async with self.writes() as connection:
            await connection.execute(insert(runs), rows)

    async def runs(self, owner: str | None, kind: str | None, before: int | None, limit: int) -> list[RowMapping]:
        """The latest runs; of one owner, one kind, or older than `before`, where these are given."""
        query = select(runs).order_by(runs.c.seq.desc()).limit(limit)
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        if kind is not None:
            query = query.where(runs.c.kind == kind)
        if before is not None:
            query = query.where(runs.c.seq < before)
        async with self.connected() as connection:
            return [row._mapping for row in await connection.execute(query)]

    async def run(self, run_id: str, owner: str | None) -> RowMapping | None:
        """One run, if there is one and it is the owner's."""
        query = select(runs).where(runs.c.run_id == run_id)
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        async with self.connected() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else row._mapping

    async def forget_run(self, run_id: str) -> None:
        """Remove one run, and its capsule if it has one."""
        async with self.writes() as connection:
            await connection.execute(delete(runs).where(runs.c.run_id == run_id))
            await capsule_rows.forget(connection, run_id)

    async def prune_runs(self, ended_before: str, keep: int, capsule_bytes: int) -> int:
        """Remove runs that ended too long ago, the oldest beyond `keep` and those of too many capsules; how many."""
        beyond = select(runs.c.seq).order_by(runs.c.seq.desc()).offset(keep).limit(1)
        async with self.writes() as connection:
            removed = (await connection.execute(delete(runs).where(runs.c.ended_at < ended_before))).rowcount
            last = (await connection.execute(beyond)).scalar()
            if last is not None:
                removed += (await connection.execute(delete(runs).where(runs.c.seq <= last))).rowcount
            await thread_rows.prune(connection, ended_before, keep)
            return int(removed) + await capsule_rows.prune(connection, capsule_bytes)

    async def count_runs(self) -> int:
        """How many runs are kept."""
        async with self.connected() as connection:
            return int((await connection.execute(select(func.count()).select_from(runs))).scalar_one())

    async def begin_capsule(self, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
        """Keep a data run that has not ended. Raises StoreUnavailableError."""
        async with self.writes() as connection:
            await capsule_rows.begin(connection, run, capsule)

    async def end_capsule(self, run_id: str, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
        """Keep what it came to. Raises StoreUnavailableError."""
        async with self.writes() as connection:
            await capsule_rows.end(connection, run_id, run, capsule)

    async def capsule(self, run_id: str, owner: str | None) -> RowMapping | None:
        """One data run, if there is one and it is the owner's. Raises StoreUnavailableError."""
        async with self.connected() as connection:
            return await capsule_rows.find(connection, run_id, owner)

    async def end_unfinished(self, run: Mapping[str, Any], error: Mapping[str, Any]) -> int:
        """Give an end to data runs that have none; how many that were."""
        async with self.writes() as connection:
            return await capsule_rows.end_unfinished(connection, run, error)
