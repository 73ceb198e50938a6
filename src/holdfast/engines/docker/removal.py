"""The removal of containers, beside everything else: it takes longer than a run, and nobody waits for it."""

import asyncio
from collections.abc import Callable

from aiodocker import DockerError
from aiodocker.containers import DockerContainer

from holdfast.engines.docker.daemon import ANSWER_SECONDS, AbsentError, answering
from holdfast.errors import EngineError

AGAIN_SECONDS = 1.0
CLOSING_SECONDS = 20.0
_IN_PROGRESS = 409


class Removals:
    """Keeps at it while the daemon does not answer, until the engine is closed; `leftovers` finds what is left then."""

    def __init__(self) -> None:
        self.closing = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._living: dict[str, tuple[DockerContainer, Callable[[], None]]] = {}

    def expect(self, container: DockerContainer, let_go: Callable[[], None] = lambda: None) -> None:
        """This one is to be removed, at the latest when the engine closes; before that, `let_go` of it."""
        self._living[container.id] = (container, let_go)

    def remove(self, container: DockerContainer) -> None:
        """Begin to remove it; again and again without harm."""
        self._living.pop(container.id, None)
        if container.id not in self._tasks:
            task = self._tasks[container.id] = asyncio.create_task(self._remove(container))
            task.add_done_callback(lambda _: self._tasks.pop(container.id, None))

    async def _remove(self, container: DockerContainer) -> None:
        while not await _is_removed(container):
            if self.closing:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def aclose(self) -> None:
        """Remove all that is left."""
        self.closing = True
        for container, let_go in list(self._living.values()):
            let_go()
            self.remove(container)
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
