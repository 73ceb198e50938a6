"""The removal of containers, beside everything else: it takes longer than a run, and nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass

from aiodocker import DockerError
from aiodocker.containers import DockerContainer

from holdfast.engines.docker.daemon import ANSWER_SECONDS, AbsentError, answering
from holdfast.errors import EngineError

AGAIN_SECONDS = 1.0
CLOSING_SECONDS = 20.0
_IN_PROGRESS = 409


async def _nothing() -> None:
    pass


@dataclass(slots=True)
class Living:
    """A container in use: the engine is to `let_go` of it when it closes, and `afterwards` comes when it is gone."""

    container: DockerContainer
    let_go: Callable[[], None] = lambda: None
    afterwards: Callable[[], Awaitable[None]] = _nothing


class Removals:
    """Keeps at it while the daemon does not answer, until the engine is closed; `leftovers` finds what is left then."""

    def __init__(self) -> None:
        self.closing = False
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._living: dict[str, Living] = {}

    def expect(self, container: DockerContainer) -> Living:
        """This one is to be removed, at the latest when the engine closes."""
        living = self._living[container.id] = Living(container)
        return living

    def remove(self, container: DockerContainer) -> None:
        """Begin to remove it; again and again without harm."""
        living = self._living.pop(container.id, None) or Living(container)
        self._begin(container.id, self._remove(living))

    def remove_once_made(self, making: asyncio.Task[DockerContainer]) -> None:
        """The same for one that the daemon may still be making."""
        self._begin(making, self._remove_made(making))

    def _begin(self, key: object, work: Coroutine[None, None, None]) -> None:
        if key in self._tasks:
            work.close()
            return
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _remove_made(self, making: asyncio.Task[DockerContainer]) -> None:
        with suppress(Exception):
            await self._remove(Living(await making))

    async def _remove(self, living: Living) -> None:
        while not await _is_removed(living.container):
            if self.closing:
                return
            await asyncio.sleep(AGAIN_SECONDS)
        await living.afterwards()

    async def aclose(self) -> None:
        """Remove all that is left."""
        self.closing = True
        for living in list(self._living.values()):
            living.let_go()
            self.remove(living.container)
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _is_removed(container: DockerContainer) -> bool:
    try:
        with answering("removing a container"):
            async with asyncio.timeout(ANSWER_SECONDS):
                await container.delete(force=True, v=True)
    except AbsentError:
        return True
    except EngineError as error:
        cause = error.__cause__
        return isinstance(cause, DockerError) and cause.status == _IN_PROGRESS
    return True
