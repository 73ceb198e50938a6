"""What is kept of tasks, and for how long: their rows, events, workspaces, files and deliveries that are dead."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select

from holdfast.errors import NotFoundError
from holdfast.store import Store
from holdfast.store.appending import Append
from holdfast.store.tables import task_events
from holdfast.tasks import TaskRun
from holdfast.tasks.claims import instant
from holdfast.tasks.events import new_event
from holdfast.types import OPERATOR, ErrorEvent, StatusEvent, TaskStatus
from tests.tasks.conftest import KEEP, SAY, ended, service, submitted
from tests.tasks.test_queue import Doing

pytestmark = pytest.mark.anyio
OLD = instant(datetime.now(UTC) - timedelta(days=31))
ROW = {"type": "agent", "request": SAY | {"type": "agent"}, "secret_names": [], "max_attempts": 1, "created_at": OLD}
QUEUED = new_event(StatusEvent(status=TaskStatus.QUEUED))


async def dead_letter(store: Store, task_id: str) -> None:
    """A task that ended long ago, and whose last event could not be delivered."""
    row = {**ROW, "task_id": task_id, "status": "queued", "callback_url": "http://127.0.0.1:1/", "delivery": "dead"}
    await store.tasks.add({**row, "workspace": {"files": {"a": "b"}}}, QUEUED)
    changes = {"status": "failed", "error_code": "x", "error_message": "x", "ended_at": OLD}
    end = Append(task_id, None, OLD, [new_event(ErrorEvent(message="x", code="x"))], changes)
    assert await store.tasks.append([end]) == [2]


async def test_a_dead_letter_and_all_of_its_task_go_when_their_time_is_over(place: Path | str, tmp_path: Path) -> None:
    async with Store(place, KEEP).open() as store:
        await dead_letter(store, "task-old")
    async with service(place, tmp_path, workers=0) as tasks:
        # At its start a server looks, and it may look at any time.
        await tasks.queue.prune()
        with pytest.raises(NotFoundError):
            await tasks.queue.redrive("task-old", OPERATOR)
        assert await tasks.queue._store.tasks._rows(select(task_events)) == []


async def test_what_waits_longer_than_tasks_are_kept_ends(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        for status in ("queued", "waiting"):
            await tasks.queue._store.tasks.add({**ROW, "task_id": f"task-{status}", "status": status}, QUEUED)
        young = await submitted(tasks)
        await tasks.queue.prune()
        for status in ("queued", "waiting"):
            task = await tasks.queue.get(f"task-{status}", OPERATOR)
            assert task.status is TaskStatus.FAILED and task.error is not None and task.error.code == "expired"
        assert (await tasks.queue.get(young, OPERATOR)).status is TaskStatus.QUEUED


async def test_files_are_bounded_together_and_the_oldest_task_goes_first(tmp_path: Path) -> None:
    async def leave(task: TaskRun) -> None:
        await task.keep("workspace.tar", b"x" * 60_000)

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(leave)}, total_bytes=100_000) as tasks:
        older, newer = await submitted(tasks), await submitted(tasks)
        await ended(tasks, older)
        await ended(tasks, newer)
        assert await tasks.queue.prune() == 1
        assert [task.id for task in (await tasks.queue.list(OPERATOR, None, 10, None)).tasks] == [newer]
        assert [path.name for path in (tmp_path / "files").iterdir()] == [newer]
        # What no task has any more goes as well.
        (tmp_path / "files" / "task-gone").mkdir()
        (tmp_path / "files" / "task-gone" / "a.txt").write_text("x")
        assert await tasks.queue.prune() == 0
        assert [path.name for path in (tmp_path / "files").iterdir()] == [newer]


async def test_gc_removes_old_tasks_with_their_events_and_files(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with Store(state / "holdfast.db", KEEP).open() as store:
        await dead_letter(store, "task-old")
        await store.tasks.add({**ROW, "task_id": "task-open", "status": "queued"}, QUEUED)
    for task_id in ("task-old", "task-open"):
        (state / "tasks" / task_id).mkdir(parents=True)
        (state / "tasks" / task_id / "workspace.tar").write_bytes(b"x")
    command = [sys.executable, "-m", "holdfast.cli", "gc", "--json"]
    environment = {**os.environ, "HOLDFAST_STATE_DIR": str(state)}
    done = await anyio.run_process(command, cwd=tmp_path, env=environment)
    assert json.loads(done.stdout)["tasks_removed"] == 1
    assert [path.name for path in (state / "tasks").iterdir()] == ["task-open"]
    async with Store(state / "holdfast.db", KEEP).open() as store:
        assert [row["task_id"] for row in await store.tasks._rows(select(task_events.c.task_id))] == ["task-open"]
