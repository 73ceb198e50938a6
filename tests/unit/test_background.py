"""What goes on beside a block: it ends with the block, and what either raises is told as it should be."""

import anyio
import anyio.lowlevel
import pytest

from holdfast.background import background, together

pytestmark = pytest.mark.anyio


@pytest.fixture
def ended() -> list[str]:
    return []


async def forever(name: str, ended: list[str]) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        ended.append(name)


async def test_what_goes_on_is_over_when_the_block_is(ended: list[str]) -> None:
    async with background() as group:
        group.start_soon(forever, "a", ended)
        group.start_soon(forever, "b", ended)
        await anyio.lowlevel.checkpoint()
    assert sorted(ended) == ["a", "b"]


async def test_what_the_block_raises_is_raised_as_it_is(ended: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^of the block$"):
        async with background() as group:
            group.start_soon(forever, "a", ended)
            await anyio.lowlevel.checkpoint()
            raise ValueError("of the block")
    assert ended == ["a"]


async def test_a_task_that_fails_ends_the_block(ended: list[str]) -> None:
    async def failing() -> None:
        raise ValueError("of the task")

    with pytest.raises(ExceptionGroup) as raised:
        async with background() as group:
            group.start_soon(failing)
            await forever("the block", ended)
    assert ended == ["the block"] and [str(error) for error in raised.value.exceptions] == ["of the task"]


async def test_whoever_is_cancelled_ends_both(ended: list[str]) -> None:
    with anyio.move_on_after(0.05) as scope:
        async with background() as group:
            group.start_soon(forever, "a", ended)
            await forever("the block", ended)
    assert scope.cancelled_caught and sorted(ended) == ["a", "the block"]


async def test_a_task_may_end_the_block_by_the_groups_scope(ended: list[str]) -> None:
    async with background() as group:
        group.start_soon(anyio.sleep, 0)
        group.cancel_scope.cancel()
        await forever("the block", ended)
    assert ended == ["the block"]


async def test_both_are_done_at_once_and_what_they_come_to_is_told() -> None:
    first_began, second_began = anyio.Event(), anyio.Event()

    async def first() -> int:
        first_began.set()
        await second_began.wait()
        return 1

    async def second() -> str:
        second_began.set()
        await first_began.wait()
        return "two"

    with anyio.fail_after(5):
        assert await together(first, second) == (1, "two")


async def test_one_that_fails_lets_the_other_end_and_is_raised_as_it_is(ended: list[str]) -> None:
    async def failing() -> None:
        raise ValueError("of the first")

    async def other() -> None:
        await anyio.sleep(0.02)
        ended.append("the other")

    with pytest.raises(ValueError, match=r"^of the first$"):
        await together(failing, other)
    assert ended == ["the other"]
