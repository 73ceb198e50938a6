"""What is kept of sessions outside their cells: a record each, and the files of their workspaces as last seen.

A session has a folder of ours with `record.json` and one file per content, named by its SHA-256. Names that a program
chose are only ever text inside the record. All of it is small, and done in a thread.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from holdfast.errors import NotFoundError, full_disk_is_ours
from holdfast.types import Frozen, Session

RECORD = "record.json"
SESSION_ID = re.compile(r"ses-[0-9a-f]{32}")
MAX_RECORDS = 1_000


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


class SessionStore:
    """The folder of all sessions, bounded by bytes: what was lost longest ago goes first."""

    def __init__(self, root: Path, most_bytes: int) -> None:
        self._root = root
        self._most_bytes = most_bytes
        self._sizes: dict[str, int] = {}

    def load(self) -> list[Record]:
        """What is left of an earlier server, oldest first. What is damaged or past its lifetime is removed."""
        found = []
        for folder in self._root.glob("ses-*"):
            record = self._read(folder)
            if record is None or record.session.expires_at <= datetime.now(UTC):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            self._sizes[folder.name] = _size(record.files)
            found.append(record)
        return sorted(found, key=lambda record: record.session.created_at)

    def _read(self, folder: Path) -> Record | None:
        if SESSION_ID.fullmatch(folder.name) is None:
            return None
        try:
            return Record.model_validate_json((folder / RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def room(self, session_id: str) -> int:
        """How many bytes of files this session may keep."""
        # Copied in one step: threads save other sessions meanwhile.
        return self._most_bytes - sum(size for name, size in list(self._sizes.items()) if name != session_id)

    def expect(self, session_id: str, size: int) -> None:
        """Count a content that is about to be put, so that no other session counts on the same room before `save`."""
        self._sizes[session_id] = self._sizes.get(session_id, 0) + size

    @property
    def crowded(self) -> bool:
        """Whether so little room is left that something should go."""
        return sum(self._sizes.values()) > self._most_bytes * 9 // 10

    def save(self, record: Record) -> None:
        """Write the record, and forget contents it does not name. Raises StorageFullError."""
        with full_disk_is_ours():
            folder = self._folder(record.session.session_id)
            fresh = folder / f"{RECORD}.new"
            fresh.write_text(record.model_dump_json())
            fresh.replace(folder / RECORD)
        self._sizes[folder.name] = _size(record.files)
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
            self._sizes.pop(session_id, None)
            shutil.rmtree(self._root / session_id, ignore_errors=True)

    def _folder(self, session_id: str) -> Path:
        folder = self._root / session_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _size(files: Mapping[str, SavedFile]) -> int:
    return sum({file.sha256: file.size_bytes for file in files.values()}.values())
