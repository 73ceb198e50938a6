"""Prebuilt environments on disk: a record for each tag, and the layers that the records name.

What is here may be used by several processes at once, a server and the command line. A layer is published by its record
and goes when no record names it and nobody holds a lock on its directory; a builder holds one until it has published.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from holdfast import locks
from holdfast.prebuilds.wanted import is_tag
from holdfast.types import PREBUILT_PREFIX, Frozen, Prebuild

_RECORD, _USED = ".json", ".used"
_UNFINISHED = ".new-"
_ID_BYTES = 12
_USED_SECONDS = 1.0


class Record(Frozen):
    """What is kept about a prebuilt environment. `python` is the version whose packages its layer can have."""

    tag: str
    base_image: str
    owner: str | None
    shared: bool
    layer: str
    size_bytes: int
    script_sha256: str
    created: datetime
    python: str


class PrebuildStore:
    """The prebuilt environments of a state directory. Its methods block for as long as the disk takes."""

    def __init__(self, root: Path) -> None:
        self._records = root / "records"
        self._locks = root / "locks"
        self.layers = root / "layers"

    def records(self) -> list[Record]:
        """All of them, by tag."""
        found = [self.get(path.name.removesuffix(_RECORD)) for path in sorted(self._records.glob(f"*{_RECORD}"))]
        return [record for record in found if record is not None]

    def get(self, tag: str) -> Record | None:
        """The record of a tag; a damaged one is none."""
        try:
            return Record.model_validate_json((self._records / f"{tag}{_RECORD}").read_bytes())
        except (OSError, ValidationError):
            return None

    def find(self, image: str) -> Record | None:
        """The record that the `image` of a run names: its tag, or that with the prefix of prebuilt environments."""
        tag = image.removeprefix(PREBUILT_PREFIX)
        return self.get(tag) if is_tag(tag) else None

    def seen(self, record: Record) -> Prebuild:
        """A record, as it is told."""
        return Prebuild(
            tag=PREBUILT_PREFIX + record.tag,
            base_image=record.base_image,
            size_bytes=record.size_bytes,
            layer_size_bytes=record.size_bytes,
            created=record.created,
            last_used=self.last_used(record),
            script_sha256=record.script_sha256,
            shared=record.shared,
            labels={"base_image": record.base_image},
        )

    def last_used(self, record: Record) -> datetime:
        """When a run last began in it, or it was built."""
        with suppress(OSError):
            used = (self._records / f"{record.tag}{_USED}").stat().st_mtime
            return max(record.created, datetime.fromtimestamp(used, UTC))
        return record.created

    def unused(self, max_age: timedelta) -> list[Record]:
        """Those that were last used so long ago, or longer."""
        since = datetime.now(UTC) - max_age
        return [record for record in self.records() if self.last_used(record) <= since]

    def touch(self, record: Record) -> None:
        """Note that it is used now."""
        with suppress(OSError):
            if (datetime.now(UTC) - self.last_used(record)).total_seconds() > _USED_SECONDS:
                (self._records / f"{record.tag}{_USED}").touch()

    def remove(self, tag: str) -> None:
        """Forget a tag; its layer stays until `sweep`."""
        (self._records / f"{tag}{_RECORD}").unlink(missing_ok=True)
        (self._records / f"{tag}{_USED}").unlink(missing_ok=True)

    @contextmanager
    def fresh(self) -> Iterator["Fresh"]:
        """A new empty layer, which is removed again unless it is published within the block."""
        self.layers.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = Fresh(self.layers, secrets.token_hex(_ID_BYTES))
        try:
            yield fresh
        finally:
            fresh.close()

    def publish(self, fresh: "Fresh", record: Record) -> None:
        """Let a finished layer be what its tag means, at once and for everybody."""
        fresh.finish()
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._records / f"{record.tag}{_RECORD}"
        unfinished = self._records / f"{_UNFINISHED}{record.layer}"
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(record.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def sweep(self) -> None:
        """Remove every layer that no record names and nobody holds, and what builds that were killed have left."""
        for path in self._records.glob(f"{_UNFINISHED}*"):
            if not locks.is_claimed(self.layers / path.name.removeprefix(_UNFINISHED)):
                path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            for entry in os.listdir(self.layers):
                locks.remove_if_free(self.layers / entry, self._is_named)

    def _is_named(self, layer: str) -> bool:
        return any(record.layer == layer for record in self.records())

    def hold(self, layer: str) -> int | None:
        """A descriptor that keeps a layer from being removed until it is closed, also by others; None if it is gone."""
        return locks.hold(self.layers / layer)

    def try_lock(self, tag: str) -> int | None:
        """A descriptor that makes the caller the only builder of a tag until it is closed; None if there is one."""
        self._locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        return locks.claim(self._locks / tag)


class Fresh:
    """A layer that is being made. Its directory is locked all the while."""

    def __init__(self, layers: Path, name: str) -> None:
        self.name = name
        self._place = layers / name
        self.directory = layers / f"{_UNFINISHED}{name}"
        self._lock = locks.make(self.directory)

    def finish(self) -> None:
        """Give it its name. It is published by a record, not by this."""
        os.fsync(self._lock)
        self.directory.rename(self._place)

    def close(self) -> None:
        """Let go of it; what was not finished is removed."""
        if self.directory.exists():
            shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)
