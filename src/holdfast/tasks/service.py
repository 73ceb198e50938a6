"""All that a server has of tasks, put together and kept running."""

import math
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog

from holdfast.background import background
from holdfast.errors import StoreUnavailableError
from holdfast.store import Store
from holdfast.tasks.bells import Bells
from holdfast.tasks.callbacks import CallbackRules, Poster, Signer
from holdfast.tasks.checking import Checks
from holdfast.tasks.delivery import Backoff, Courier
from holdfast.tasks.events import QUEUE
from holdfast.tasks.files import TaskFiles
from holdfast.tasks.handling import TaskHandler
from holdfast.tasks.queue import Bounds, TaskQueue
from holdfast.tasks.registry import Registry
from holdfast.tasks.worker import Workers
from holdfast.telemetry import Metrics
from holdfast.types import TaskStatus

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """What the operator has chosen of tasks."""

    folder: Path
    workers: int
    bounds: Bounds
    max_timeout_seconds: float
    files_bytes: int
    rules: CallbackRules
    signer: Signer | None
    backoff: Backoff


class TaskService:
    """The queue of a server, its workers, the runners it knows, and what delivers their events; while `open`."""

    def __init__(self, store: Store, handlers: Mapping[str, TaskHandler], config: TaskConfig, metrics: Metrics) -> None:
        checks = Checks(handlers, config.max_timeout_seconds, config.rules, config.signer, self._waiting_for)
        self.handlers = handlers
        self._bells = Bells()
        self._store = store
        self._config = config
        self._metrics = metrics
        files = TaskFiles(config.folder, config.files_bytes)
        self.queue = TaskQueue(store, self._bells, files, checks, config.bounds, metrics)
        self.workers = Workers(self.queue, handlers, config.workers)
        self.runners = Registry(self.queue)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Take tasks and do them until the end of the block; the store must be open."""
        async with Poster(self._config.rules, self._config.signer) as poster, background() as group:
            group.start_soon(self.queue.events.run)
            await self.queue.recover()
            courier = Courier(self._store, self._bells, poster, self._config.backoff, self._metrics)
            group.start_soon(courier.run)
            group.start_soon(self._keep_house)
            async with self.workers.open():
                try:
                    yield
                finally:
                    self.drain()

    def drain(self) -> None:
        """Begin nothing any more."""
        self.queue.draining = True
        self._bells.ring(QUEUE)

    async def _keep_house(self) -> None:
        """Let go of what nobody does any more, forget what is old, and count."""
        pruned = -math.inf
        every = self._store.retention.every_hours * 3600
        while True:
            try:
                await self.queue.lose_overdue()
                await self._count()
                if time.monotonic() - pruned > every:
                    await self.queue.prune()
                    pruned = time.monotonic()
            except StoreUnavailableError:
                structlog.get_logger().error("the queue of tasks waits for the database")
            self.runners.sweep()
            await anyio.sleep(min(LOOK_SECONDS, self._config.bounds.lease_seconds / 3))

    async def _count(self) -> None:
        counts = await self._store.tasks.counts()
        queued = counts.get(TaskStatus.QUEUED, 0)
        self._metrics.tasks_queued.set(queued)
        self._metrics.tasks_running.set(sum(counts.values()) - queued)
        for state in ("idle", "busy", "stale"):
            self._metrics.runners.labels(state).set(self.runners.count(state))
        self._metrics.runners_wanted.set(queued + self.runners.count("busy"))

    def _waiting_for(self, kind: str, before: int) -> str:
        there = self.workers.count + self.runners.count("idle") + self.runners.count("busy")
        if not there:
            return f"a runner for tasks of type '{kind}': this server has no workers, and no runner is registered"
        busy = self.workers.busy + self.runners.count("busy")
        return f"a worker: {busy} of {there} are busy, and {before} tasks were asked for before this one"
