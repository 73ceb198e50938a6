"""What goes on beside something else, and ends with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

A = TypeVar("A")
B = TypeVar("B")


@asynccontextmanager
async def background() -> AsyncIterator[TaskGroup]:
    """A group whose tasks are cancelled at the end of the block.

    What the block raises is raised as it is, not wrapped in a group of exceptions. A task that fails ends the block,
    and is raised in such a group.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        try:
            yield group
        except Exception as error:
            failure = error
        finally:
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def together(first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]) -> tuple[A, B]:
    """What both come to, done at once and each to its end; the first failure is raised as it is."""
    failures: list[Exception] = []
    found: dict[int, Any] = {}

    async def do(place: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            found[place] = await work()
        except Exception as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(do, 0, first)
        group.start_soon(do, 1, second)
    if failures:
        raise failures[0]
    return found[0], found[1]
