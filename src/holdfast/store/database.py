"""The SQL: one class around one database. SQLite today; nothing here but `_prepare` knows that."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import URL, Connection, RowMapping, delete, event, func, insert, inspect, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from holdfast.errors import ConfigurationError
from holdfast.store.tables import runs

HEAD = "0001"
"""The migration this version needs; a test compares it with the newest. A database that is there needs no alembic."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000")


class Database:
    """Rows in and out. Make one with `Database.open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """The database of a file, made or brought up to date. Raises ConfigurationError when that cannot be done."""
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), pool_size=2)
        event.listen(engine.sync_engine, "connect", _prepare)
        try:
            await _up_to_date(engine, path)
            yield cls(engine)
        finally:
            with anyio.CancelScope(shield=True):
                await engine.dispose()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """One transaction. Whoever is cancelled in it still waits for it: a driver left in the middle hangs."""
        with anyio.CancelScope(shield=True):
            async with self._engine.begin() as connection:
                yield connection

    async def add_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep these runs."""
        async with self._connected() as connection:
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
        async with self._connected() as connection:
            return [row._mapping for row in await connection.execute(query)]

    async def run(self, run_id: str, owner: str | None) -> RowMapping | None:
        """One run, if there is one and it is the owner's."""
        query = select(runs).where(runs.c.run_id == run_id)
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        async with self._connected() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else row._mapping

    async def forget_run(self, seq: int) -> None:
        """Remove one run."""
        async with self._connected() as connection:
            await connection.execute(delete(runs).where(runs.c.seq == seq))

    async def prune_runs(self, ended_before: str, keep: int) -> int:
        """Remove runs that ended too long ago, and the oldest beyond `keep`; how many that were."""
        beyond = select(runs.c.seq).order_by(runs.c.seq.desc()).offset(keep).limit(1)
        async with self._connected() as connection:
            old = await connection.execute(delete(runs).where(runs.c.ended_at < ended_before))
            last = (await connection.execute(beyond)).scalar()
            if last is None:
                return int(old.rowcount)
            more = await connection.execute(delete(runs).where(runs.c.seq <= last))
            return int(old.rowcount + more.rowcount)

    async def count_runs(self) -> int:
        """How many runs are kept."""
        async with self._connected() as connection:
            return int((await connection.execute(select(func.count()).select_from(runs))).scalar_one())


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _up_to_date(engine: AsyncEngine, path: Path) -> None:
    try:
        async with engine.begin() as connection:
            if await connection.run_sync(_version) != HEAD:
                await connection.run_sync(_migrate, path)
    except DatabaseError as error:
        raise ConfigurationError(
            f"The store {path} cannot be used ({error.orig}); restore it, or move it away to begin a new one."
        ) from None


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def _migrate(connection: Connection, path: Path) -> None:
    # Loaded here, because a server that finds its database as it must be never needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise ConfigurationError(
            f"The store {path} was written by a newer Holdfast; upgrade this one, or move the file away."
        ) from None
