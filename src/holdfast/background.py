"""What goes on beside a block of code, and ends with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup


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
