"""Datasets on disk: a record for each id, and the directories that records name by their digest.

Several processes may use what is here at once, a server and the command line. A directory is shown to programs, so
nothing else is in it. A dataset is registered by its record, which is replaced at once; a directory goes when no record
names it and nobody holds a lock on it.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from holdfast import locks
from holdfast.errors import QueueFullError
from holdfast.types import Dataset, FileReport, Frozen

DATABASE = "data.duckdb"
"""The one file of a dataset."""

_RECORD, _USED = ".json", ".used"
NOTED_SECONDS = 3600.0
"""How exactly it is known when a dataset was used last."""

UNFINISHED = "new"
"""How the name of a directory begins that is not registered yet: no digest does, but a sandbox can be given it."""

_ID_BYTES = 12


class Record(Frozen):
    """What is kept about a dataset. `source` says what it was read from, for one that is not uploaded."""

    dataset: Dataset
    files: tuple[FileReport, ...]
    owner: str | None
    shared: bool
    created: datetime
    source: str = ""


class DatasetStore:
    """The datasets of a state directory. Its methods block for as long as the disk takes."""

    def __init__(self, state_dir: Path) -> None:
        self._records = state_dir / "dataset-records"
        self.directories = state_dir / "datasets"
        self._read: dict[str, tuple[tuple[int, int, int], Record]] = {}

    def records(self) -> list[Record]:
        """All of them, by id."""
        found = [self.get(path.name.removesuffix(_RECORD)) for path in sorted(self._records.glob(f"*{_RECORD}"))]
        return [record for record in found if record is not None]

    def get(self, dataset_id: str) -> Record | None:
        """The record of an id; a damaged one is none. It is read again only when its file is another."""
        path = self._records / f"{dataset_id}{_RECORD}"
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._read.get(dataset_id)
            if known is None or known[0] != stamp:
                known = self._read[dataset_id] = stamp, Record.model_validate_json(path.read_bytes())
        except (OSError, ValidationError, ValueError):
            self._read.pop(dataset_id, None)
            return None
        return known[1]

    def has(self, digest: str) -> bool:
        """Whether there is a dataset with this content."""
        return (self.directories / digest / DATABASE).is_file()

    def size(self, digest: str) -> int:
        """How large its file is."""
        return (self.directories / digest / DATABASE).stat().st_size

    @contextmanager
    def fresh(self) -> Iterator["Fresh"]:
        """A new empty directory, which is removed again unless it is published within the block."""
        self.directories.mkdir(parents=True, exist_ok=True)
        # Whatever the umask: the first of a cell looks in here with ids that own nothing.
        self.directories.chmod(0o755)
        fresh = Fresh(self.directories)
        try:
            yield fresh
        finally:
            fresh.close()

    def publish(self, fresh: "Fresh | None", record: Record) -> None:
        """Let an id mean this dataset, at once and for everybody. Without `fresh` its content is there already."""
        if fresh is not None:
            fresh.finish(record.dataset.digest)
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._records / f".{secrets.token_hex(_ID_BYTES)}"
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(record.model_dump_json().encode())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._records / f"{record.dataset.id}{_RECORD}")
        finally:
            unfinished.unlink(missing_ok=True)

    def remove(self, dataset_id: str) -> None:
        """Forget an id; its directory stays until `sweep`."""
        for ending in (_RECORD, _USED):
            (self._records / f"{dataset_id}{ending}").unlink(missing_ok=True)

    def used(self, dataset_id: str) -> None:
        """Take note that somebody asks for it now."""
        path = self._records / f"{dataset_id}{_USED}"
        with suppress(OSError):
            if not path.exists() or datetime.now(UTC).timestamp() - path.stat().st_mtime > NOTED_SECONDS:
                path.touch(mode=0o600)

    def expire(self, max_age: timedelta) -> list[Record]:
        """Forget those uploaded that nobody has used for so long; which those were."""
        now = datetime.now(UTC)
        old = [record for record in self.records() if not record.source and now - self._last_use(record) > max_age]
        for record in old:
            self.remove(record.dataset.id)
        return old

    def _last_use(self, record: Record) -> datetime:
        try:
            noted = (self._records / f"{record.dataset.id}{_USED}").stat().st_mtime
        except OSError:
            return record.created
        return max(record.created, datetime.fromtimestamp(noted, UTC))

    def is_named(self, digest: str) -> bool:
        """Whether a record means this content."""
        return any(record.dataset.digest == digest for record in self.records())

    def sourced_besides(self, ids: set[str]) -> list[Record]:
        """Those that were read from a registry, and have none of these ids."""
        return [record for record in self.records() if record.source and record.dataset.id not in ids]

    def unnamed(self) -> list[str]:
        """The directories that no record names, finished or not."""
        named = {record.dataset.digest for record in self.records()}
        with suppress(FileNotFoundError):
            return [entry for entry in os.listdir(self.directories) if entry not in named]
        return []

    def sweep(self, names: Iterable[str]) -> None:
        """Remove those of these directories that no record names and nobody holds."""
        for name in names:
            locks.remove_if_free(self.directories / name, self.is_named)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one, in any process, who publishes or sweeps."""
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._records / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class Fresh:
    """A directory that is being filled, locked all the while. What programs read in it, everybody may read."""

    def __init__(self, directories: Path) -> None:
        self._directories = directories
        self.name = UNFINISHED + secrets.token_hex(_ID_BYTES)
        self.path = directories / self.name
        self._lock = locks.make(self.path)

    def create(self, name: str) -> int:
        """The descriptor of a new file."""
        fd = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o444)
        os.fchmod(fd, 0o444)
        return fd

    def finish(self, digest: str) -> None:
        """Give it its name, unless there is one with this content already."""
        os.fsync(self._lock)
        with suppress(OSError):
            self.path.rename(self._directories / digest)
        if not (self._directories / digest / DATABASE).is_file():
            raise QueueFullError("The dataset was removed while it was made; try again.")

    def close(self) -> None:
        """Let go of it; what was not finished is removed."""
        if self.path.exists():
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
