"""What is kept of sessions outside their cells: a record each, and the files of their workspaces as last seen.

A session has a folder of ours with `record.json` and one file per content, named by its SHA-256. Names that a program
chose are only ever text inside the record. All of it is small, and done in a thread.
"""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from holdfast.errors import NotFoundError, full_disk_is_ours
from holdfast.types import Frozen, Session

RECORD = "record.json"
SESSION_ID = re.compile(r"ses-[0-9a-f]{32}")
MAX_LOST = 1_000
MAX_LOST_OF_A_KEY = 200
SHARES = 4
"""One key may fill this part of the store, so that it never crowds out what others have lost."""

BLOCK = 4096
"""The least a file takes on a disk, whatever is in it."""


class SavedFile(Frozen):
    """A file as it was last seen; `stamp` is another once it has changed in the workspace."""

    sha256: str
    size_bytes: int
    stamp: int


class Record(Frozen):
    """Everything about a session that outlives its cell. `owner` is the digest of the key that made it."""

    session: Session
    owner: str | None
    files: Mapping[str, SavedFile] = {}
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> bool:
        return self.session.status == "lost"


def cost(size_bytes: int) -> int:
    """What it takes to keep a file of this size."""
    return max(1, -(-size_bytes // BLOCK)) * BLOCK


class SessionStore:
    """The folder of all sessions, bounded by bytes: what was lost longest ago goes first, and each key's own.

    What is without an owner belongs to the only user of a server without keys, who may fill all of it.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        self._root = root
        self._most_bytes = most_bytes
        self._counts: dict[str, tuple[str | None, int]] = {}
        """Whose a session is, and how large. Threads write it: who reads it all copies it first, in one step."""

    def load(self) -> list[Record]:
        """What is left of an earlier server, oldest first. What is damaged or past its lifetime is removed."""
        found = []
        for folder in self._root.glob("ses-*"):
            record = self._read(folder)
            if record is None or record.session.expires_at <= datetime.now(UTC):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            self._count(record)
            found.append(record)
        return sorted(found, key=lambda record: record.session.created_at)

    def _read(self, folder: Path) -> Record | None:
        if SESSION_ID.fullmatch(folder.name) is None:
            return None
        try:
            return Record.model_validate_json((folder / RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def _count(self, record: Record) -> None:
        self._counts[record.session.session_id] = record.owner, _size(record.files)

    def room(self, session_id: str, owner: str | None = None) -> int:
        """How many bytes of files this session may keep."""
        others = [count for name, count in self._counts.copy().items() if name != session_id]
        own = sum(size for whose, size in others if whose == owner)
        return min(self._most_bytes - sum(size for _, size in others), self._share(owner) - own)

    def _share(self, owner: str | None) -> int:
        return self._most_bytes if owner is None else self._most_bytes // SHARES

    def expect(self, session_id: str, size: int, owner: str | None = None) -> None:
        """Count a content that is about to be put, so that no other session counts on the same room before `save`."""
        _, known = self._counts.get(session_id, (owner, 0))
        self._counts[session_id] = owner, known + size

    def excess(self, lost: Mapping[str, Record]) -> list[str]:
        """Which of these should be forgotten, given in the order in which they were lost.

        What is past its lifetime; what one key has too much of, and, when all of it is too much, of the key that has
        most: the longest lost first.
        """
        now = datetime.now(UTC)
        over = [name for name, record in lost.items() if record.session.expires_at <= now]
        by_owner: dict[str | None, list[str]] = {}
        for name, record in lost.items():
            by_owner.setdefault(record.owner, []).append(name)
        used = Counter({owner: 0 for owner in by_owner})
        for whose, size in self._counts.copy().values():
            used[whose] += size
        for owner, names in by_owner.items():
            most = MAX_LOST if owner is None else MAX_LOST_OF_A_KEY
            crowded = used[owner] > self._share(owner) * 9 // 10
            over += names[: max(int(crowded), len(names) - most)]
        if len(lost) > MAX_LOST:
            over.append(max(by_owner.values(), key=len)[0])
        if used.total() > self._most_bytes * 9 // 10 and by_owner:
            over.append(by_owner[max(by_owner, key=lambda owner: used[owner])][0])
        return list(dict.fromkeys(over))

    def save(self, record: Record) -> None:
        """Write the record, and forget contents it does not name. Raises StorageFullError."""
        with full_disk_is_ours():
            folder = self._folder(record.session.session_id)
            fresh = folder / f"{RECORD}.new"
            fresh.write_text(record.model_dump_json())
            fresh.replace(folder / RECORD)
        self._count(record)
        named = {RECORD, *(file.sha256 for file in record.files.values())}
        for path in folder.iterdir():
            if path.name not in named:
                path.unlink()

    def put(self, session_id: str, content: bytes) -> str:
        """Keep a content; its name. Raises StorageFullError."""
        name = hashlib.sha256(content).hexdigest()
        with full_disk_is_ours():
            path = self._folder(session_id) / name
            if not path.exists():
                fresh = path.with_suffix(".new")
                fresh.write_bytes(content)
                fresh.replace(path)
        return name

    def get(self, session_id: str, file: SavedFile) -> bytes:
        """A content. Raises NotFoundError."""
        try:
            return (self._root / session_id / file.sha256).read_bytes()
        except FileNotFoundError:
            raise NotFoundError("That file was not kept.") from None

    def remove(self, session_ids: Iterable[str]) -> None:
        """Forget sessions altogether."""
        for session_id in session_ids:
            self._counts.pop(session_id, None)
            shutil.rmtree(self._root / session_id, ignore_errors=True)

    def _folder(self, session_id: str) -> Path:
        folder = self._root / session_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _size(files: Mapping[str, SavedFile]) -> int:
    return sum({file.sha256: cost(file.size_bytes) for file in files.values()}.values())
