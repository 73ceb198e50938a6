"""Who follows a task is handed its events from memory, and misses none: counted in statements, not in time."""

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from holdfast.tasks import TaskRun, tails
from holdfast.tasks.tails import Tail
from holdfast.types import OPERATOR, TokenEvent, task_request
from tests.tasks.conftest import SAY, service, submitted
from tests.tasks.test_queue import Doing

pytestmark = pytest.mark.anyio
NEVER = 3600.0
"""Seconds of a lease, and of whatever looks at the queue by itself: longer than any test waits."""


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What any database of this process is told."""
    told: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        told.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    yield told
    event.remove(Engine, "before_cursor_execute", hear)


def reads(statements: list[str]) -> int:
    return sum(statement.startswith("SELECT task_events") for statement in statements)


def token(number: int) -> TokenEvent:
    return TokenEvent(message_id="m", text=str(number), token_index=number)


async def test_tokens_come_one_by_one_without_a_look_at_the_database(
    place: Path | str, tmp_path: Path, statements: list[str]
) -> None:
    seen = [anyio.Event() for _ in range(50)]

    async def work(task: TaskRun) -> None:
        for number in range(50):
            await task.emit(token(number))
            await seen[number].wait()

    async with service(place, tmp_path, {"agent": Doing(work)}) as tasks:
        task_id = await submitted(tasks)
        found = []
        with anyio.fail_after(60):
            async for each in tasks.queue.follow(task_id, OPERATOR, 0):
                found.append(each.seq)
                if isinstance(each, TokenEvent):
                    seen[each.token_index].set()
    assert found == [*range(1, 54)]
    # At first, and when the task has begun or ended meanwhile: not once for each token.
    assert reads(statements) <= 6


async def test_tokens_that_come_together_are_written_together(
    place: Path | str, tmp_path: Path, statements: list[str]
) -> None:
    async def work(task: TaskRun) -> None:
        for number in range(1000):
            await task.emit(token(number))

    async with service(place, tmp_path, {"agent": Doing(work)}) as tasks:
        task_id = await submitted(tasks)
        events = [each async for each in tasks.queue.follow(task_id, OPERATOR, 0)]
    assert [each.text for each in events if isinstance(each, TokenEvent)] == [str(number) for number in range(1000)]
    assert [each.seq for each in events] == [*range(1, 1004)]
    assert sum(statement.startswith("UPDATE tasks") for statement in statements) < 100


async def test_a_follower_who_is_slower_than_the_task_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "MOST", 20)
    behind = anyio.Event()

    async def work(task: TaskRun) -> None:
        for number in range(200):
            await task.emit(token(number))
        behind.set()

    async with service(tmp_path / "db", tmp_path, {"agent": Doing(work)}) as tasks:
        task_id = await submitted(tasks)
        found = []
        async with aclosing(tasks.queue.follow(task_id, OPERATOR, 0)) as events:
            async for each in events:
                found.append(each.seq)
                if len(found) == 5:
                    await behind.wait()
    assert found == [*range(1, 204)]


async def test_a_claim_that_waits_is_woken_by_what_is_asked_for(place: Path | str, tmp_path: Path) -> None:
    async with service(place, tmp_path, workers=0, lease_seconds=NEVER) as tasks:
        found = []

        async def claim() -> None:
            claimed = await tasks.queue.claim(["agent"], "runner-1", NEVER)
            found.append(claimed.task_id if claimed else None)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(claim)
                await anyio.wait_all_tasks_blocked()
                receipt = await tasks.queue.submit(task_request.validate_python(SAY), OPERATOR, None)
    assert found == [receipt.id]


async def test_who_follows_a_task_that_is_forgotten_is_told_so(tmp_path: Path) -> None:
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks:
        task_id = await submitted(tasks)
        found = []

        async def follow() -> None:
            found.extend([each.type async for each in tasks.queue.follow(task_id, OPERATOR, 0)])

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            await tasks.queue.forget(task_id, OPERATOR)
    assert found == ["status", "error"]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12))), st.integers(0, 80))
def test_a_tail_has_no_gap_and_says_what_it_lacks(pieces: list[tuple[int, int]], number: int) -> None:
    tail = Tail()
    for first, count in pieces:
        tail.extend([{"seq": seq, "body": "x"} for seq in range(first, first + count)])
    found = [row["seq"] for row in tail.after(number)]
    last = max((first + count - 1 for first, count in pieces), default=0)
    assert found == [*range(number + 1, last + 1)] or (not found and tail.lacks(number))
