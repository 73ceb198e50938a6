"""Prebuilt environments: a language with what a setup script added, made once and shown read-only to runs.

A prebuild is a layer of files. It is made in a sandbox, published at once or not at all, and never changed; building a
tag again makes another layer, and the old one stays until its last run is over.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from holdfast.background import background
from holdfast.engines import NEW_LAYER, SandboxSpec
from holdfast.errors import (
    ForbiddenError,
    InvalidFieldError,
    NotFoundError,
    OverCeilingError,
    QueueFullError,
    RuntimeNotAvailableError,
    UnsupportedError,
    full_disk_is_ours,
)
from holdfast.execution import Executor
from holdfast.execution.names import shown
from holdfast.languages import LANGUAGES, SEED_PREFIX, find_language
from holdfast.prebuilds.building import Build, Unpack, perform
from holdfast.prebuilds.recipe import command
from holdfast.prebuilds.store import Fresh, PrebuildStore, Record
from holdfast.prebuilds.wanted import Wanted, checked, checked_spec, new_tag, this_python
from holdfast.types import (
    PREBUILT_PREFIX,
    BuiltEvent,
    Caller,
    Event,
    Limits,
    Network,
    Prebuild,
    PrebuildDeleted,
    PrebuildRequest,
    Prebuilds,
    PrebuildSpec,
    PrebuildsRemoved,
    RunRequest,
)

__all__ = ["Allowance", "PrebuildStore", "Prebuilder"]

R = TypeVar("R", bound=RunRequest)

MAX_WAITING = 8
BUILDS_AT_ONCE = 2
SWEEP_SECONDS = 300.0
LOCK_POLL_SECONDS = 0.1
LEAVING_POLL_SECONDS = 0.05
_NO_NETWORK = " The build had no network; the operator gives builds one with HOLDFAST_PREBUILD_NETWORK=on."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What builds get, and how much may be kept. `networked` is the environment of builds that may have a network."""

    limits: Limits
    layer_bytes: int
    total_bytes: int
    most: int
    max_age: timedelta | None = None
    interval: timedelta = timedelta(hours=24)
    networked: Mapping[str, str] | None = None
    certificates: bytes | None = None


class Prebuilder:
    """All prebuilt environments of a state directory. Within `open` it also cleans up by itself."""

    def __init__(self, executor: Executor, store: PrebuildStore, allowance: Allowance, unpack: Unpack) -> None:
        self._executor = executor
        self._store = store
        self._allowance = allowance
        self._unpack = unpack
        self._turns = anyio.Semaphore(BUILDS_AT_ONCE)
        self._group: TaskGroup | None = None
        self._in_use: Counter[str] = Counter()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Remove what a killed server left, and from time to time what nobody has used for long."""
        async with background() as self._group:
            self._group.start_soon(self._every, timedelta(seconds=SWEEP_SECONDS), self._sweep)
            self._group.start_soon(self._every, self._allowance.interval, self._remove_old)
            try:
                yield
            finally:
                self._group = None

    async def _every(self, interval: timedelta, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await work()
            except OSError as error:
                structlog.get_logger().warning("prebuilt environments could not be cleaned up", reason=error.strerror)
            await anyio.sleep(interval.total_seconds())

    async def _sweep(self) -> None:
        await run_sync(self._store.sweep)

    async def _remove_old(self) -> None:
        if self._allowance.max_age is not None:
            await self._remove_unused(self._allowance.max_age)

    async def build(self, request: PrebuildRequest, caller: Caller) -> Prebuild:
        """Make a prebuilt environment, in place of one that has the tag. Raises what `stream` raises."""
        async with aclosing(self.stream(request, caller)) as events:
            async for event in events:
                if isinstance(event, BuiltEvent):
                    return event.prebuild
        raise AssertionError("a build ends with what was built")

    async def stream(self, request: PrebuildRequest, caller: Caller) -> AsyncGenerator[Event | BuiltEvent, None]:
        """The same as events, of which `BuiltEvent` is the last. Closing the generator ends the build.

        Raises RequestError (BuildFailedError among them), QueueFullError, EngineError, StorageFullError.
        """
        wanted = checked(request, self._executor.check_ready)
        if wanted.allow_network and self._allowance.networked is None:
            raise UnsupportedError(
                "Builds have no network on this server; the operator gives them one with HOLDFAST_PREBUILD_NETWORK=on.",
                field="allow_network",
            )
        _check_admin(caller)
        async with aclosing(self._build(wanted, caller)) as events:
            async for event in events:
                yield event

    async def _build(
        self, wanted: Wanted, caller: Caller, *, only_if_missing: bool = False
    ) -> AsyncGenerator[Event | BuiltEvent, None]:
        async with self._turn(wanted.tag):
            known = self._store.get(wanted.tag)
            if known is not None and only_if_missing:
                return
            with self._counted(), full_disk_is_ours(), self._store.fresh() as fresh:
                build = self._prepared(wanted, known, fresh)
                seq = 0
                async with aclosing(perform(self._executor, build)) as events:
                    async for event in events:
                        seq = event.seq
                        yield event
                record = _record(wanted, caller, fresh.name, build.size_bytes)
                await run_sync(self._store.publish, fresh, record)
            if known is not None:
                await self._retire(known.layer)
        yield BuiltEvent(seq=seq + 1, prebuild=self._store.seen(record))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        ready = False
        try:
            yield
            ready = True
        finally:
            self._executor.metrics.builds.labels("yes" if ready else "no").inc()

    @asynccontextmanager
    async def _turn(self, tag: str) -> AsyncIterator[None]:
        """Be the only builder of a tag, in any process, and one of a few in this one. Raises QueueFullError."""
        if self._turns.statistics().tasks_waiting >= MAX_WAITING:
            raise QueueFullError("Too many builds wait already; try again later.", retry_after_seconds=30)
        async with self._turns:
            with full_disk_is_ours():
                while (lock := self._store.try_lock(tag)) is None:  # noqa: ASYNC110  # another process may hold it
                    await anyio.sleep(LOCK_POLL_SECONDS)
            try:
                yield
            finally:
                os.close(lock)

    def _prepared(self, wanted: Wanted, known: Record | None, fresh: Fresh) -> Build:
        """Raises OverCeilingError when there is no room."""
        allowance = self._allowance
        others = [record for record in self._store.records() if known is None or record.tag != known.tag]
        if len(others) >= allowance.most:
            raise OverCeilingError(
                f"There are {len(others)} prebuilt environments already, the most this server keeps; "
                "delete one, or raise HOLDFAST_PREBUILD_COUNT.",
                field="tag",
            )
        room = min(allowance.layer_bytes, allowance.total_bytes - sum(record.size_bytes for record in others))
        if room <= 0:
            raise OverCeilingError(
                "The prebuilt environments fill all the room they may have; delete one, or raise "
                "HOLDFAST_PREBUILD_TOTAL.",
                field="tag",
            )
        networked = None if wanted.allow_network is False else allowance.networked
        setup = command(
            wanted.base,
            wanted.script,
            wanted.files,
            networked=networked,
            certificates=allowance.certificates,
            wall_seconds=allowance.limits.wall_seconds,
        )
        network = Network.NONE if networked is None else Network.FULL
        spec = SandboxSpec(wanted.base, allowance.limits, network, layer=NEW_LAYER, once=True)
        hint = _NO_NETWORK if allowance.networked is None else ""
        return Build(spec, setup, fresh.directory, room, self._unpack, hint)

    def list(self, caller: Caller) -> Prebuilds:
        """Those the caller may use."""
        records = [record for record in self._store.records() if _may_use(caller, record)]
        return Prebuilds(prebuilds=tuple(map(self._store.seen, records)))

    def get(self, tag: str, caller: Caller) -> Prebuild:
        """Raises NotFoundError, also for one that is not the caller's."""
        return self._store.seen(self._find(tag, caller))

    async def delete(self, tag: str, caller: Caller) -> PrebuildDeleted:
        """Forget a prebuilt environment; its files go when no run uses them. Raises NotFoundError, ForbiddenError."""
        record = self._find(tag, caller)
        if record.owner is None or record.owner != caller.owner:
            _check_admin(caller)
        await self._remove(record)
        return PrebuildDeleted(tag=PREBUILT_PREFIX + record.tag)

    async def clean_up(self, max_age_days: float, caller: Caller) -> PrebuildsRemoved:
        """Delete what has not been used for so long. Raises InvalidFieldError, ForbiddenError."""
        _check_admin(caller)
        if not 0 <= max_age_days <= 36_500:
            raise InvalidFieldError("'max_age_days' must be between 0 and 36500.", field="max_age_days")
        return await self._remove_unused(timedelta(days=max_age_days))

    async def _remove_unused(self, max_age: timedelta) -> PrebuildsRemoved:
        unused = await run_sync(self._store.unused, max_age)
        for record in unused:
            await self._remove(record)
        return PrebuildsRemoved(removed=tuple(PREBUILT_PREFIX + record.tag for record in unused), count=len(unused))

    async def _remove(self, record: Record) -> None:
        await run_sync(self._store.remove, record.tag)
        await self._retire(record.layer)

    async def _retire(self, layer: str) -> None:
        """Have the files of a layer removed when the last run that uses them is over."""
        if self._group is None:
            await self._take_away(layer)
        else:
            self._group.start_soon(self._take_away, layer)

    async def _take_away(self, layer: str) -> None:
        while self._in_use[layer]:  # noqa: ASYNC110  # runs come and go
            await anyio.sleep(LEAVING_POLL_SECONDS)
        del self._in_use[layer]
        await self._executor.engine.forget(layer)
        await self._sweep()

    @asynccontextmanager
    async def using(self, request: R, caller: Caller) -> AsyncIterator[R]:
        """The request with what its image means: a language and, for a prebuilt environment, its layer.

        With a `prebuild_spec`, one that is missing is built first. What it uses stays until the end of the block.
        Raises what `stream` raises.
        """
        placed = await self._resolved(request, caller)
        with self.holding(placed.layer):
            yield placed

    @contextmanager
    def holding(self, layer: str) -> Iterator[None]:
        """Keep the files of a layer, if it is one, until the end of the block. Raises NotFoundError."""
        if not layer:
            yield
            return
        hold = self._store.hold(layer)
        if hold is None:
            raise NotFoundError("That prebuilt environment was deleted just now.", field="image")
        self._in_use[layer] += 1
        try:
            yield
        finally:
            self._in_use[layer] -= 1
            os.close(hold)

    async def _resolved(self, request: R, caller: Caller) -> R:
        is_language = request.image.removeprefix(SEED_PREFIX) in LANGUAGES
        if request.prebuild_spec is not None:
            tag = self._spec_tag(request, request.prebuild_spec) if is_language else new_tag(request.image)
            return self._placed(request, await self._ensured(tag, request.prebuild_spec, caller))
        if is_language:
            return request
        record = self._known(request.image, caller)
        # The engine's own refusal names the languages there are.
        return request if record is None else self._placed(request, record)

    def _spec_tag(self, request: RunRequest, spec: PrebuildSpec) -> str:
        """What an environment without a name is called: by what it is made of."""
        base, script = checked_spec(spec, self._executor.check_ready)
        if "image" in request.model_fields_set and find_language(request.image).name != base:
            raise InvalidFieldError(
                f"'image' is {shown(request.image)}, but the base image of 'prebuild_spec' is {shown(base)}.",
                field="image",
            )
        return "spec-" + hashlib.sha256(json.dumps([base, script]).encode()).hexdigest()[:32]

    async def _ensured(self, tag: str, spec: PrebuildSpec, caller: Caller) -> Record:
        record = self._store.get(tag)
        if record is None or not _may_use(caller, record):
            _check_admin(caller)
            base, script = checked_spec(spec, self._executor.check_ready)
            async with aclosing(self._build(Wanted(tag, base, script), caller, only_if_missing=True)) as events:
                async for _ in events:
                    continue
            record = self._store.get(tag)
        if record is None:
            raise NotFoundError("That prebuilt environment was deleted just now.", field="image")
        return record

    def _placed(self, request: R, record: Record) -> R:
        if record.python != this_python():
            raise RuntimeNotAvailableError(
                f"The prebuilt environment '{record.tag}' was made for Python {record.python}, and this server has "
                f"{this_python()}; build it again.",
                field="image",
            )
        self._store.touch(record)
        return request.in_layer(record.base_image, record.layer, record.tag)

    def _find(self, tag: str, caller: Caller) -> Record:
        record = self._known(tag, caller)
        if record is None:
            raise NotFoundError(f"There is no prebuilt environment {shown(tag)}.", field="tag")
        return record

    def _known(self, name: str, caller: Caller) -> Record | None:
        record = self._store.find(name)
        return record if record is not None and _may_use(caller, record) else None


def _may_use(caller: Caller, record: Record) -> bool:
    return caller.sees_all or record.shared or (record.owner is not None and record.owner == caller.owner)


def _check_admin(caller: Caller) -> None:
    if not caller.sees_all:
        raise ForbiddenError("Making or removing prebuilt environments needs a key of scope 'admin'.")


def _record(wanted: Wanted, caller: Caller, layer: str, size_bytes: int) -> Record:
    return Record(
        tag=wanted.tag,
        base_image=wanted.base,
        owner=caller.owner,
        shared=wanted.shared,
        layer=layer,
        size_bytes=size_bytes,
        script_sha256=wanted.digest,
        created=datetime.now(UTC),
        python=this_python(),
    )
