"""The store: what is kept, for how long, and that it stands in nobody's way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert

import holdfast.store
from holdfast.errors import ConfigurationError, NotFoundError
from holdfast.store import QUEUE, Retention, Store
from holdfast.store.connecting import HEAD
from holdfast.store.tables import metadata, runs
from holdfast.types import Caller, RunKind, RunRecord, Status

pytestmark = pytest.mark.anyio

KEEP = Retention(days=30, runs=1000, every_hours=24)
EVERYONE = Caller()


def record(number: int, **changes: Any) -> RunRecord:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "run_id": f"run-{number}",
        "kind": RunKind.RUN,
        "key": None,
        "image": "python",
        "status": Status.SUCCEEDED,
        "code": None,
        "exit_code": 0,
        "usage": None,
        "isolation": None,
        "created_at": now,
        "ended_at": now,
    }
    return RunRecord(**{**values, **changes})


@asynccontextmanager
async def opened(place: Path | str, retention: Retention = KEEP) -> AsyncIterator[tuple[Store, list[int]]]:
    dropped: list[int] = []
    async with Store(place, retention, dropped.append).open(tidy=False) as store:
        yield store, dropped


async def test_what_is_kept_is_there_after_a_restart(place: Path | str) -> None:
    async with opened(place) as (store, _):
        store.keep(record(1), None)
    async with opened(place) as (store, _):
        assert (await store.runs(EVERYONE, None, 10, None)).runs[0].run_id == "run-1"
        assert await store.run("run-1", EVERYONE) == (await store.runs(EVERYONE, None, 10, None)).runs[0]


async def test_the_latest_come_first_and_pages_follow_each_other(place: Path | str) -> None:
    async with opened(place) as (store, _):
        for number in range(5):
            store.keep(record(number), None)
        first = await store.runs(EVERYONE, None, 3, None)
        assert [run.run_id for run in first.runs] == ["run-4", "run-3", "run-2"]
        second = await store.runs(EVERYONE, None, 3, first.next)
        assert [run.run_id for run in second.runs] == ["run-1", "run-0"]
        assert second.next is None


async def test_only_the_owner_and_an_admin_see_a_run(place: Path | str) -> None:
    mine, other, admin = (
        Caller("mine", sees_all=False),
        Caller("other", sees_all=False),
        Caller("admin", sees_all=True),
    )
    async with opened(place) as (store, _):
        store.keep(record(1), "mine")
        assert len((await store.runs(mine, None, 10, None)).runs) == 1
        assert len((await store.runs(admin, None, 10, None)).runs) == 1
        assert (await store.runs(other, None, 10, None)).runs == ()
        for work in (store.run("run-1", other), store.forget_run("run-1", other), store.runs(other, None, 1, "run-1")):
            with pytest.raises(NotFoundError):
                await work
        await store.forget_run("run-1", mine)
        assert (await store.runs(admin, None, 10, None)).runs == ()


async def test_old_rows_go_and_the_oldest_beyond_the_cap(place: Path | str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=31)
    async with opened(place, Retention(days=30, runs=3, every_hours=24)) as (store, _):
        store.keep(record(0, ended_at=long_ago), None)
        for number in range(1, 6):
            store.keep(record(number), None)
        assert await store.prune() == 3
        left = await store.runs(EVERYONE, None, 10, None)
        assert [run.run_id for run in left.runs] == ["run-5", "run-4", "run-3"]
        assert await store.prune() == 0


async def test_an_open_store_removes_what_is_old_by_itself(place: Path | str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=31)
    async with opened(place) as (store, _):
        store.keep(record(0, ended_at=long_ago), None)
    async with Store(place, KEEP).open() as store:
        while await store.count():  # noqa: ASYNC110 - it is done beside everything else, without an event
            await anyio.sleep(0.01)


async def test_a_full_queue_drops_and_counts_and_never_waits(place: Path | str) -> None:
    async with opened(place) as (store, dropped):
        for number in range(QUEUE + 3):
            store.keep(record(number), None)
        assert sum(dropped) == 3


def meddle(place: Path | str, *statements: str) -> None:
    """What somebody else does to the database."""
    engine = create_engine(url_of(place))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def url_of(place: Path | str) -> str:
    return f"sqlite:///{place}" if isinstance(place, Path) else place.replace("postgresql:", "postgresql+psycopg:")


async def test_a_database_that_refuses_costs_rows_and_not_the_server(place: Path | str) -> None:
    async with opened(place) as (store, dropped):
        meddle(place, "ALTER TABLE runs RENAME TO elsewhere")
        store.keep(record(1), None)
        await store.flush()
        assert sum(dropped) == 1
        meddle(place, "ALTER TABLE elsewhere RENAME TO runs")
        store.keep(record(2), None)
        assert [run.run_id for run in (await store.runs(EVERYONE, None, 10, None)).runs] == ["run-2"]


@pytest.mark.parametrize("before", [None, "0001"])
async def test_a_new_store_and_the_migrations_lead_to_the_same_tables_and_version(
    place: Path | str, before: str | None
) -> None:
    if before is not None:
        engine = create_engine(url_of(place))
        with engine.begin() as connection:
            alembic_to(connection, before)
        engine.dispose()
    async with opened(place):
        pass
    engine = create_engine(url_of(place))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    folder = Path(holdfast.store.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


async def test_what_an_older_version_has_written_is_there_after_the_migrations(place: Path | str) -> None:
    engine = create_engine(url_of(place))
    with engine.begin() as connection:
        alembic_to(connection, "0001")
        row = {"run_id": "run-old", "kind": "run", "image": "python", "status": "failed", "code": "engine_error"}
        times = {"created_at": "2026-01-01T00:00:00.000000+00:00", "ended_at": "2026-01-01T00:00:01.000000+00:00"}
        connection.execute(insert(runs).values(**row, **times))
    engine.dispose()
    async with opened(place) as (store, _):
        assert (await store.run("run-old", EVERYONE)).code == "engine_error"
        store.keep(record(1), None)
        assert [run.run_id for run in (await store.runs(EVERYONE, None, 10, None)).runs] == ["run-1", "run-old"]


def alembic_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(holdfast.store.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_a_store_of_a_newer_version_is_one_clear_sentence(place: Path | str) -> None:
    async with opened(place):
        pass
    meddle(place, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="newer Holdfast; upgrade"):
        await Store(place, KEEP).open().__aenter__()


async def test_a_damaged_file_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(ConfigurationError, match="move it away"):
        await Store(tmp_path / "broken.db", KEEP).open().__aenter__()


@pytest.mark.parametrize("url", ["postgresql://me:secret@/none?host=/nowhere", "postgresql://me:secret@[:1/x"])
async def test_a_database_that_is_not_there_is_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Store(url, KEEP).open().__aenter__()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_two_servers_cannot_use_one_database(place: Path | str) -> None:
    async with Store(place, KEEP).open():
        with pytest.raises(ConfigurationError, match="Another Holdfast server"):
            await Store(place, KEEP).open().__aenter__()
        async with opened(place) as (beside, _):
            assert await beside.count() == 0
    async with Store(place, KEEP).open():
        pass


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "holdfast.db"):
        assert (tmp_path / "holdfast.db").stat().st_mode & 0o777 == 0o600
