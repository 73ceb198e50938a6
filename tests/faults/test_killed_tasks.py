"""`kill -9` at every boundary of an event, of the server and of its delivery: nothing lost, nothing out of order.

Each run is a server in a process of its own, forked from here, that kills itself before or after the n-th thing that
it writes to the database or posts, n chosen by the seed; then others come, and kill themselves too, until one may live
to the end. The receiver of callbacks misbehaves as the seed says: it fails, it hangs up after it has taken an event, it
is slow, it does not answer in time. `TESTS_KILLS` is the number of runs (`make kills` makes many more than CI).
"""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import Store
from holdfast.store.task_rows import TaskRows
from holdfast.tasks import callbacks
from holdfast.tasks.callbacks import Poster
from holdfast.tasks.delivery import TRIES
from holdfast.types import CRITICAL_EVENTS, OPERATOR
from tests.faults.death import Death
from tests.tasks.conftest import KEEP, Receiver, ended, service, settled, submitted

RUNS = int(os.environ.get("TESTS_KILLS", "24"))
LIVES = 4
"""Servers in a row: all but the last kill themselves, if they come so far."""

BOUNDARIES = 60
ANSWER_SECONDS = 0.25
"""How long a server here waits for the answer to a callback."""

WRITES = ("add", "append", "claim", "note_delivery", "renew")


async def life(folder: Path, url: str) -> None:
    """A server that takes a task if there is none, and ends when that is ended and told."""
    async with service(folder / "db", folder, workers=2) as tasks:
        there = (await tasks.queue.list(OPERATOR, None, 1, None)).tasks
        task_id = there[0].id if there else await submitted(tasks, callback_url=url, max_attempts=10)
        await ended(tasks, task_id)
        await settled(tasks, task_id)


def forked(folder: Path, url: str, death: Death | None) -> int:
    """The exit status of one life."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        if death is not None:
            for name in WRITES:
                death.around(TaskRows, name)
            death.around(Poster, "post")
        callbacks.ANSWER_SECONDS = ANSWER_SECONDS
        with asyncio.Runner() as runner:
            runner.run(life(folder, url))
        status = 0
    finally:
        os._exit(status)


def misbehaving(chance: random.Random) -> Any:
    """What the receiver answers: mostly success, at times a failure, at times late."""
    kind = chance.choice(["well", "failing", "slow", "cut", "hanging"])

    def answer(body: dict[str, Any]) -> int | float:
        del body
        if kind == "failing":
            return 500 if chance.random() < 0.3 else 200
        if kind == "cut":
            # It has taken the event, and says that it has not: the event comes twice.
            return 599 if chance.random() < 0.3 else 204
        if kind == "hanging" and chance.random() < 0.1:
            # It has taken the event, and is given up before it says so.
            return 2 * ANSWER_SECONDS
        return 0.02 if kind == "slow" and chance.random() < 0.2 else 200

    return answer


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is up to date, to begin each run with."""
    place = tmp_path_factory.mktemp("template") / "db"

    async def make() -> None:
        async with Store(place, KEEP).open():
            pass

    asyncio.run(make())
    return place


def check(receiver: Receiver, rows: list[Any], task: Any) -> None:
    assert task.status == "succeeded"
    assert [event.seq for event in rows] == [*range(1, len(rows) + 1)]
    assert [event.type for event in rows].count("done") == 1
    assert rows[-1].type == "done"
    # Under one key there is always the same; and without what came twice, it is all there, in order.
    first: dict[str, bytes] = {}
    order: list[dict[str, Any]] = []
    for key, raw, body in zip(receiver.keys, receiver.raw, receiver.bodies, strict=True):
        assert first.setdefault(key, raw) == raw
        if not any(body["seq"] <= earlier["seq"] for earlier in order):
            order.append(body)
    told = [number for body in order for number in range(body.get("first_seq", body["seq"]), body["seq"] + 1)]
    assert told == sorted({*told})
    # What was never told was dropped by the stated rule: after five tries of the one before, and it is counted.
    missing = [event for event in rows if event.seq not in told]
    assert not any(event.type in CRITICAL_EVENTS for event in missing)
    assert len(missing) <= task.delivery.dropped
    tried = Counter(body["seq"] for body in receiver.bodies)
    gaps = [event.seq for event in missing if event.seq - 1 in told]
    assert all(tried[seq - 1] >= TRIES for seq in gaps)


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_however_often_a_server_is_killed_no_event_is_lost_and_none_out_of_order(
    template: Path, tmp_path: Path
) -> None:
    killed = 0
    for seed in range(RUNS):
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "db").write_bytes(template.read_bytes())
        receiver = Receiver()
        receiver.answer = misbehaving(chance)
        try:
            for number in range(LIVES):
                death = Death(chance, BOUNDARIES) if number < LIVES - 1 else None
                status = forked(folder, receiver.url, death)
                killed += os.WIFSIGNALED(status)
                if status == 0:
                    break
            assert status == 0, seed
            rows, task = asyncio.run(found(folder))
            check(receiver, rows, task)
        finally:
            receiver.close()
    assert killed >= RUNS


async def found(folder: Path) -> tuple[list[Any], Any]:
    """What is kept of the task."""
    async with service(folder / "db", folder, workers=0) as tasks:
        task = (await tasks.queue.list(OPERATOR, None, 10, None)).tasks[0]
        return await ended(tasks, task.id), task
