"""The real runner around the engine without isolation: `python live_runner.py`, told by its environment."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from holdfast.app import assemble
from holdfast.runner import main
from holdfast.settings import Settings
from holdfast.tasks import TaskHandler
from holdfast.telemetry import Metrics
from holdfast.testing.tasks import small_handlers
from holdfast.testing.unisolated import UnisolatedEngine


@asynccontextmanager
async def small(settings: Settings) -> AsyncIterator[Mapping[str, TaskHandler]]:
    async with aclosing(UnisolatedEngine()) as engine:
        yield assemble(settings, engine, {"bash": "5"}, Metrics(), small_handlers).tasks.handlers


if __name__ == "__main__":
    sys.exit(main(small))
