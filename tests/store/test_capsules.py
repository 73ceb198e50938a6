"""Capsules: written before the run and after it, and never lost on the way."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import event

from holdfast.errors import NotFoundError, StoreUnavailableError
from holdfast.store import Retention, Store
from holdfast.types import Caller, Capsule, CapsuleError, CapsuleStatus, RunKind, Table
from tests.postgres import Cluster

pytestmark = pytest.mark.anyio

KEEP = Retention(days=30, runs=1000, every_hours=24)
EVERYONE = Caller()
TABLE = Table(
    columns=["n", "t"],
    column_types=["HUGEINT", "VARCHAR"],
    rows=[[10**37, "a\0b\u2028'\"\\ ü 🎉"], [None, ""], [-1.5e300, "x" * 5000]],
    row_count=3,
    total_rows=9,
    truncated=True,
)


def capsule(number: int = 1, **changes: Any) -> Capsule:
    values: dict[str, Any] = {
        "run_id": f"run-{number}",
        "created_at": datetime.now(UTC),
        "dataset_id": "ecommerce",
        "dataset_version_hash": "sha256:0",
        "query_mode": "sql",
        "compiled_sql": "SELECT 1 -- ü🎉",
        "status": CapsuleStatus.QUEUED,
    }
    return Capsule(**{**values, **changes})


def ended(before: Capsule, **changes: Any) -> Capsule:
    values = {"status": CapsuleStatus.SUCCEEDED, "result": TABLE, "ended_at": datetime.now(UTC), "exec_time_ms": 1.25}
    return before.model_copy(update={**values, **changes})


async def test_a_capsule_is_there_before_the_run_and_whole_after_it(place: Path | str) -> None:
    begun = capsule(plan_json={"table": "orders"}, query_mode="plan", question="Why?", libraries={"duckdb": "2.0"})
    over = ended(begun, result_hash="sha256:1", replay_of="run-0", stdout="a\0b", key="me")
    async with Store(place, KEEP).open(tidy=False) as store:
        await store.begin(begun, None)
        assert await store.capsule("run-1", EVERYONE) == begun
        assert (await store.run("run-1", EVERYONE)).status == "queued"
        await store.end(over)
        assert await store.capsule("run-1", EVERYONE) == over.model_copy(update={"key": None})
    async with Store(place, KEEP).open() as store:
        found = await store.capsule("run-1", EVERYONE)
        assert found is not None and found.result == TABLE
        row = await store.run("run-1", EVERYONE)
        assert (row.kind, row.status, row.image, row.code) == (RunKind.DATA, "succeeded", "sql", None)


async def test_data_runs_are_among_all_runs(place: Path | str) -> None:
    async with Store(place, KEEP).open(tidy=False) as store:
        await store.begin(capsule(1), None)
        error = CapsuleError(code="function_denied", message="No.")
        await store.end(ended(capsule(1), status=CapsuleStatus.REJECTED, result=None, error=error))
        await store.begin(capsule(2, query_mode="python", python_code="1"), None)
        rows = (await store.runs(EVERYONE, RunKind.DATA, 10, None)).runs
        assert [(row.run_id, row.status, row.code, row.image) for row in rows] == [
            ("run-2", "queued", None, "python"),
            ("run-1", "rejected", "function_denied", "sql"),
        ]
        assert rows[0].ended_at is None
        assert (await store.runs(EVERYONE, RunKind.GRADE, 10, None)).runs == ()


async def test_after_a_restart_nothing_is_running(place: Path | str) -> None:
    async with Store(place, KEEP).open(tidy=False) as store:
        await store.begin(capsule(1), None)
        await store.begin(capsule(2, status=CapsuleStatus.RUNNING), None)
        await store.begin(capsule(3), None)
        await store.end(ended(capsule(3)))
    async with Store(place, KEEP).open(tidy=False) as beside:
        left = await beside.capsule("run-1", EVERYONE)
        assert left is not None and left.status == "queued", "who only looks does not meddle"
    async with Store(place, KEEP).open() as store:
        for name in ("run-1", "run-2"):
            found = await store.capsule(name, EVERYONE)
            assert found is not None and found.error is not None and found.ended_at is not None
            assert (found.status, found.error.code) == ("failed", "server_stopped")
            assert (await store.run(name, EVERYONE)).code == "server_stopped"
        assert await store.capsule("run-3", EVERYONE) == ended(
            capsule(3),
            ended_at=(await store.run("run-3", EVERYONE)).ended_at,
            created_at=(await store.run("run-3", EVERYONE)).created_at,
        )


async def test_a_capsule_of_another_key_is_not_there(place: Path | str) -> None:
    mine, other = Caller("mine", sees_all=False), Caller("other", sees_all=False)
    async with Store(place, KEEP).open(tidy=False) as store:
        await store.begin(capsule(), "mine")
        assert await store.capsule("run-1", mine) is not None
        assert await store.capsule("run-1", EVERYONE) is not None
        assert await store.capsule("run-1", other) is None
        with pytest.raises(NotFoundError):
            await store.forget_run("run-1", other)


async def test_a_capsule_goes_with_its_row(place: Path | str) -> None:
    async with Store(place, KEEP).open(tidy=False) as store:
        await store.begin(capsule(), None)
        await store.forget_run("run-1", EVERYONE)
        assert await store.capsule("run-1", EVERYONE) is None
        await store.begin(capsule(), None)
        long_ago = datetime.now(UTC) - timedelta(days=31)
        await store.end(ended(capsule(), ended_at=long_ago))
        assert await store.prune() == 1
        assert await store.capsule("run-1", EVERYONE) is None
        await store.begin(capsule(), None)


async def test_the_oldest_capsules_go_when_all_are_too_large_together(place: Path | str) -> None:
    async with Store(place, Retention(30, 1000, 24, capsule_bytes=20_000)).open(tidy=False) as store:
        for number in range(6):
            await store.begin(capsule(number), None)
            await store.end(ended(capsule(number)))
        assert await store.prune() == 3
        assert [run.run_id for run in (await store.runs(EVERYONE, None, 10, None)).runs] == ["run-5", "run-4", "run-3"]
        assert await store.prune() == 0


async def test_a_locked_file_is_said_and_what_a_run_came_to_is_written_later(tmp_path: Path) -> None:
    async with Store(tmp_path / "holdfast.db", KEEP).open(tidy=False) as store:
        await store.begin(capsule(), None)
        other = sqlite3.connect(tmp_path / "holdfast.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(StoreUnavailableError):
                await store.end(ended(capsule()))
            with pytest.raises(StoreUnavailableError):
                await store.begin(capsule(2), None)
            found = await store.capsule("run-1", EVERYONE)
            assert found is not None and found.status == "succeeded", "it is known already"
        finally:
            other.execute("COMMIT")
            other.close()
        await until_written(store, "run-1")
        assert await store.capsule("run-2", EVERYONE) is None


async def until_written(store: Store, run_id: str) -> None:
    with anyio.fail_after(30):
        while (await store.run(run_id, EVERYONE)).status != "succeeded":  # noqa: ASYNC110 - another task writes it
            await anyio.sleep(0.05)


async def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    async with Store(tmp_path / "holdfast.db", KEEP).open(tidy=False) as store:
        await store.begin(capsule(1), None)
        with full_disk(store):
            with pytest.raises(StoreUnavailableError):
                await store.end(ended(capsule(1), stdout="x" * 1_000_000))
            with pytest.raises(StoreUnavailableError):
                await store.begin(capsule(2, question="x" * 1_000_000), None)
        await until_written(store, "run-1")
    async with Store(tmp_path / "holdfast.db", KEEP).open() as store:
        found = await store.capsule("run-1", EVERYONE)
        assert found is not None and len(found.stdout) == 1_000_000


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """The file may not grow any more: SQLite says the same as it does of a full disk."""
    engine = store._opened._threads
    assert engine is not None
    most = 1

    def limit(connection: Any, *_: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count={most}")

    event.listen(engine, "checkout", limit)
    try:
        yield
    finally:
        most = 1 << 30


async def test_a_server_that_is_gone_and_comes_back_loses_nothing(postgres: Cluster) -> None:
    async with Store(postgres.database(), KEEP).open() as store:
        await store.begin(capsule(1), None)
        postgres.stop()
        try:
            with pytest.raises(StoreUnavailableError):
                await store.end(ended(capsule(1)))
            with pytest.raises(StoreUnavailableError):
                await store.begin(capsule(2), None)
        finally:
            postgres.start()
        await until_written(store, "run-1")
        await store.begin(capsule(2), None)


async def test_many_at_once_are_all_kept(place: Path | str) -> None:
    async with Store(place, KEEP).open(tidy=False) as store:

        async def one(number: int) -> None:
            await store.begin(capsule(number), None)
            await store.end(ended(capsule(number)))

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(one, number)
        rows = (await store.runs(EVERYONE, RunKind.DATA, 100, None)).runs
        assert [row.status for row in rows] == ["succeeded"] * 60
