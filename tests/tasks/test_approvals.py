"""A task that must be allowed something waits without a worker, and goes on when somebody has decided."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.errors import NotFoundError
from holdfast.tasks import TaskRun, TaskWaitsError
from holdfast.tasks.deciding import decide
from holdfast.types import OPERATOR, ApprovalDecision, ApprovalEvent, Caller, StatusEvent, TaskStatus
from tests.tasks.conftest import ended, service, submitted
from tests.tasks.test_queue import Doing

pytestmark = pytest.mark.anyio
YES, NO = ApprovalDecision(approved=True), ApprovalDecision(approved=False)


class Asks:
    """Asks once for what it wants, and remembers what it was told."""

    def __init__(self) -> None:
        self.states: list[Any] = []
        self.attempts: list[int] = []

    async def __call__(self, task: TaskRun) -> None:
        self.states.append(task.state)
        self.attempts.append(task.attempt)
        if task.state is None:
            asked = ApprovalEvent(approval_id="approval-1", state="asked", tool_name="shell", args={"command": "ls"})
            raise TaskWaitsError({"turn": 3}, asked)


async def waits(tasks: Any, task_id: str) -> None:
    """Until nobody does it any more."""
    async for event in tasks.queue.follow(task_id, OPERATOR, 0):
        if isinstance(event, StatusEvent) and event.status is TaskStatus.WAITING:
            return


@pytest.mark.parametrize(("decision", "state"), [(YES, "approved"), (NO, "denied")])
async def test_a_decision_is_told_and_the_task_goes_on(
    place: Path | str, tmp_path: Path, decision: ApprovalDecision, state: str
) -> None:
    asks = Asks()
    async with service(place, tmp_path, {"agent": Doing(asks)}) as tasks:
        task_id = await submitted(tasks)
        await waits(tasks, task_id)
        await decide(tasks.queue, task_id, "approval-1", decision, OPERATOR)
        events = await ended(tasks, task_id)
    told = [event for event in events if isinstance(event, ApprovalEvent)]
    assert [event.state for event in told] == ["asked", state]
    assert [event.args for event in told] == [{"command": "ls"}] * 2
    assert events[-1].type == "done"
    assert asks.states[1]["kept"] == {"turn": 3}
    assert asks.states[1]["decided"] == {"approval-1": decision.approved}
    assert asks.attempts == [1, 1], "waiting is no attempt"


async def test_a_decision_after_a_restart_counts(place: Path | str, tmp_path: Path) -> None:
    asks = Asks()
    async with service(place, tmp_path, {"agent": Doing(asks)}) as tasks:
        task_id = await submitted(tasks)
        await waits(tasks, task_id)
    async with service(place, tmp_path, {"agent": Doing(asks)}) as tasks:
        assert (await tasks.queue.get(task_id, OPERATOR)).status is TaskStatus.WAITING
        await decide(tasks.queue, task_id, "approval-1", YES, OPERATOR)
        assert (await ended(tasks, task_id))[-1].type == "done"


async def test_who_waits_leaves_its_worker_to_others(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, {"agent": Doing(Asks())}, workers=1) as tasks:
        first = await submitted(tasks)
        await waits(tasks, first)
        second = await submitted(tasks)
        await waits(tasks, second)
        await decide(tasks.queue, second, "approval-1", YES, OPERATOR)
        assert (await ended(tasks, second))[-1].type == "done"
        assert (await tasks.queue.get(first, OPERATOR)).status is TaskStatus.WAITING


async def test_what_nobody_asks_cannot_be_decided(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, {"agent": Doing(Asks())}) as tasks:
        task_id = await submitted(tasks)
        await waits(tasks, task_id)
        for name, caller in (
            ("approval-2", OPERATOR),
            ("", OPERATOR),
            ("approval-1", Caller(owner="another", sees_all=False)),
        ):
            with pytest.raises(NotFoundError):
                await decide(tasks.queue, task_id, name, YES, caller)
        await decide(tasks.queue, task_id, "approval-1", YES, OPERATOR)
        await ended(tasks, task_id)
        with pytest.raises(NotFoundError):
            await decide(tasks.queue, task_id, "approval-1", NO, OPERATOR)


async def test_of_two_decisions_at_once_one_counts(place: Path | str, tmp_path: Path) -> None:
    asks = Asks()
    refused: list[Exception] = []
    async with service(place, tmp_path, {"agent": Doing(asks)}) as tasks:
        task_id = await submitted(tasks)
        await waits(tasks, task_id)

        async def say(decision: ApprovalDecision) -> None:
            try:
                await decide(tasks.queue, task_id, "approval-1", decision, OPERATOR)
            except NotFoundError as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(say, YES)
            group.start_soon(say, NO)
        events = await ended(tasks, task_id)
    assert len(refused) == 1
    assert len([event for event in events if isinstance(event, ApprovalEvent)]) == 2


async def test_a_task_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, {"agent": Doing(Asks())}) as tasks:
        task_id = await submitted(tasks)
        await waits(tasks, task_id)
        await tasks.queue.cancel(task_id, OPERATOR)
        last = (await ended(tasks, task_id))[-1]
    assert last.type == "error"
    assert last.code == "cancelled"
