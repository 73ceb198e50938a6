"""A layer on its way: packed in the sandbox that built it, unpacked on the host by a process that can do nothing else.

Both ends check every entry; the unpacking one trusts nothing. There are directories, regular files and symbolic links;
of permissions only "can be started" is kept. An entry is its kind, that bit, the length of its path, its time of change
and the size of its content, then the path, then the content.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from contextlib import contextmanager

from holdfast.guest.syscalls import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO, NoReturn

ENTRY = struct.Struct("!cBHqQ")
DIRECTORY, FILE, LINK, END = b"d", b"f", b"l", b"."
MAX_ENTRIES = 200_000
MAX_DEPTH = 64
MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
_PIECE = 256 << 10
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_EVERYWHERE = (b"/opt/holdfast/", b"/usr/")
"""Where an absolute link may lead: to what every program sees there, and nobody can change."""


class Refused(Exception):
    """A layer cannot be kept; the sentence says why."""


def shown(path: bytes) -> str:
    """A path for a sentence."""
    text = os.fsdecode(path[:200])
    return f"'{text}'" if text.isprintable() else ascii(text)


def check_link(path: bytes, target: bytes) -> None:
    """Refuse a link that leaves the layer, unless it leads to what every program sees. Raises Refused."""
    parts = target.split(b"/")
    climbs = next((index for index, part in enumerate(parts) if part != b".."), len(parts))
    if not target or len(target) > MAX_PATH_BYTES or b"\0" in target or b".." in parts[climbs:]:
        raise Refused(f"the link {shown(path)} leads to {shown(target)}, which is no plain path")
    inside = target.startswith(_EVERYWHERE) if target.startswith(b"/") else climbs <= path.count(b"/")
    if not inside:
        raise Refused(f"the link {shown(path)} leads out of the layer, to {shown(target)}")


@contextmanager
def _naming(path: bytes) -> Iterator[None]:
    """Say which file it was that could not be read."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "").removeprefix("openat2: ")
        raise Refused(f"{shown(path)} in the layer cannot be read: {reason}") from error


class Packer:
    """Writes everything below a directory, in an order in which it can be made again."""

    def __init__(self, root: int, write: Callable[[bytes], object]) -> None:
        self._root = root
        self._write = write
        self._entries = 0

    def pack(self) -> None:
        """Raises Refused for what no layer may hold, OSError."""
        pending = [b""]
        while pending:
            path = pending.pop()
            with _naming(path):
                directory = open_beneath(self._root, os.fsdecode(path) or ".", _DIRECTORY_FLAGS)
            try:
                for name in sorted(map(os.fsencode, os.listdir(directory)), reverse=True):
                    child = path + b"/" + name if path else name
                    if self._put(directory, name, child):
                        pending.append(child)
            finally:
                os.close(directory)
        self._write(ENTRY.pack(END, 0, 0, 0, 0))

    def _put(self, directory: int, name: bytes, path: bytes) -> bool:
        """Write one entry; True for a directory."""
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        _check_path(path)
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise Refused(f"the layer has more than {MAX_ENTRIES:,} files")
        changed = int(found.st_mtime)
        if stat.S_ISDIR(found.st_mode):
            self._write(ENTRY.pack(DIRECTORY, 0, len(path), changed, 0) + path)
            return True
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(name, dir_fd=directory)
            check_link(path, target)
            self._write(ENTRY.pack(LINK, 0, len(path), changed, len(target)) + path + target)
            return False
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{shown(path)} is neither a file, a directory nor a link")
        executable = bool(found.st_mode & 0o111)
        self._write(ENTRY.pack(FILE, executable, len(path), changed, found.st_size) + path)
        with _naming(path):
            self._put_content(directory, name, found.st_size)
        return False

    def _put_content(self, directory: int, name: bytes, size: int) -> None:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            while size > 0:
                piece = os.read(fd, min(_PIECE, size))
                if not piece:
                    raise Refused("a file changed while it was packed")
                self._write(piece)
                size -= len(piece)
        finally:
            os.close(fd)


def _check_path(path: bytes) -> None:
    parts = path.split(b"/")
    bad = any(part in (b"", b".", b"..") or len(part) > MAX_NAME_BYTES for part in parts) or b"\0" in path
    if bad or len(parts) > MAX_DEPTH or len(path) > MAX_PATH_BYTES:
        raise Refused(f"{shown(path)} is no path a layer may have (at most {MAX_DEPTH} directories deep)")


class Unpacker:
    """Makes a layer below an empty directory that nobody else can see. Nothing that arrives is trusted."""

    def __init__(self, root: int, stream: BinaryIO, max_bytes: int) -> None:
        self._root = root
        self._stream = stream
        self._max_bytes = max_bytes
        self.size = 0
        self.entries = 0

    def unpack(self) -> None:
        """Raises Refused, OSError."""
        for kind, executable, path, changed, size in self._read_entries():
            parent, _, name = path.rpartition(b"/")
            directory = open_beneath(self._root, os.fsdecode(parent) or ".", _DIRECTORY_FLAGS)
            try:
                if kind == DIRECTORY:
                    os.mkdir(name, 0o755, dir_fd=directory)
                elif kind == LINK:
                    target = self._exactly(size)
                    check_link(path, target)
                    os.symlink(target, name, dir_fd=directory)
                else:
                    self._make_file(directory, name, size, mode=0o755 if executable else 0o644, changed=changed)
            finally:
                os.close(directory)

    def _read_entries(self) -> Iterator[tuple[bytes, int, bytes, int, int]]:
        while True:
            kind, executable, length, changed, size = ENTRY.unpack(self._exactly(ENTRY.size))
            if kind == END:
                return
            if kind not in (DIRECTORY, FILE, LINK) or (kind == LINK and size > MAX_PATH_BYTES):
                raise Refused("what was packed is damaged")
            path = self._exactly(length)
            _check_path(path)
            self._count(size)
            yield kind, executable, path, changed, size

    def _count(self, size: int) -> None:
        self.entries += 1
        self.size += size
        if self.entries > MAX_ENTRIES:
            raise Refused(f"the layer has more than {MAX_ENTRIES:,} files")
        if self.size > self._max_bytes:
            raise Refused(f"the layer is larger than {self._max_bytes:,} bytes, which is all the room there is for it")

    def _make_file(self, directory: int, name: bytes, size: int, *, mode: int, changed: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, mode, dir_fd=directory)
        try:
            while size > 0:
                piece = self._exactly(min(_PIECE, size))
                os.write(fd, piece)
                size -= len(piece)
            changed = min(max(changed, 0), (1 << 32) - 1)
            os.utime(fd, (changed, changed))
        finally:
            os.close(fd)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise Refused("what was packed ends early")
        return data


def pack_here(directory: str) -> NoReturn:
    """Pack a directory to stdout, inside the sandbox; a refusal is a sentence on stderr and exit code 1."""
    with os.fdopen(1, "wb", buffering=1 << 20) as out:
        try:
            Packer(os.open(directory, _DIRECTORY_FLAGS), out.write).pack()
            out.flush()
        except (Refused, OSError) as error:
            os.write(2, f"{error}\n".encode(errors="replace"))
            os._exit(1)
    sys.exit(0)
