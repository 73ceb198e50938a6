"""Admission: places, the line before them, and the end of the day."""

import anyio
import pytest

from holdfast.errors import QueueFullError, ShuttingDownError
from holdfast.execution.admission import Admission

pytestmark = pytest.mark.anyio


class Visitor:
    """Holds a place until told to leave."""

    def __init__(self, admission: Admission, name: str = "", order: list[str] | None = None) -> None:
        self.admission = admission
        self.name = name
        self.order = order if order is not None else []
        self.inside = anyio.Event()
        self.leave = anyio.Event()
        self.refusal: Exception | None = None

    async def visit(self) -> None:
        try:
            async with self.admission.place():
                self.order.append(self.name)
                self.inside.set()
                await self.leave.wait()
        except (QueueFullError, ShuttingDownError) as error:
            self.refusal = error


async def settle() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def test_only_as_many_run_as_there_are_places() -> None:
    admission = Admission(places=2, queue=5)
    visitors = [Visitor(admission) for _ in range(4)]
    async with anyio.create_task_group() as group:
        for visitor in visitors:
            group.start_soon(visitor.visit)
        await settle()
        assert (admission.running, admission.waiting) == (2, 2)
        for visitor in visitors:
            visitor.leave.set()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_whoever_came_first_is_served_first() -> None:
    admission, order = Admission(places=1, queue=9), list[str]()
    visitors = [Visitor(admission, name, order) for name in "abcd"]
    async with anyio.create_task_group() as group:
        for visitor in visitors:
            visitor.leave.set()
            group.start_soon(visitor.visit)
    assert order == ["a", "b", "c", "d"]


async def test_a_full_queue_is_refused_with_advice() -> None:
    admission = Admission(places=1, queue=1)
    first, second = Visitor(admission), Visitor(admission)
    async with anyio.create_task_group() as group:
        for visitor in (first, second):
            group.start_soon(visitor.visit)
        await settle()
        with pytest.raises(QueueFullError) as caught:
            async with admission.place():
                raise AssertionError("nobody may get in here")
        assert 1 <= caught.value.retry_after_seconds <= 60
        first.leave.set()
        second.leave.set()


async def test_without_a_queue_the_second_is_refused_at_once() -> None:
    admission = Admission(places=1, queue=0)
    async with admission.place():
        with pytest.raises(QueueFullError):
            async with admission.place():
                raise AssertionError("nobody may get in here")
    async with admission.place():
        assert admission.running == 1


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    admission = Admission(places=1, queue=5)
    async with admission.place():
        with anyio.move_on_after(0.01):
            async with admission.place():
                raise AssertionError("nobody may get in here")
        assert (admission.running, admission.waiting) == (1, 0)
    assert admission.running == 0


async def test_a_place_handed_to_one_who_gives_up_at_the_same_moment_is_not_lost() -> None:
    admission = Admission(places=1, queue=5)
    holder, waiter, last = Visitor(admission), Visitor(admission), Visitor(admission)
    async with anyio.create_task_group() as group:
        group.start_soon(holder.visit)
        await settle()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as inner:
                inner.start_soon(waiter.visit)
                await settle()
                holder.leave.set()
                admission_before = admission.waiting
                scope.cancel()
        assert admission_before == 1
        group.start_soon(last.visit)
        with anyio.fail_after(5):
            await last.inside.wait()
        last.leave.set()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_place_is_given_back_when_its_holder_fails() -> None:
    admission = Admission(places=1, queue=0)
    with pytest.raises(ZeroDivisionError):
        async with admission.place():
            raise ZeroDivisionError
    assert admission.running == 0


async def test_draining_sends_the_queue_away_and_lets_the_running_finish() -> None:
    admission = Admission(places=1, queue=5)
    running, queued = Visitor(admission), Visitor(admission)
    async with anyio.create_task_group() as group:
        group.start_soon(running.visit)
        await running.inside.wait()
        group.start_soon(queued.visit)
        await settle()
        admission.drain()
        await settle()
        assert isinstance(queued.refusal, ShuttingDownError)
        with pytest.raises(ShuttingDownError):
            async with admission.place():
                raise AssertionError("nobody may get in here")
        with anyio.move_on_after(0.01) as waited:
            await admission.wait_until_idle()
        assert waited.cancelled_caught, "somebody still runs"
        running.leave.set()
        await admission.wait_until_idle()
    assert running.refusal is None


async def test_the_advice_grows_with_the_line() -> None:
    short, long = Admission(places=1, queue=1), Admission(places=1, queue=30)
    advice = []
    for admission in (short, long):
        visitors = [Visitor(admission) for _ in range(admission.queue + 1)]
        async with anyio.create_task_group() as group:
            for visitor in visitors:
                group.start_soon(visitor.visit)
            await settle()
            with pytest.raises(QueueFullError) as caught:
                async with admission.place():
                    raise AssertionError("nobody may get in here")
            advice.append(caught.value.retry_after_seconds)
            for visitor in visitors:
                visitor.leave.set()
    assert advice[0] < advice[1]


async def test_one_place_serves_all_the_runs_of_what_has_begun() -> None:
    admission = Admission(places=1, queue=0)
    async with admission.place_for_all():
        for _ in range(3):
            async with admission.place():
                assert admission.running == 1
        admission.drain()
        async with admission.place():
            assert admission.running == 1, "what has begun is not sent away"
    assert admission.running == 0
    with pytest.raises(ShuttingDownError):
        async with admission.place():
            pass


async def test_a_place_for_all_is_held_by_its_own_task_only() -> None:
    admission = Admission(places=1, queue=0)

    async def other() -> None:
        with pytest.raises(QueueFullError):
            async with admission.place():
                pass

    async with anyio.create_task_group() as group:
        begun = anyio.Event()

        async def holder() -> None:
            async with admission.place_for_all():
                begun.set()
                await anyio.sleep(0.05)

        group.start_soon(holder)
        await begun.wait()
        await other()
    assert admission.running == 0
