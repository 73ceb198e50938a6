"""The SQL of runs: one class around one database. Which kind that is, `connecting` alone knows."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Connection, Engine, RowMapping, Select, delete, func, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from holdfast.errors import StoreUnavailableError
from holdfast.store import capsule_rows, thread_rows
from holdfast.store.connecting import READERS, claimed, connect, in_threads
from holdfast.store.tables import runs

_OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)
_NOT_THERE = (DBAPIError, PoolTimeoutError, OSError)
_UNAVAILABLE = "The database of the server is locked, full or gone; try again, and if that does not help, look there."


T = TypeVar("T")


def _done(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


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

    async def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction that writes. Raises StoreUnavailableError, and then nothing of it was kept."""
        async with self._writing:
            return await self._transaction(work, self._writer)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """One that only reads. Raises StoreUnavailableError."""
        return await self._transaction(work, self._readers)

    async def _transaction(self, work: Callable[[Connection], T], limiter: anyio.CapacityLimiter) -> T:
        """With SQLite it is done in one go, in a thread. Whoever is cancelled waits for it: a driver left in the
        middle hangs."""
        try:
            with anyio.CancelScope(shield=True):
                if self._threads is not None:
                    result = await run_sync(_done, self._threads, work, limiter=limiter)
                else:
                    async with self._engine.begin() as connection:
                        result = await connection.run_sync(work)
        except _OUR_MISTAKES:
            raise
        except _NOT_THERE as error:
            raise StoreUnavailableError(_UNAVAILABLE) from error
        return result

    async def add_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep these runs."""
        await self.write(lambda connection: connection.execute(insert(runs), rows))

    async def runs(self, owner: str | None, kind: str | None, before: int | None, limit: int) -> list[RowMapping]:
        """The latest runs; of one owner, one kind, or older than `before`, where these are given."""
        query = select(runs).order_by(runs.c.seq.desc()).limit(limit)
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        if kind is not None:
            query = query.where(runs.c.kind == kind)
        if before is not None:
            query = query.where(runs.c.seq < before)
        return await self.read(lambda connection: [row._mapping for row in connection.execute(query)])

    async def run(self, run_id: str, owner: str | None) -> RowMapping | None:
        """One run, if there is one and it is the owner's."""
        query = select(runs).where(runs.c.run_id == run_id)
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        return await self.read(lambda connection: first(connection, query))

    async def forget_run(self, run_id: str) -> None:
        """Remove one run, and its capsule if it has one."""

        def forget(connection: Connection) -> None:
            connection.execute(delete(runs).where(runs.c.run_id == run_id))
            capsule_rows.forget(connection, run_id)

        await self.write(forget)

    async def prune_runs(self, ended_before: str, keep: int, capsule_bytes: int) -> int:
        """Remove runs that ended too long ago, the oldest beyond `keep` and those of too many capsules; how many."""
        beyond = select(runs.c.seq).order_by(runs.c.seq.desc()).offset(keep).limit(1)

        def prune(connection: Connection) -> int:
            removed = connection.execute(delete(runs).where(runs.c.ended_at < ended_before)).rowcount
            last = connection.execute(beyond).scalar()
            if last is not None:
                removed += connection.execute(delete(runs).where(runs.c.seq <= last)).rowcount
            thread_rows.prune(connection, ended_before, keep)
            return removed + capsule_rows.prune(connection, capsule_bytes)

        return await self.write(prune)

    async def count_runs(self) -> int:
        """How many runs are kept."""
        count = select(func.count()).select_from(runs)
        return await self.read(lambda connection: int(connection.execute(count).scalar_one()))

    async def begin_capsule(self, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
        """Keep a data run that has not ended. Raises StoreUnavailableError."""
        await self.write(lambda connection: capsule_rows.begin(connection, run, capsule))

    async def end_capsule(self, run_id: str, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
        """Keep what it came to. Raises StoreUnavailableError."""
        await self.write(lambda connection: capsule_rows.end(connection, run_id, run, capsule))

    async def capsule(self, run_id: str, owner: str | None) -> RowMapping | None:
        """One data run, if there is one and it is the owner's. Raises StoreUnavailableError."""
        query = capsule_rows.find(run_id, owner)
        return await self.read(lambda connection: first(connection, query))

    async def end_unfinished(self, run: Mapping[str, Any], error: Mapping[str, Any]) -> int:
        """Give an end to data runs that have none; how many that were."""
        return await self.write(lambda connection: capsule_rows.end_unfinished(connection, run, error))


def first(connection: Connection, query: Select[Any]) -> RowMapping | None:
    """The first row that a query finds, if any."""
    row = connection.execute(query).first()
    return None if row is None else row._mapping
