"""The file tools of an agent, from inside its sandbox: whatever a path says, nothing outside of it is touched.

Every path is resolved by the kernel below the workspace, at the moment it is opened: links that stay inside are
followed, all others and `..` that climb out are refused.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from contextlib import suppress

from holdfast.guest.collect import RESERVED, matches, pattern_pieces
from holdfast.guest.syscalls import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_CHARACTERS = 100_000
MAX_LINE = 500
MAX_PATH_BYTES = 4096
MAX_DEPTH = 64
MAX_ENTRIES = 100_000
MAX_SECONDS = 30.0
_BINARY_LOOK = 8192
_READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_SENTENCES = {
    errno.ENOENT: "there is no such file",
    errno.EXDEV: "it leads out of the workspace",
    errno.ELOOP: "it goes through a link that is not followed",
    errno.EACCES: "permission is denied",
    errno.ENOTDIR: "a part of it is no directory",
    errno.EISDIR: "it is a directory",
    errno.ENAMETOOLONG: "it is too long",
    errno.ENOSPC: "the workspace is full",
}


class ToolFault(Exception):
    """A tool cannot do what it was asked; the sentence says why."""


class Files:
    """What can be done with the files below one directory."""

    def __init__(self, root: int, at: str = "/workspace") -> None:
        self._root = root
        self._at = at

    def read(self, path: str, start_line: int | None = None, end_line: int | None = None) -> str:
        """Lines of a file as text, at most so many characters; what is no UTF-8 is replaced."""
        first, last = start_line or 1, end_line
        if first < 1 or (last is not None and last < first):
            raise ToolFault("lines count from 1, and the last is not before the first")
        kept, size, number = [], 0, 0
        with os.fdopen(self._open_file(path), "r", encoding="utf-8", errors="replace", newline="") as file:
            for number, line in enumerate(_lines(file), 1):
                if number < first:
                    continue
                if last is not None and number > last:
                    break
                kept.append(line[: MAX_CHARACTERS - size])
                size += len(kept[-1])
                if size >= MAX_CHARACTERS:
                    kept.append(
                        f"\n... cut at {MAX_CHARACTERS:,} characters; ask for lines with start_line and end_line"
                    )
                    break
        if number < first and first > 1:
            raise ToolFault(f"{self._shown(path)} has only {number} lines")
        return "".join(kept)

    def write(self, path: str, content: str, append: bool = False) -> str:
        """Write a file at once, or add to one; directories are made. What was there stays if it fails."""
        data = content.encode()
        relative = self._relative(path)
        parent, _, name = relative.rpartition("/")
        if name in ("", ".", ".."):
            raise ToolFault(f"{self._shown(path)} is no name of a file")
        with self._explained(path):
            directory = self._make_directories(parent)
            try:
                (self._append if append else self._replace)(directory, name, data)
            finally:
                os.close(directory)
        return f"Wrote {len(data)} bytes to {self._shown(path)}"

    def _append(self, directory: int, name: str, data: bytes) -> None:
        fd = open_beneath(directory, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)
        try:
            _must_be_regular(fd)
            _write_all(fd, data)
        finally:
            os.close(fd)

    def _replace(self, directory: int, name: str, data: bytes) -> None:
        mode = 0o644
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise ToolFault(f"'{name}' is a {_kind(found.st_mode)}, not a file")
            mode = stat.S_IMODE(found.st_mode)
        except FileNotFoundError:
            pass
        made = f".holdfast-{os.getpid()}-{time.monotonic_ns()}"
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            try:
                _write_all(fd, data)
                os.fchmod(fd, mode)
            finally:
                os.close(fd)
            os.rename(made, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(made, dir_fd=directory)
            raise

    def list(
        self, path: str = ".", recursive: bool = False, include_hidden: bool = False, max_results: int = 200
    ) -> str:
        """Names below a directory, or those that fit a pattern, in order; directories end with '/'."""
        relative = self._relative(path)
        if any(special in relative for special in "*?"):
            pieces = pattern_pieces(relative)
            found: Iterator[str] = (
                name for name in self._walk("", include_hidden) if matches(pieces, name.rstrip("/"))
            )
        else:
            with self._explained(path):
                os.close(open_beneath(self._root, relative or ".", _DIRECTORY, links=True))
            found = self._walk(relative, include_hidden, depth=MAX_DEPTH if recursive else 1)
        names = sorted(found)
        shown = [_printable(name) for name in names[:max_results]]
        if len(names) > max_results:
            shown.append(f"... {len(names) - max_results:,} more")
        return "\n".join(shown) or "(nothing)"

    def grep(
        self,
        pattern: str,
        path: str = ".",
        include: str | None = None,
        ignore_case: bool = False,
        max_results: int = 100,
    ) -> str:
        """Lines that a regular expression finds, as file:line:text."""
        try:
            wanted = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        except (re.error, RecursionError, OverflowError) as error:
            raise ToolFault(f"the pattern is no regular expression: {error}") from None
        found: list[str] = []
        for name in self._searched(path, include):
            for number, line in self._lines_of(name):
                if wanted.search(line):
                    found.append(f"{_printable(name)}:{number}:{line[:MAX_LINE]}")
                    if len(found) >= max_results:
                        return "\n".join([*found, f"... stopped at {max_results} results"])
        return "\n".join(found) or "(no line matches)"

    def _searched(self, path: str, include: str | None) -> Iterator[str]:
        relative = self._relative(path)
        with self._explained(path):
            fd = open_beneath(self._root, relative or ".", _READ_FLAGS, links=True)
            is_file = stat.S_ISREG(os.fstat(fd).st_mode)
            os.close(fd)
        if is_file:
            yield relative
            return
        pieces = pattern_pieces(include) if include else None
        for name in sorted(self._walk(relative, hidden=True)):
            if name.endswith("/") or name.startswith(".git/"):
                continue
            if pieces is None or matches(pieces, name) or matches(pieces, name.rpartition("/")[2]):
                yield name

    def _lines_of(self, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a text file; none of what cannot be read."""
        try:
            fd = open_beneath(self._root, name, _READ_FLAGS, links=True)
        except OSError:
            return
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return
        with os.fdopen(fd, "rb") as raw:
            if b"\0" in raw.read(_BINARY_LOOK):
                return
            raw.seek(0)
            for number, line in enumerate(iter(lambda: raw.readline(MAX_CHARACTERS), b""), 1):
                yield number, line.decode("utf-8", "replace").rstrip("\r\n")

    def _walk(self, top: str, hidden: bool, depth: int = MAX_DEPTH) -> Iterator[str]:
        """Names of all that is below a directory, without going through a link."""
        pending, count, deadline = [(top, 1)], 0, time.monotonic() + MAX_SECONDS
        while pending:
            directory, level = pending.pop()
            try:
                fd = open_beneath(self._root, directory or ".", _DIRECTORY, links=directory == top)
            except OSError:
                continue
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        count += 1
                        if count > MAX_ENTRIES or time.monotonic() > deadline:
                            raise ToolFault("there are too many files to look through; name a directory further down")
                        path = f"{directory}/{entry.name}" if directory else entry.name
                        if path == RESERVED or (not hidden and entry.name.startswith(".")):
                            continue
                        if not entry.is_dir(follow_symlinks=False):
                            yield path
                            continue
                        yield path + "/"
                        if level < depth:
                            pending.append((path, level + 1))
            finally:
                os.close(fd)

    def directory(self, path: str) -> int:
        """A descriptor of a directory, made if need be."""
        with self._explained(path):
            return self._make_directories(self._relative(path))

    def _make_directories(self, path: str) -> int:
        """A descriptor of a directory, made with those above it if it was not there."""
        try:
            return open_beneath(self._root, path or ".", _DIRECTORY, links=True)
        except FileNotFoundError:
            pass
        above, _, name = path.rpartition("/")
        parent = self._make_directories(above)
        try:
            if name == "..":
                raise ToolFault("'..' of a directory that does not exist leads nowhere")
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
        finally:
            os.close(parent)
        return open_beneath(self._root, path, _DIRECTORY, links=True)

    def _open_file(self, path: str) -> int:
        with self._explained(path):
            fd = open_beneath(self._root, self._relative(path) or ".", _READ_FLAGS, links=True)
            try:
                _must_be_regular(fd)
            except BaseException:
                os.close(fd)
                raise
        return fd

    def _relative(self, path: str) -> str:
        """The path below the workspace, in words; what it really means the kernel says."""
        if not path:
            raise ToolFault("a path is required")
        try:
            raw = path.encode()
        except UnicodeEncodeError:
            raise ToolFault("the path is not UTF-8") from None
        if "\0" in path or len(raw) > MAX_PATH_BYTES:
            raise ToolFault("the path holds NUL" if "\0" in path else f"the path is longer than {MAX_PATH_BYTES} bytes")
        if path.startswith("/"):
            if path.rstrip("/") != self._at and not path.startswith(self._at + "/"):
                raise ToolFault(f"{self._shown(path)} is outside of {self._at}")
            path = path[len(self._at) :]
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if parts[:1] == [RESERVED]:
            raise ToolFault(f"'{RESERVED}' is reserved")
        if len(parts) > MAX_DEPTH:
            raise ToolFault(f"the path is more than {MAX_DEPTH} directories deep")
        return "/".join(parts)

    def _shown(self, path: str) -> str:
        return f"'{_printable(path[:200])}'"

    def _explained(self, path: str) -> _Explained:
        return _Explained(self._shown(path))


class _Explained:
    """Turns what the system says of a path into a sentence."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            reason = _SENTENCES.get(error.errno or 0) or (error.strerror or "it cannot be opened")
            raise ToolFault(f"{self._shown}: {reason}") from None


def _lines(file: Any) -> Iterator[str]:
    """Lines, of which a very long one comes in pieces that count as lines."""
    return iter(lambda: file.readline(MAX_CHARACTERS), "")


def _must_be_regular(fd: int) -> None:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise ToolFault(f"it is a {_kind(mode)}, not a file")


def _kind(mode: int) -> str:
    kinds: tuple[tuple[Callable[[int], bool], str], ...] = (
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "link, which is not written through"),
        (stat.S_ISFIFO, "pipe"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "device or socket")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
