"""Files in and out of a workspace, from its own side: never through a link, never out of it, always bounded."""

from __future__ import annotations

import os
import stat
import time

from holdfast.guest.syscalls import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 32
MAX_ENTRIES = 20_000
MAX_ARTIFACTS = 1_000
MAX_SECONDS = 5.0
MAX_NAMES_BYTES = 256 << 10
_ANY_SIZE = 1 << 62
_PIECE = 256 << 10
RESERVED = ".holdfast"
"""The directory that is ours: what is in it is handed back by name only."""
_SPECIAL = ("**/", "**", "*", "?")


def mode_of(name: str, executables: Sequence[str]) -> int:
    """The permissions of a file that is placed."""
    return 0o755 if name in executables else 0o644


def write_file_by_name(name: str, data: bytes, mode: int = 0o644) -> None:
    """Place a file below the working directory, before anything untrusted has run there."""
    parent = os.path.dirname(name)
    if parent:
        os.makedirs(parent, exist_ok=True)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    _write_all(fd, data)


def write_file(root: int, path: str, data: bytes, mode: int = 0o644) -> None:
    """Place a file below `root`, making its parents. Raises OSError (ELOOP, EXDEV, ENOSPC …)."""
    parents = path.split("/")[:-1]
    for depth in range(1, len(parents) + 1):
        _make_directory(root, "/".join(parents[:depth]))
    fd = open_beneath(root, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, mode)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(22, "not a regular file")
    _write_all(fd, data)


def _make_directory(root: int, path: str) -> None:
    parent, _, name = path.rpartition("/")
    directory = open_beneath(root, parent or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:
        pass
    finally:
        os.close(directory)


def _write_all(fd: int, data: bytes) -> None:
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def open_file(root: int, path: str, max_bytes: int) -> tuple[int, int]:
    """A descriptor of a regular file below `root`, and its size.

    Raises OSError (ENOENT, EFBIG, EINVAL for anything but a file …).
    """
    fd = open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise OSError(22, "not a regular file")
    if found.st_size > max_bytes:
        os.close(fd)
        raise OSError(27, "larger than allowed")
    return fd, found.st_size


def pieces(root: int, files: dict[str, int]) -> Iterator[bytes]:
    """The contents of files one after the other, in pieces, each file exactly as long as it was said to be."""
    for path, size in files.items():
        fd, _ = open_file(root, path, size)
        try:
            yield from exactly(fd, size)
        finally:
            os.close(fd)


def exactly(fd: int, size: int) -> Iterator[bytes]:
    """So many bytes of a file, whatever a program does to it meanwhile: what it lost is zeros."""
    while size > 0:
        piece = os.read(fd, min(_PIECE, size)) or bytes(min(_PIECE, size))
        size -= len(piece)
        yield piece


def pattern_pieces(pattern: str) -> list[str]:
    """A glob in pieces: `**/`, `**`, `*`, `?` and single characters."""
    pieces = []
    rest = pattern.removeprefix("./")
    while rest:
        piece = next((special for special in _SPECIAL if rest.startswith(special)), rest[0])
        pieces.append(piece)
        rest = rest[len(piece) :]
    return pieces


def matches(pieces: list[str], path: str) -> bool:
    """Whether a whole path fits: `*` and `?` stay inside one name, `**` crosses directories.

    Linear in the length of the pattern times that of the path, whatever the pattern.
    """
    places = {0}
    for piece in pieces:
        places = _after(piece, path, places)
        if not places:
            return False
    return len(path) in places


def _after(piece: str, path: str, places: set[int]) -> set[int]:
    """Where in the path one can be after a piece, from each of the places before it."""
    if piece == "?":
        return {place + 1 for place in places if place < len(path) and path[place] != "/"}
    if piece == "**":
        return set(range(min(places), len(path) + 1))
    if piece == "**/":
        return places | {place for place in range(min(places) + 1, len(path) + 1) if path[place - 1] == "/"}
    if piece != "*":
        return {place + 1 for place in places if path[place : place + 1] == piece}
    reached = set()
    for start in places:
        place = start
        while place not in reached:
            reached.add(place)
            if place == len(path) or path[place] == "/":
                break
            place += 1
    return reached


def artifacts(root: int, patterns: list[str], max_bytes: int) -> tuple[dict[str, int], list[str]]:
    """Names and sizes of the regular files that match, at most `max_bytes` together, and a note for each left out."""
    if not patterns:
        return {}, []
    return _Collector(root, [pattern_pieces(pattern) for pattern in patterns], max_bytes).collect()


def named(root: int, wanted: Mapping[str, int], notes: list[str]) -> dict[str, int]:
    """Names and sizes of those of the wanted files that are there; a note for each that cannot be had."""
    found = {}
    for path, most in wanted.items():
        try:
            fd, found[path] = open_file(root, path, most)
            os.close(fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            notes.append(f"{path} was left out: {error.strerror}.")
    return found


def listing(root: int) -> tuple[list[tuple[str, int, int]], list[str]]:
    """Name, size and time of the last change, in nanoseconds, of every regular file, and a note for each left out."""
    collector = _Collector(root, [pattern_pieces("**")], _ANY_SIZE)
    files, notes = collector.collect()
    return [(path, size, collector.changed[path]) for path, size in files.items()], notes


class _Collector:
    """One walk through a workspace, bounded in bytes, entries, depth and time."""

    def __init__(self, root: int, wanted: list[list[str]], max_bytes: int) -> None:
        self._root = root
        self._wanted = wanted
        self._bytes_left = max_bytes
        self._names_left = MAX_NAMES_BYTES
        self._entries_left = MAX_ENTRIES
        self._deadline = time.monotonic() + MAX_SECONDS
        self._files: dict[str, int] = {}
        self.changed: dict[str, int] = {}
        self._notes: list[str] = []

    def collect(self) -> tuple[dict[str, int], list[str]]:
        pending = [""]
        while pending:
            directory = pending.pop()
            try:
                pending.extend(self._scan(directory))
            except OSError as error:
                self._note(directory or ".", error.strerror or "unreadable")
            except _Bounded as bound:
                self._notes.append(f"Artifacts are incomplete: {bound}.")
                break
        return self._files, self._notes

    def _scan(self, directory: str) -> list[str]:
        """Take the files of one directory; the directories in it."""
        fd = open_beneath(self._root, directory or ".", os.O_RDONLY | os.O_DIRECTORY)
        below = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._count()
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    if path == RESERVED:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if path.count("/") < MAX_DEPTH:
                            below.append(path)
                    elif any(matches(pieces, path) for pieces in self._wanted):
                        self._take(path, regular=entry.is_file(follow_symlinks=False))
        finally:
            os.close(fd)
        return sorted(below, reverse=True)

    def _count(self) -> None:
        self._entries_left -= 1
        if self._entries_left < 0:
            raise _Bounded(f"the workspace has more than {MAX_ENTRIES} entries")
        if time.monotonic() > self._deadline:
            raise _Bounded(f"looking through the workspace took more than {MAX_SECONDS:g} seconds")
        if len(self._files) >= MAX_ARTIFACTS:
            raise _Bounded(f"more than {MAX_ARTIFACTS} files match")

    def _take(self, path: str, *, regular: bool) -> None:
        if not path.isprintable():
            return self._note(path, "its name is not printable UTF-8")
        if not regular:
            return self._note(path, "it is not a regular file")
        self._names_left -= len(path.encode())
        if self._names_left < 0:
            raise _Bounded(f"the names that match are longer than {MAX_NAMES_BYTES >> 10} KiB together")
        try:
            fd, size = open_file(self._root, path, self._bytes_left)
        except OSError as error:
            return self._note(path, error.strerror or "unreadable")
        # The time of change, unlike that of modification, is not the program's to set.
        self.changed[path] = os.fstat(fd).st_ctime_ns
        os.close(fd)
        self._bytes_left -= size
        self._files[path] = size

    def _note(self, path: str, reason: str) -> None:
        shown = path[:200] if path.isprintable() else ascii(path[:200])
        if len(self._notes) < 20:
            self._notes.append(f"Artifact {shown} was left out: {reason}.")


class _Bounded(Exception):
    """A bound of the walk was reached."""
