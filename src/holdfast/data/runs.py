"""Data runs: a plan, SQL or Python, asked of a dataset in a fresh cell. Each leaves a capsule, and can be replayed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync

from holdfast.background import together
from holdfast.data import capsules, replay
from holdfast.data.datasets import DatasetLibrary
from holdfast.data.query import DataQuery, execute
from holdfast.data.understanding import Asked, Understanding, Understood
from holdfast.errors import NotFoundError
from holdfast.execution import Executor, origin, recorded_elsewhere
from holdfast.store import Store
from holdfast.types import Caller, Capsule, CapsuleStatus, DataRunRequest, Denial, Replay, RunRecord, RunRecords

_UNKNOWN = "There is no such data run; GET /runs?kind=data lists those there are."


@dataclass
class _Live:
    """A run of this very process."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    status: CapsuleStatus = CapsuleStatus.QUEUED
    is_kept: bool = False
    """Whether the store knows it."""


OnBegin = Callable[[Capsule], Awaitable[None]]


class DataRuns:
    """Runs over data, and what stays of them."""

    def __init__(
        self, executor: Executor, store: Store, datasets: DatasetLibrary, understanding: Understanding
    ) -> None:
        self._executor = executor
        self._store = store
        self._datasets = datasets
        self._understanding = understanding
        self._live: dict[str, _Live] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """For the length of the block, questions are understood."""
        async with self._understanding.open():
            yield

    async def run(
        self,
        request: DataRunRequest,
        caller: Caller,
        replay_of: str | None = None,
        on_begin: OnBegin | None = None,
    ) -> Capsule:
        """Run to the end; whatever the query does is said by the capsule. Whoever is cancelled ends it.

        `on_begin` is told the capsule when the query is understood, and before it is run.

        Raises NotFoundError, InvalidFieldError, QueueFullError, EngineError, StoreUnavailableError, ShuttingDownError.
        """
        dataset = await self._datasets.get(request.dataset_id, caller)
        self._executor.admission.check()
        asked = self._understanding.read(request, dataset)
        capsule = capsules.begun(asked, request, origin().key, replay_of)
        return await self._perform(capsule, asked, caller.owner, on_begin)

    async def find(self, run_id: str, caller: Caller) -> Capsule | None:
        """What is known of a run by now; `None` when it is no data run, or not the caller's."""
        # Looked at before: a run that is not here any more has its end in the store.
        live = self._live.get(run_id)
        capsule = await self._store.capsule(run_id, caller)
        if capsule is None or live is None or capsule.ended_at is not None:
            return capsule
        return capsule.model_copy(update={"status": live.status})

    def by_now(self, records: RunRecords) -> RunRecords:
        """The same runs, each of this process as it is at the moment: the store knows how they began, and ended."""
        runs = tuple(self._by_now(record) for record in records.runs)
        return records.model_copy(update={"runs": runs})

    def _by_now(self, record: RunRecord) -> RunRecord:
        live = self._live.get(record.run_id)
        if live is None or record.status is not CapsuleStatus.QUEUED:
            return record
        return record.model_copy(update={"status": live.status})

    async def get(self, run_id: str, caller: Caller) -> Capsule:
        """Raises NotFoundError."""
        capsule = await self.find(run_id, caller)
        if capsule is None:
            raise NotFoundError(_UNKNOWN)
        return capsule

    async def cancel(self, run_id: str, caller: Caller) -> Capsule:
        """End a run, if it has not ended yet; the capsule says which it was. Raises NotFoundError."""
        capsule = await self.get(run_id, caller)
        live = self._live.get(run_id)
        if live is None:
            return capsule
        live.scope.cancel()
        await live.over.wait()
        return await self.get(run_id, caller)

    async def forget(self, run_id: str, caller: Caller) -> None:
        """Forget a run of any kind; a data run that goes on is ended first. Raises NotFoundError."""
        if run_id in self._live:
            await self.cancel(run_id, caller)
        await self._store.forget_run(run_id, caller)

    async def replay(self, run_id: str, caller: Caller) -> Replay:
        """Run it again and compare. Raises NotFoundError, also when the dataset is gone, and what `run` raises."""
        before = await self.get(run_id, caller)
        after = await self.run(capsules.asked_again(before), caller, replay_of=run_id)
        return await run_sync(replay.compare, before, after)

    async def _perform(self, capsule: Capsule, asked: Asked, owner: str | None, on_begin: OnBegin | None) -> Capsule:
        live = self._live[capsule.run_id] = _Live()
        ended = None
        try:
            with live.scope:
                understood = await self._understood(live, capsule, asked, owner)
                if isinstance(understood, Denial):
                    ended = capsules.rejected(capsule, understood)
                else:
                    capsule = capsule.model_copy(update={"notes": understood.notes})
                    if on_begin is not None:
                        await on_begin(capsule)
                    ended = await self._answered(live, capsule, understood.query)
        except Exception as failure:
            ended = capsules.broken(capsule, failure)
            raise
        finally:
            ended = ended or capsules.cancelled(capsule)
            with anyio.CancelScope(shield=True):
                try:
                    if live.is_kept:
                        await self._store.end(ended)
                finally:
                    del self._live[capsule.run_id]
                    live.over.set()
        return ended

    async def _understood(self, live: _Live, capsule: Capsule, asked: Asked, owner: str | None) -> Understood | Denial:
        """What it means, found while its capsule is written; nothing of it runs before both are done."""

        async def keep() -> None:
            await self._store.begin(capsule, owner)
            live.is_kept = True

        _, understood = await together(keep, lambda: self._understanding.judge(asked))
        return understood

    async def _answered(self, live: _Live, capsule: Capsule, query: DataQuery) -> Capsule:
        with recorded_elsewhere():
            async with self._executor.admission.place_for_all():
                live.status = CapsuleStatus.RUNNING
                return capsules.answered(capsule, await execute(self._executor, query))
