"""Files on their way in: written to the disk as they come, and never held in memory."""

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from anyio.to_thread import run_sync

from holdfast.data.registry import copied
from holdfast.data.store import Fresh
from holdfast.data.wanted import MAX_FILES, Source, sources
from holdfast.errors import InvalidFieldError, TooLargeError

_PIECE = 1 << 20


class Upload:
    """The files of one dataset to be, in a fresh directory. `left` is how many bytes may still come."""

    def __init__(self, fresh: Fresh, max_bytes: int) -> None:
        self.fresh = fresh
        self._max_bytes = self._left = max_bytes
        self._names: list[str] = []
        self._digests: list[str] = []
        self._open: Incoming | None = None

    async def receive(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Raises TooLargeError, InvalidFieldError, OSError."""
        async with self.file(name) as incoming:
            async for piece in pieces:
                await incoming.write(piece)

    def file(self, name: str) -> "Incoming":
        """A file to be written piece by piece. Raises TooLargeError, InvalidFieldError."""
        if len(self._names) >= MAX_FILES:
            raise TooLargeError(f"A dataset has at most {MAX_FILES} files.", field="files")
        sources([name])
        self._names.append(name)
        return Incoming(self, self.fresh.create(str(len(self._names) - 1)))

    def copy(self, path: Path) -> None:
        """Take a file of this machine. Blocks. Raises TooLargeError, InvalidFieldError, OSError."""
        sources([path.name])
        self.take(path.stat().st_size)
        self._names.append(path.name)
        self._digests.append(copied(path, self.fresh, str(len(self._names) - 1)))

    def take(self, count: int) -> None:
        """Use up room. Raises TooLargeError."""
        self._left -= count
        if self._left < 0:
            raise TooLargeError(
                f"The files are together larger than {self._max_bytes:,} bytes, the most this server takes "
                "(HOLDFAST_DATASET_UPLOAD).",
                field="files",
            )

    def done(self, digest: str) -> None:
        """Note a file that is complete."""
        self._digests.append(digest)

    def sources(self) -> list[Source]:
        """All files. Raises InvalidFieldError when there are none."""
        if len(self._digests) != len(self._names):
            raise InvalidFieldError("A file of the dataset is not complete.", field="files")
        found = sources(self._names)
        return [replace(source, sha256=digest) for source, digest in zip(found, self._digests, strict=True)]


class Incoming:
    """One file. Pieces are written together, by a thread."""

    def __init__(self, upload: Upload, fd: int) -> None:
        self._upload = upload
        self._fd = fd
        self._digest = hashlib.sha256()
        self._pieces = bytearray()

    async def __aenter__(self) -> "Incoming":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._flush()
                self._upload.done(self._digest.hexdigest())
        finally:
            os.close(self._fd)

    async def write(self, piece: bytes) -> None:
        """Raises TooLargeError, OSError."""
        self._upload.take(len(piece))
        self._pieces += piece
        if len(self._pieces) >= _PIECE:
            await self._flush()

    async def _flush(self) -> None:
        pieces, self._pieces = self._pieces, bytearray()
        await run_sync(self._keep, pieces)

    def _keep(self, pieces: bytearray) -> None:
        self._digest.update(pieces)
        view = memoryview(pieces)
        while view:
            view = view[os.write(self._fd, view) :]
