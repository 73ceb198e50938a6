"""The files of a workspace as an archive: packed, unpacked, and summed up, from inside of its sandbox.

Whatever an archive says, nothing is made outside of the directory or through a link, and nothing but directories,
regular files and symbolic links.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zipfile

from holdfast.guest import collect
from holdfast.guest.file_tools import ToolFault
from holdfast.guest.syscalls import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, Protocol

    class Readable(Protocol):
        """What gives bytes."""

        def read(self, size: int, /) -> bytes: ...


MAX_ENTRIES = 100_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_PIECE = 256 << 10


def walk(root: int, wanted: Patterns) -> Iterator[tuple[str, os.stat_result]]:
    """Name and status of what is below and fits, parents first; links are not followed."""
    pending, count = [""], 0
    while pending:
        directory = pending.pop()
        fd = open_beneath(root, directory or ".", _DIRECTORY)
        try:
            for name in sorted(os.listdir(fd)):
                count += 1
                if count > MAX_ENTRIES:
                    raise ToolFault(f"there are more than {MAX_ENTRIES:,} files")
                path = f"{directory}/{name}" if directory else name
                if path == collect.RESERVED:
                    continue
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    pending.append(path)
                if wanted.take(path):
                    yield path, found
        finally:
            os.close(fd)


class Patterns:
    """Which names are wanted: those that a pattern fits or that are below such a name, less those after `!`."""

    def __init__(self, patterns: list[str]) -> None:
        cleaned = [(pattern.startswith("!"), _below(pattern.removeprefix("!"))) for pattern in patterns]
        self._rules = [
            (out, collect.pattern_pieces(text), collect.pattern_pieces(f"{text}/**")) for out, text in cleaned
        ]

    def take(self, path: str) -> bool:
        """Whether it is wanted; the last rule that fits says so."""
        if not self._rules:
            return True
        taken = False
        for out, itself, below in self._rules:
            if collect.matches(itself, path) or collect.matches(below, path):
                taken = not out
        return taken


def _below(pattern: str) -> str:
    pattern = pattern.strip().removeprefix("/workspace/").removeprefix("./").rstrip("/")
    return "**" if pattern in ("", ".", "/workspace") else pattern


def pack(root: int, patterns: list[str], out: BinaryIO) -> int:
    """Write a tar of what fits; how many regular files it has."""
    count = 0
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, found in walk(root, Patterns(patterns)):
            member = tarfile.TarInfo(path)
            member.mode, member.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
            if stat.S_ISDIR(found.st_mode):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            elif stat.S_ISLNK(found.st_mode):
                parent, name = _parent(root, path)
                member.type, member.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=parent)
                os.close(parent)
                tar.addfile(member)
            elif stat.S_ISREG(found.st_mode):
                fd, member.size = collect.open_file(root, path, 1 << 62)
                with os.fdopen(fd, "rb") as file:
                    tar.addfile(member, _Exactly(file, member.size))
                count += 1
    return count


class _Exactly(io.RawIOBase):
    """A file as long as it was said to be, whatever happens to it meanwhile."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        data += bytes(wanted - len(data))
        self._left -= wanted
        return data


def _parent(root: int, path: str) -> tuple[int, str]:
    above, _, name = path.rpartition("/")
    return open_beneath(root, above or ".", _DIRECTORY), name


def unpack(root: int, data: BinaryIO) -> int:
    """Make what a tar or zip describes; how many files. Raises ToolFault for what no workspace may hold."""
    begin = data.read(4)
    rest = io.BytesIO(begin + data.read())
    try:
        return _unpack_zip(root, rest) if begin[:2] == b"PK" else _unpack_tar(root, rest)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        # The library tells of every compression it tried, a line each.
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ToolFault(f"the archive is neither a tar nor a zip that can be read: {reason}") from None


def _unpack_tar(root: int, data: io.BytesIO) -> int:
    count = 0
    with tarfile.open(fileobj=data, mode="r:*") as tar:
        for count, member in enumerate(tar, 1):
            path = _checked(member.name, count)
            if path is None:
                continue
            if member.isdir():
                _make_directories(root, path)
            elif member.issym():
                _make_link(root, path, member.linkname)
            elif member.isreg():
                source = tar.extractfile(member)
                assert source is not None
                _make_file(root, path, source, executable=bool(member.mode & 0o111))
            else:
                raise ToolFault(f"'{path[:200]}' in the archive is no file, directory or symbolic link")
    return count


def _unpack_zip(root: int, data: io.BytesIO) -> int:
    count = 0
    with zipfile.ZipFile(data) as archive:
        for count, member in enumerate(archive.infolist(), 1):
            path = _checked(member.filename, count)
            if path is None:
                continue
            mode = member.external_attr >> 16
            if member.is_dir():
                _make_directories(root, path)
            elif stat.S_ISLNK(mode):
                _make_link(root, path, os.fsdecode(archive.read(member)[:4096]))
            else:
                with archive.open(member) as source:
                    _make_file(root, path, source, executable=bool(mode & 0o111))
    return count


def _checked(name: str, count: int) -> str | None:
    """The path, None for the directory itself. Raises ToolFault for one that leaves it."""
    if count > MAX_ENTRIES:
        raise ToolFault(f"the archive has more than {MAX_ENTRIES:,} files")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ToolFault(f"'{name[:200]}' in the archive leads out of the workspace")
    if parts[:1] == [collect.RESERVED]:
        return None
    return "/".join(parts) or None


def _make_directories(root: int, path: str) -> None:
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        parent, name = _parent(root, "/".join(parts[:depth]))
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)


def _place(root: int, path: str) -> tuple[int, str]:
    """Where a file goes: its directory, with nothing in the way."""
    if "/" in path:
        _make_directories(root, path.rpartition("/")[0])
    parent, name = _parent(root, path)
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    return parent, name


def _make_link(root: int, path: str, target: str) -> None:
    parent, name = _place(root, path)
    try:
        os.symlink(target, name, dir_fd=parent)
    finally:
        os.close(parent)


def _make_file(root: int, path: str, source: Readable, *, executable: bool) -> None:
    parent, name = _place(root, path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, 0o755 if executable else 0o644, dir_fd=parent)
    finally:
        os.close(parent)
    with os.fdopen(fd, "wb") as file:
        while piece := source.read(_PIECE):
            file.write(piece)


def digest(root: int, patterns: list[str]) -> str:
    """A hash of the files that fit, in the order of their names; empty without any."""
    whole, found_any = hashlib.sha256(), False
    for path, found in sorted(walk(root, Patterns(patterns)), key=lambda each: each[0]):
        if stat.S_ISREG(found.st_mode):
            found_any = True
            fd, size = collect.open_file(root, path, 1 << 62)
            one = hashlib.sha256()
            for piece in collect.exactly(fd, size):
                one.update(piece)
            os.close(fd)
            whole.update(one.digest())
    return whole.hexdigest() if found_any else ""


def clear(root: int) -> None:
    """Remove all that is there."""
    entries = list(walk(root, Patterns([])))
    for path, found in sorted(entries, key=lambda each: each[0].count("/"), reverse=True):
        parent, name = _parent(root, path)
        try:
            (os.rmdir if stat.S_ISDIR(found.st_mode) else os.unlink)(name, dir_fd=parent)
        finally:
            os.close(parent)


def keep_out_of_git(root: int) -> None:
    """A checkout need not hear of our own directory."""
    try:
        fd = open_beneath(root, ".git/info/exclude", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
    except OSError:
        return
    with os.fdopen(fd, "r+", errors="replace") as file:
        line = f"/{collect.RESERVED}/\n"
        if stat.S_ISREG(os.fstat(fd).st_mode) and line not in file.read(1 << 20):
            file.write(line)
