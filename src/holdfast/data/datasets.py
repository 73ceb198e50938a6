"""All datasets of a state directory: who may use which, how they come, and how they go.

A dataset belongs to the key that made it, unless it is shared. It is there completely or not at all.
"""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from holdfast.background import background
from holdfast.data.describing import dataset_of, described, schema_of, summary_of
from holdfast.data.ingest import Ingestion, ingest
from holdfast.data.registry import Catalogue, Entry
from holdfast.data.store import UNFINISHED, DatasetStore, Fresh, Record
from holdfast.data.upload import Upload
from holdfast.data.wanted import Source, checked_id, digest_of, id_of, is_id
from holdfast.errors import (
    ConfigurationError,
    EngineError,
    ForbiddenError,
    InvalidFieldError,
    NotFoundError,
    OverCeilingError,
    QueueFullError,
    RequestError,
    full_disk_is_ours,
)
from holdfast.execution import Executor
from holdfast.execution.names import shown
from holdfast.types import (
    Caller,
    Dataset,
    DatasetDeleted,
    Datasets,
    DatasetSchema,
    DatasetWish,
    IngestReport,
    Limits,
)

INGESTIONS_AT_ONCE, UPLOADS_AT_ONCE, MAX_WAITING = 2, 8, 8
SWEEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What ingestion gets, how much may be kept, and for how long after its last use."""

    limits: Limits
    upload_bytes: int
    total_bytes: int
    most: int
    max_age: timedelta | None = None


class DatasetLibrary:
    """The datasets of a state directory, and those of a registry. Within `open` it also cleans up by itself."""

    def __init__(self, executor: Executor, store: DatasetStore, allowance: Allowance, catalogue: Catalogue) -> None:
        self._executor = executor
        self._store = store
        self._allowance = allowance
        self._catalogue = catalogue
        self._turns = anyio.Semaphore(INGESTIONS_AT_ONCE)
        self._uploads = anyio.Semaphore(UPLOADS_AT_ONCE)
        self._catalogued = anyio.Lock()
        self._failed: set[str] = set()
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Remove from time to time what nothing names any more, such as what a killed server left."""
        async with background() as self._group:
            self._group.start_soon(self._keep_clean)
            try:
                yield
            finally:
                self._group = None

    async def _keep_clean(self) -> None:
        while True:
            with suppress(OSError):
                await self.clean_up()
            await anyio.sleep(SWEEP_SECONDS)

    async def list(self, caller: Caller) -> Datasets:
        """Those the caller may use. Raises what making those of the registry raises."""
        await self._read_catalogue()
        records = await run_sync(self._store.records)
        return Datasets(datasets=tuple(summary_of(record) for record in records if _may_use(caller, record)))

    async def get(self, dataset_id: str, caller: Caller) -> Dataset:
        """Raises NotFoundError, also for one that is not the caller's."""
        return (await self._find(dataset_id, caller)).dataset

    async def schema(self, dataset_id: str, caller: Caller) -> DatasetSchema:
        """What is in one, with its first rows. Raises NotFoundError."""
        return schema_of(await self._find(dataset_id, caller))

    async def report(self, dataset_id: str, caller: Caller) -> IngestReport:
        """How the files of one were read. Raises NotFoundError."""
        record = await self._find(dataset_id, caller)
        return IngestReport(dataset=record.dataset, files=record.files)

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Upload]:
        """A place for the files of a dataset to be, which is gone after the block. Raises QueueFullError."""
        if self._uploads.statistics().tasks_waiting >= MAX_WAITING:
            raise QueueFullError("Too many uploads wait already; try again later.", retry_after_seconds=30)
        async with self._uploads:
            with full_disk_is_ours(), self._store.fresh() as fresh:
                yield Upload(fresh, self._allowance.upload_bytes)

    async def add(self, upload: Upload, wish: DatasetWish, caller: Caller) -> IngestReport:
        """Make a dataset of what was received.

        Raises RequestError (IngestFailedError among them), QueueFullError, EngineError, StorageFullError.
        """
        files = await run_sync(upload.sources)
        if wish.shared and not caller.sees_all:
            raise ForbiddenError("Sharing a dataset with every key needs a key of scope 'admin'.")
        record = await self._wanted(wish, files, caller)
        return await self._made(record, upload.fresh, files, skip_rejected=wish.skip_rejected)

    async def _wanted(self, wish: DatasetWish, files: Sequence[Source], caller: Caller) -> Record:
        name = wish.name or files[0].table
        if wish.id is None:
            dataset_id, known = await self._free_id(id_of(name)), None
        else:
            dataset_id = checked_id(wish.id)
            known = await run_sync(self._store.get, dataset_id)
        if known is not None and (not _may_change(caller, known) or known.source):
            raise InvalidFieldError(f"The id {shown(dataset_id)} is taken; choose another.", field="id")
        if known is None:
            await self._check_count()
        dataset = Dataset(
            id=dataset_id,
            name=name,
            description=wish.description,
            digest=digest_of(files, skip_rejected=wish.skip_rejected),
            tables=(),
            relationships=wish.relationships,
            prompts=wish.prompts,
        )
        owner = caller.owner if known is None else known.owner
        return Record(dataset=dataset, files=(), owner=owner, shared=wish.shared, created=datetime.now(UTC))

    async def _free_id(self, wanted: str) -> str:
        taken = {record.dataset.id for record in await run_sync(self._store.records)}
        taken |= {entry.id for entry in await run_sync(self._catalogue.entries)}
        return wanted if wanted not in taken else f"{wanted}-{secrets.token_hex(4)}"

    async def _check_count(self) -> None:
        uploaded = [record for record in await run_sync(self._store.records) if not record.source]
        if len(uploaded) >= self._allowance.most:
            raise OverCeilingError(
                f"There are {len(uploaded)} datasets already, the most this server keeps; delete one, or raise "
                "HOLDFAST_DATASET_COUNT.",
                field="files",
            )

    async def _room(self, dataset_id: str) -> int:
        """How large a dataset may be. Raises OverCeilingError."""
        records = await run_sync(self._store.records)
        sizes = {
            record.dataset.digest: record.dataset.size_bytes for record in records if record.dataset.id != dataset_id
        }
        room = self._allowance.total_bytes - sum(sizes.values())
        if room <= 0:
            raise OverCeilingError(
                "The datasets fill all the room they may have; delete one, or raise HOLDFAST_DATASET_TOTAL.",
                field="files",
            )
        return room

    async def _made(self, wanted: Record, raw: Fresh, files: Sequence[Source], *, skip_rejected: bool) -> IngestReport:
        began = time.monotonic()
        dataset_id = wanted.dataset.id
        if self._turns.statistics().tasks_waiting >= MAX_WAITING:
            raise QueueFullError("Too many datasets wait to be read already; try again later.", retry_after_seconds=30)
        async with self._turns:
            work = Ingestion(raw, files, self._allowance.limits, await self._room(dataset_id), skip_rejected)
            with full_disk_is_ours(), self._store.fresh() as target:
                await ingest(self._executor, work, target)
                dataset = dataset_of(wanted.dataset, work.reports, work.size_bytes, wanted.created)
                record = wanted.model_copy(update={"dataset": dataset, "files": work.reports})
                before = await run_sync(self._publish, target, record)
        if before is not None and before.dataset.digest != dataset.digest:
            await self._retire(before.dataset.digest)
        return IngestReport(dataset=dataset, files=work.reports, seconds=round(time.monotonic() - began, 3))

    def _publish(self, target: Fresh, record: Record) -> Record | None:
        """What the id meant before. Raises InvalidFieldError when somebody else has taken it meanwhile."""
        with self._store.alone():
            before = self._store.get(record.dataset.id)
            if before is not None and (before.owner, bool(before.source)) != (record.owner, bool(record.source)):
                raise InvalidFieldError(f"The id {shown(record.dataset.id)} is taken; choose another.", field="id")
            self._store.publish(target, record)
            return before

    async def delete(self, dataset_id: str, caller: Caller) -> DatasetDeleted:
        """Forget a dataset; its file goes when no run uses it. Raises NotFoundError, ForbiddenError."""
        record = await self._find(dataset_id, caller)
        if record.source:
            raise ForbiddenError("A dataset of the registry goes when the registry does not name it any more.")
        if not _may_change(caller, record):
            raise ForbiddenError("Deleting a shared dataset needs the key that made it, or one of scope 'admin'.")
        await run_sync(self._store.remove, dataset_id)
        await self._retire(record.dataset.digest)
        return DatasetDeleted(id=dataset_id)

    async def _retire(self, digest: str) -> None:
        """Have a file removed when the last run that uses it is over."""
        if self._group is None:
            await self._take_away(digest)
        else:
            self._group.start_soon(self._take_away, digest)

    async def _take_away(self, digest: str) -> None:
        if not await run_sync(self._store.is_named, digest):
            await self._executor.engine.forget(digest)
            await run_sync(self._sweep, (digest,))

    async def clean_up(self) -> None:
        """Remove what nobody has used for too long, and everything that no record names and nobody uses."""
        if self._allowance.max_age is not None:
            await run_sync(self._store.expire, self._allowance.max_age)
        unnamed = await run_sync(self._store.unnamed)
        for name in unnamed:
            # What is being made is locked, and sandboxes read it.
            if not name.startswith(UNFINISHED) and not await run_sync(self._store.is_named, name):
                await self._executor.engine.forget(name)
        await run_sync(self._sweep, unnamed)

    def _sweep(self, names: Sequence[str]) -> None:
        with self._store.alone():
            self._store.sweep(names)

    async def _find(self, dataset_id: str, caller: Caller) -> Record:
        record = None
        if is_id(dataset_id):
            try:
                record, fresh = await run_sync(self._known, dataset_id)
            except ConfigurationError as error:
                raise EngineError(error.detail) from None
            if not fresh:
                await self._read_catalogue(dataset_id)
                record = await run_sync(self._store.get, dataset_id)
        if record is None or not _may_use(caller, record):
            raise NotFoundError(f"There is no dataset {shown(dataset_id)}.", field="dataset_id")
        return record

    def _known(self, dataset_id: str) -> tuple[Record | None, bool]:
        """The record of an id, and whether the registry, as it is now, has nothing new to say of it."""
        record = self._store.get(dataset_id)
        if record is not None and not record.source:
            self._store.used(dataset_id)
        entry = next((entry for entry in self._catalogue.entries() if entry.id == dataset_id), None)
        if entry is None:
            return record, record is None or not record.source
        return record, record is not None and record.source == self._signature(entry)

    def _signature(self, entry: Entry) -> str | None:
        try:
            return self._catalogue.signature(entry)
        except (ConfigurationError, OSError):
            return None

    async def _read_catalogue(self, only: str | None = None) -> None:
        """Have the datasets of the registry, as it is now: those that are new or have changed are made."""
        try:
            entries = await run_sync(self._catalogue.entries)
        except ConfigurationError as error:
            raise EngineError(error.detail) from None
        for entry in entries:
            if only in (None, entry.id):
                async with self._catalogued:
                    await self._have(entry)
        gone = await run_sync(self._store.sourced_besides, {entry.id for entry in entries})
        for record in gone:
            await run_sync(self._store.remove, record.dataset.id)
            await self._retire(record.dataset.digest)

    async def _have(self, entry: Entry) -> None:
        known = await run_sync(self._store.get, entry.id)
        try:
            signature = await run_sync(self._catalogue.signature, entry)
            if signature in self._failed or (known is not None and known.source == signature):
                return
            with full_disk_is_ours(), self._store.fresh() as raw:
                files = await run_sync(self._catalogue.fill, entry, raw)
                await self._made(_catalogued(entry, files, signature), raw, files, skip_rejected=False)
        except (RequestError, ConfigurationError, OSError) as error:
            if isinstance(error, RequestError):
                self._failed.add(signature)
            structlog.get_logger().warning("a dataset of the registry is not used", id=entry.id, reason=str(error))


def _catalogued(entry: Entry, files: Sequence[Source], signature: str) -> Record:
    dataset = Dataset(
        id=entry.id,
        name=entry.name,
        description=entry.description,
        digest=digest_of(files, skip_rejected=False),
        tables=described(entry, files),
        relationships=entry.linked(),
        prompts=entry.prompts,
    )
    return Record(dataset=dataset, files=(), owner=None, shared=True, created=datetime.now(UTC), source=signature)


def _may_use(caller: Caller, record: Record) -> bool:
    return record.shared or _may_change(caller, record)


def _may_change(caller: Caller, record: Record) -> bool:
    return caller.sees_all or (record.owner is not None and record.owner == caller.owner)
