"""The queue: one worker for a task, one end, in both databases."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.errors import NotFoundError, QueueFullError, UnsupportedError
from holdfast.store import Store
from holdfast.store.appending import Append
from holdfast.tasks import TaskFailedError, TaskRun
from holdfast.tasks.bells import Bells
from holdfast.tasks.claims import instant
from holdfast.tasks.events import EventLog, NotOursError, new_event, now
from holdfast.testing.tasks import SpeakingHandler
from holdfast.types import (
    OPERATOR,
    AgentTask,
    Caller,
    LogEvent,
    StatusEvent,
    StepEndEvent,
    TaskStatus,
    WorkflowTask,
    task_request,
)
from tests.tasks.conftest import KEEP, SAY, ended, service, submitted

pytestmark = pytest.mark.anyio


class Doing:
    """A handler that does what a test says."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def check(self, request: AgentTask | WorkflowTask) -> None:
        pass

    async def run(self, task: TaskRun) -> None:
        await self.work(task)


async def test_a_task_is_queued_run_and_done_with_its_events_in_order(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path) as tasks:
        task_id = await submitted(tasks)
        events = await ended(tasks, task_id)
        task = await tasks.queue.get(task_id, OPERATOR)
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    kinds = [event.type for event in events]
    assert kinds == ["status", "status", "token", "token", "token", "tool_start", "tool_end", "done"]
    assert task.status is TaskStatus.SUCCEEDED
    assert task.events == len(events)
    assert task.worker is None


async def test_two_workers_never_have_one_task(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, workers=0) as tasks:
        made = {await submitted(tasks) for _ in range(20)}
        found: list[str] = []

        async def claim_all(name: str) -> None:
            while (claimed := await tasks.queue.claim(["agent"], name, 0.2)) is not None:
                found.append(claimed.task_id)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(claim_all, f"runner-{number}")
    assert sorted(found) == sorted(made)


async def test_two_stores_of_one_database_never_give_one_task_twice(place: Path | str) -> None:
    rows = [(f"task-{number}", instant(now())) for number in range(20)]
    begun = new_event(StatusEvent(status=TaskStatus.RUNNING))
    found: list[str] = []
    async with Store(place, KEEP).open(tidy=False) as one, Store(place, KEEP).open(tidy=False) as other:
        for task_id, at in rows:
            row = {"task_id": task_id, "type": "agent", "status": "queued", "request": {}, "secret_names": []}
            await one.tasks.add({**row, "max_attempts": 1, "created_at": at}, begun)

        async def claim_all(store: Store, name: str) -> None:
            claimed = {"worker": name, "lease_until": "9", "started_at": instant(now())}
            number = 0
            while queued := await store.tasks.oldest(["agent"]):
                number += 1
                row = await store.tasks.claim(queued[0][1], {**claimed, "claim": f"{name}{number}"}, begun)
                found.extend([row["task_id"]] if row else [])

        async with anyio.create_task_group() as group:
            for number, store in enumerate((one, other, one, other)):
                group.start_soon(claim_all, store, f"worker-{number}-")
    assert sorted(found) == sorted(task_id for task_id, _ in rows)


async def test_a_thousand_tasks_of_one_key_do_not_keep_anothers_one_waiting(place: Path | str, tmp_path: Path) -> None:
    many, one = Caller(owner="a" * 64, sees_all=False), Caller(owner="b" * 64, sees_all=False)
    request = task_request.validate_python(SAY)
    async with service(place, tmp_path, workers=0, queue=2000) as tasks:
        row = {
            "type": "agent",
            "status": "queued",
            "request": SAY | {"type": "agent"},
            "secret_names": [],
            "max_attempts": 1,
        }
        first = new_event(StatusEvent(status=TaskStatus.QUEUED))
        for number in range(1000 if isinstance(place, Path) else 100):
            mine = {"task_id": f"task-{number}", "owner": many.owner, "created_at": instant(now())}
            await tasks.queue._store.tasks.add({**row, **mine}, first)
        last = (await tasks.queue.submit(request, one, None)).id
        taken = [await tasks.queue.claim(["agent"], "runner-1", 1) for _ in range(4)]
    found = [claimed.task_id for claimed in taken if claimed is not None]
    assert found == ["task-0", last, "task-1", "task-2"]


async def test_who_has_lost_the_lease_writes_nothing_more(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, workers=0, lease_seconds=0.3) as tasks:
        task_id = await submitted(tasks)
        claimed = await tasks.queue.claim(["agent"], "runner-1", 1)
        assert claimed is not None
        log = new_event(LogEvent(level="info", message="begun"))
        await tasks.queue.events.append(Append(task_id, claimed.claim, instant(now()), [log], {}, (1, 1)))
        events = await ended(tasks, task_id)
        assert events[-1].type == "error" and events[-1].code == "worker_lost"
        with pytest.raises(Exception, match=task_id):
            await tasks.queue.end(claimed, None)
        assert await ended(tasks, task_id) == events


async def test_a_task_whose_worker_dies_is_begun_again_if_it_may(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, workers=0, lease_seconds=0.3) as tasks:
        task_id = await submitted(tasks, max_attempts=2)
        claimed = await tasks.queue.claim(["agent"], "runner-1", 1)
        assert claimed is not None
        await tasks.queue.events.append(Append(task_id, claimed.claim, instant(now()), [], {"state": {"n": 1}}, (1, 1)))
        again = await tasks.queue.claim(["agent"], "runner-2", 5)
        assert again is not None
        assert (again.task_id, again.attempt, again.state) == (task_id, 2, {"n": 1})


async def test_a_runner_that_never_began_costs_no_attempt(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, workers=0, lease_seconds=0.3) as tasks:
        await submitted(tasks)
        assert await tasks.queue.claim(["agent"], "runner-1", 1) is not None
        again = await tasks.queue.claim(["agent"], "runner-2", 5)
        assert again is not None and again.attempt == 1


async def test_a_server_that_stops_gives_its_tasks_back(place: Path | str, tmp_path: Path) -> None:
    started = anyio.Event()

    async def hang(task: TaskRun) -> None:
        started.set()
        await anyio.sleep_forever()

    async with service(place, tmp_path, {"agent": Doing(hang)}) as tasks:
        once, twice = await submitted(tasks, max_attempts=2), await submitted(tasks)
        await started.wait()
    async with service(place, tmp_path) as tasks:
        assert (await ended(tasks, once))[-1].type == "done"
        assert (await ended(tasks, twice))[-1].type == "done"
        assert (await tasks.queue.get(once, OPERATOR)).attempts == 2


async def test_a_cancelled_task_ends_at_once_and_its_handler_with_it(tmp_path: Path) -> None:
    left = anyio.Event()
    started = anyio.Event()

    async def hang(task: TaskRun) -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            left.set()

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(hang)}) as tasks:
        running, queued = await submitted(tasks), await submitted(tasks)
        await started.wait()
        waits = (await tasks.queue.get(queued, OPERATOR)).waiting_for
        assert waits == "a worker: 1 of 1 are busy, and 0 tasks were asked for before this one"
        for task_id in (queued, running):
            await tasks.queue.cancel(task_id, OPERATOR)
            last = (await ended(tasks, task_id))[-1]
            assert last.type == "error" and last.code == "cancelled"
            assert (await tasks.queue.get(task_id, OPERATOR)).status is TaskStatus.CANCELLED
        assert left.is_set()


async def test_how_a_task_fails_is_told_in_its_words(tmp_path: Path) -> None:
    async def fail(task: TaskRun) -> None:
        wanted = task.request.messages[0].content  # type: ignore[union-attr]
        if wanted == "crash":
            raise RuntimeError("not for users")
        if wanted == "slow":
            await anyio.sleep_forever()
        async with anyio.create_task_group():
            raise TaskFailedError("broken", "It is broken.")

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(fail)}) as tasks:
        for word, code in (("crash", "internal"), ("slow", "timed_out"), ("fail", "broken")):
            task_id = await submitted(tasks, messages=[{"role": "user", "content": word}], timeout=0.2)
            last = (await ended(tasks, task_id))[-1]
            assert last.type == "error"
            assert last.code == code
            assert "not for users" not in last.message


async def test_secrets_reach_the_handler_and_nothing_else(place: Path | str, tmp_path: Path) -> None:
    seen: list[str] = []

    async def tell(task: TaskRun) -> None:
        seen.append(task.secrets["TOKEN"])
        await task.emit(LogEvent(level="stdout", message=f"it is {task.secrets['TOKEN']}."), state={"s": "xyzzy-1234"})
        raise TaskFailedError("told", f"for {task.secrets['TOKEN']}")

    async with service(place, tmp_path, {"agent": Doing(tell)}) as tasks:
        task_id = await submitted(tasks, secrets={"TOKEN": "xyzzy-1234"})
        told = "".join(event.model_dump_json() for event in await ended(tasks, task_id))
        task = await tasks.queue.get(task_id, OPERATOR)
    assert seen == ["xyzzy-1234"]
    assert "it is ***." in told
    assert "xyzzy" not in told + task.model_dump_json()
    assert task.secret_names == ("TOKEN",)
    if isinstance(place, Path):
        assert b"xyzzy" not in b"".join(path.read_bytes() for path in place.parent.glob("holdfast.db*"))


async def test_a_secret_that_is_a_word_of_ours_hides_no_state_and_no_level(tmp_path: Path) -> None:
    async def tell(task: TaskRun) -> None:
        await task.emit(LogEvent(level="stdout", message="to stdout"))
        await task.emit(StepEndEvent(step_name="a success", step_index=0, step_state="success"))

    words = {"A": "stdout", "B": "success", "C": "running"}
    async with service(tmp_path / "db", tmp_path, {"agent": Doing(tell)}) as tasks:
        events = await ended(tasks, await submitted(tasks, secrets=words))
    log, step = events[-3], events[-2]
    assert isinstance(log, LogEvent) and (log.level, log.message) == ("stdout", "to ***")
    assert isinstance(step, StepEndEvent) and (step.step_state, step.step_name) == ("success", "a ***")


async def test_a_task_with_secrets_does_not_outlive_the_server_that_knows_them(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        task_id = await submitted(tasks, secrets={"TOKEN": "xyzzy-1234"})
    async with service(tmp_path / "db", tmp_path) as tasks:
        last = (await ended(tasks, task_id))[-1]
    assert last.type == "error" and last.code == "secrets_lost"


async def test_a_task_that_waits_for_an_answer_is_begun_again_where_it_was(tmp_path: Path) -> None:
    attempts: list[Any] = []

    async def ask(task: TaskRun) -> None:
        attempts.append(task.state)
        if task.state is None:
            await task.emit(StatusEvent(status=TaskStatus.WAITING), state={"asked": True})
            await anyio.sleep_forever()

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(ask)}) as tasks:
        task_id = await submitted(tasks)
        async for event in tasks.queue.follow(task_id, OPERATOR, 0):
            if isinstance(event, StatusEvent) and event.status is TaskStatus.WAITING:
                break
        task = await tasks.queue.get(task_id, OPERATOR)
        assert task.status is TaskStatus.WAITING
        assert task.waiting_for == "an answer to what it has asked; its events say what"
    async with service(tmp_path / "db", tmp_path, {"agent": Doing(ask)}) as tasks:
        assert (await ended(tasks, task_id))[-1].type == "done"
    assert attempts == [None, {"asked": True}]


async def test_tasks_of_others_do_not_exist(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        task_id = await submitted(tasks)
        stranger = Caller(owner="somebody", sees_all=False)
        assert (await tasks.queue.list(stranger, None, 10, None)).tasks == ()
        for call in (tasks.queue.get, tasks.queue.cancel, tasks.queue.forget, tasks.queue.redrive):
            with pytest.raises(NotFoundError):
                await call(task_id, stranger)


async def test_a_full_queue_and_an_unknown_type_are_refused(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0, queue=1) as tasks:
        with pytest.raises(UnsupportedError, match="does no tasks of type 'workflow'; it does those of type 'agent'"):
            await submitted(tasks, type="workflow", steps=[], messages=None)
        await submitted(tasks)
        with pytest.raises(QueueFullError):
            await submitted(tasks)


async def test_logs_without_end_are_left_out_and_that_is_said_once(tmp_path: Path) -> None:
    async def chatter(task: TaskRun) -> None:
        for _ in range(100):
            await task.emit(LogEvent(level="stdout", message="x" * 100))

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(chatter)}, log_bytes=1000) as tasks:
        events = await ended(tasks, await submitted(tasks))
    logs = [event for event in events if isinstance(event, LogEvent)]
    assert len(logs) == 8
    assert logs[-1].message == "The logs of a task may have 1,000 bytes; what follows is left out."
    assert events[-1].type == "done"


async def test_files_are_kept_bounded_and_forgotten_with_their_task(tmp_path: Path) -> None:
    async def leave(task: TaskRun) -> None:
        await task.keep("a.txt", b"hello")

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(leave)}, files_bytes=10) as tasks:
        task_id = await submitted(tasks)
        assert "artifact" in [event.type for event in await ended(tasks, task_id)]
        assert (await tasks.queue.get(task_id, OPERATOR)).artifacts == ("a.txt",)
        assert await tasks.queue.artifact(task_id, "a.txt", OPERATOR) == b"hello"
        await tasks.queue.forget(task_id, OPERATOR)
        with pytest.raises(NotFoundError):
            await tasks.queue.get(task_id, OPERATOR)
        assert not (tmp_path / "files" / task_id).exists()


async def test_forgetting_a_running_task_ends_it_first(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, {"agent": SpeakingHandler(60)}) as tasks:
        task_id = await submitted(tasks)
        await tasks.queue.forget(task_id, OPERATOR)
        assert tasks.workers.busy == 0
        with pytest.raises(NotFoundError):
            await tasks.queue.get(task_id, OPERATOR)


async def test_what_is_kept_long_enough_is_pruned(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, total_bytes=1) as tasks:
        task_id = await submitted(tasks)
        await ended(tasks, task_id)
        # The service looks by itself when it begins, and may only come to it now.
        assert await tasks.queue.prune() in (0, 1)
        assert (await tasks.queue.list(OPERATOR, None, 10, None)).tasks == ()


async def test_who_appends_when_nothing_is_written_any_more_is_told_so(tmp_path: Path) -> None:
    """The end of a task is written whatever is cancelled: nothing would ever end such a wait."""
    async with Store(tmp_path / "db", KEEP).open() as store:
        log = EventLog(store, Bells())
        async with anyio.create_task_group() as group:
            group.start_soon(log.run)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        with anyio.fail_after(10), pytest.raises(NotOursError):
            await log.append(Append("task-1", None, instant(now())))
