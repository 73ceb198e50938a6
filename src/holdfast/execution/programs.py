"""Compiled programs on disk, by what they were compiled from. Only finished compiles are put here, by the server."""

import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

RECENT_BYTES = 16 << 20
"""How much of what was read is remembered."""

_UNFINISHED = ".new-"
_DIGEST_BYTES = 2 * hashlib.sha256().digest_size + 1


@dataclass(frozen=True, slots=True)
class Program:
    """What a compiler made, and what it said while it did."""

    content: bytes
    stdout: str
    stderr: str
    stdout_truncated: bool = False
    stderr_truncated: bool = False


class ProgramStore:
    """A directory of programs, at most `max_bytes` large; the least recently used go first."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._recent: OrderedDict[str, Program] = OrderedDict()

    def get(self, key: str) -> Program | None:
        """The program, whole as it was put here; a damaged one is dropped."""
        path = self._directory / key
        try:
            data = path.read_bytes()
        except OSError:
            return None
        program = _read(data)
        if program is None:
            with suppress(OSError):
                path.unlink()
            return None
        self._touch(key)
        return program

    def recent(self, key: str) -> Program | None:
        """The program, if `remember` was told of it a short while ago."""
        program = self._recent.get(key)
        if program is not None:
            self._recent.move_to_end(key)
            self._touch(key)
        return program

    def remember(self, key: str, program: Program) -> None:
        """Keep what was read and verified in memory for a while."""
        self._recent[key] = program
        while sum(len(kept.content) for kept in self._recent.values()) > RECENT_BYTES:
            self._recent.popitem(last=False)

    def put(self, key: str, program: Program) -> None:
        """Keep a program. It appears under its key completely or not at all. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix=_UNFINISHED, delete=False) as file:
            try:
                file.writelines(_written(program))
                file.flush()
                os.replace(file.name, self._directory / key)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        self._evict()

    def clear_unfinished(self) -> None:
        """Remove what somebody who was killed left half written; who still writes only fails to keep a program."""
        for path in self._directory.glob(f"{_UNFINISHED}*"):
            path.unlink(missing_ok=True)

    def _touch(self, key: str) -> None:
        with suppress(OSError):
            os.utime(self._directory / key)

    def _evict(self) -> None:
        entries = sorted(self._entries(), reverse=True)
        kept = 0
        for _, size, path in entries:
            kept += size
            if kept > self._max_bytes:
                path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        for path in self._directory.iterdir():
            if path.name.startswith(_UNFINISHED):
                continue
            with suppress(OSError):
                found = path.stat()
                yield found.st_mtime_ns, found.st_size, path


def _written(program: Program) -> Iterator[bytes]:
    """The digest of all that follows, what the compiler said, and the program."""
    said = asdict(program)
    content = said.pop("content")
    head = json.dumps(said).encode() + b"\n"
    yield from (_digest(head, content), head, content)


def _read(data: bytes) -> Program | None:
    """The program, if it is whole and of this version."""
    end = data.find(b"\n", _DIGEST_BYTES)
    if end < 0 or data[:_DIGEST_BYTES] != _digest(memoryview(data)[_DIGEST_BYTES:]):
        return None
    try:
        return Program(content=data[end + 1 :], **json.loads(data[_DIGEST_BYTES:end]))
    except TypeError:
        return None


def _digest(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return f"{digest.hexdigest()}\n".encode()
