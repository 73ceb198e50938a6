"""Where the rows are: a file of SQLite or a database of PostgreSQL, brought up to date. Only this tells them apart."""

import fcntl
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from holdfast.errors import ConfigurationError
from holdfast.store.tables import metadata

HEAD = "0004"
"""The migration this version needs; a test compares it with the newest, and what it leads to with the tables."""

_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

POSTGRESQL = "postgresql+psycopg"
CONNECTIONS = 5
READERS = 4
PATIENCE_SECONDS = 5
"""How long a connection, a lock or a place among the connections is waited for."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={PATIENCE_SECONDS * 1000}")
_LIMITS = f"-c lock_timeout={PATIENCE_SECONDS}s -c statement_timeout=30s"
_OURS = 0x686F6C64
"""The number of our advisory lock."""


@asynccontextmanager
async def connect(place: Path | str) -> AsyncIterator[AsyncEngine]:
    """The connections to the database of a file or URL, made or brought up to date. Raises ConfigurationError."""
    engine = _sqlite(place) if isinstance(place, Path) else _postgresql(place)
    try:
        await _up_to_date(engine)
        yield engine
    finally:
        with anyio.CancelScope(shield=True):
            await engine.dispose()


@asynccontextmanager
async def claimed(engine: AsyncEngine, place: Path | str) -> AsyncIterator[None]:
    """For the length of the block no other server can claim the database. Raises ConfigurationError.

    What is unfinished at the start of a server is therefore nobody's.
    """
    if isinstance(place, Path):
        with place.with_name(f"{place.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _in_use(engine.url) from None
            yield
        return
    async with engine.connect() as connection:
        if not (await connection.execute(text(f"SELECT pg_try_advisory_lock({_OURS})"))).scalar():
            raise _in_use(engine.url)
        await connection.commit()
        yield


def _in_use(url: URL) -> ConfigurationError:
    return ConfigurationError(f"Another Holdfast server already uses the store {_named(url)}; give each its own.")


def _sqlite(path: Path) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, pool_size=2, json_serializer=_json)
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def in_threads(engine: AsyncEngine) -> Engine | None:
    """More connections to the same file, for threads: there a transaction of SQLite is done in one go.

    Else each of its statements goes to a thread and back, several times. `None` where there is no file.
    """
    if engine.dialect.name != "sqlite":
        return None
    url = engine.url.set(drivername="sqlite")
    made = create_engine(url, pool_size=READERS + 1, pool_timeout=PATIENCE_SECONDS, json_serializer=_json)
    event.listen(made, "connect", _prepare)
    return made


def _postgresql(place: str) -> AsyncEngine:
    try:
        url = make_url(place).set(drivername=POSTGRESQL)
    except ArgumentError:
        raise ConfigurationError("The store is not a URL such as postgresql://user:password@host/database.") from None
    return create_async_engine(
        url,
        pool_size=CONNECTIONS,
        pool_timeout=PATIENCE_SECONDS,
        pool_pre_ping=True,
        json_serializer=_json,
        connect_args={"connect_timeout": PATIENCE_SECONDS, "options": _LIMITS},
    )


def _json(value: Any) -> str:
    # NaN is a word of Python alone, and an error in another database.
    return json.dumps(value, allow_nan=False)


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _up_to_date(engine: AsyncEngine) -> None:
    name = _named(engine.url)
    try:
        async with engine.begin() as connection:
            if await connection.run_sync(_is_empty):
                await connection.run_sync(_make)
            elif await connection.run_sync(_version) != HEAD:
                await connection.run_sync(_migrate, name)
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise ConfigurationError(
            f"The store {name} cannot be used ({reason}); restore it, or move it away to begin a new one."
        ) from None


def _named(url: URL) -> str:
    """What to call it, without its password."""
    if url.drivername != POSTGRESQL:
        return str(url.database)
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def _is_empty(connection: Connection) -> bool:
    return not inspect(connection).get_table_names()


def _make(connection: Connection) -> None:
    """All tables as they are now, and the version they have: what the migrations lead to, without alembic."""
    metadata.create_all(connection)
    _VERSIONS.create(connection)
    connection.execute(insert(_VERSIONS).values(version_num=HEAD))


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSIONS.name):
        return None
    version = connection.execute(select(_VERSIONS.c.version_num)).scalar()
    return None if version is None else str(version)


def _migrate(connection: Connection, name: str) -> None:
    # Loaded here, because only what an older version has written needs it, and it takes 10 MB.
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
            f"The store {name} was written by a newer Holdfast; upgrade this one, or move it away."
        ) from None
