"""What outlives the sandbox of a job: artifacts for other jobs of the task, and caches for later tasks."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from holdfast.errors import TooLargeError, WorkspaceError, full_disk_is_ours

MAX_ARTIFACTS_BYTES = 64 << 20
MAX_ARTIFACTS = 100


class Artifacts:
    """The artifacts of one task, as tars by name, bounded together."""

    def __init__(self, most: int = MAX_ARTIFACTS_BYTES) -> None:
        self._most = most
        self._tars: dict[str, bytes] = {}

    def put(self, name: str, tar: bytes, *, overwrite: bool) -> None:
        """Keep one. Raises WorkspaceError for a name that is taken, TooLargeError."""
        if name in self._tars and not overwrite:
            raise WorkspaceError(f"There is an artifact '{name}' already; give it another name, or 'overwrite: true'.")
        others = sum(len(each) for known, each in self._tars.items() if known != name)
        if others + len(tar) > self._most or len(self._tars) >= MAX_ARTIFACTS:
            raise TooLargeError(f"The artifacts of a task may be {self._most:,} bytes and {MAX_ARTIFACTS} in all.")
        self._tars[name] = tar

    def get(self, name: str) -> bytes:
        """One that was kept. Raises WorkspaceError."""
        if name not in self._tars:
            known = ", ".join(sorted(self._tars)) or "none"
            raise WorkspaceError(f"There is no artifact '{name[:80]}'; there are {known}.")
        return self._tars[name]

    def all(self) -> Mapping[str, bytes]:
        """Every one by name."""
        return dict(self._tars)


class StepCache(Protocol):
    """Files that were made from the same things before, for the same caller. Its methods block."""

    def get(self, owner: str | None, version: str, key: str, prefixes: Iterable[str]) -> tuple[str, bytes] | None:
        """What is under the key, else the newest under a key that begins so; with its key."""
        ...

    def put(self, owner: str | None, version: str, key: str, tar: bytes) -> None:
        """Keep it, unless the key has something already. Raises StorageFullError."""
        ...


class NoCache:
    """Nothing is ever found."""

    def get(self, owner: str | None, version: str, key: str, prefixes: Iterable[str]) -> tuple[str, bytes] | None:
        return None

    def put(self, owner: str | None, version: str, key: str, tar: bytes) -> None:
        pass


class DirectoryCache:
    """Caches in a directory, the oldest of which go when they are together too large.

    A file is named by the hash of its owner, version and key, so that nobody's words are a path.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes

    def get(self, owner: str | None, version: str, key: str, prefixes: Iterable[str]) -> tuple[str, bytes] | None:
        """What is under the key, else the newest under a key that begins so; with its key."""
        folder = self._folder(owner, version)
        exact = self._read(folder / _name(key))
        if exact is not None:
            return exact
        newest = _newest(_files(folder))
        for prefix in prefixes:
            for path in newest:
                if (_key(path) or "").startswith(prefix) and (found := self._read(path)) is not None:
                    return found
        return None

    def put(self, owner: str | None, version: str, key: str, tar: bytes) -> None:
        """Keep it, unless the key has something already. Raises StorageFullError."""
        folder = self._folder(owner, version)
        path = folder / _name(key)
        if path.exists() or len(tar) > self._max_bytes:
            return
        with full_disk_is_ours():
            folder.mkdir(parents=True, exist_ok=True)
            made = folder / f".{secrets.token_hex(8)}"
            try:
                made.write_bytes(json.dumps(key).encode() + b"\n" + tar)
                made.rename(path)
            finally:
                made.unlink(missing_ok=True)
        self._make_room()

    def _folder(self, owner: str | None, version: str) -> Path:
        return self._directory / _name(json.dumps([owner, version]))

    def _read(self, path: Path) -> tuple[str, bytes] | None:
        try:
            head, _, tar = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return str(json.loads(head)), tar

    def _make_room(self) -> None:
        kept = 0
        for path in _newest([each for folder in _files(self._directory) for each in _files(folder)]):
            kept += path.stat().st_size
            if kept > self._max_bytes:
                path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


def _newest(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _key(path: Path) -> str | None:
    """The key of a file, without its content."""
    try:
        with path.open("rb") as file:
            return str(json.loads(file.readline()))
    except FileNotFoundError:
        return None


def _name(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
