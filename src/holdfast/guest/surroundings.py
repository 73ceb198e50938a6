"""What a called function finds outside of its interpreter, put back after each call as the program had left it.

The host sends it with `grade`, and both are run in one namespace: whose process a call is in, `grade` says. It is for
honest programs; one that attacks finds here nothing that is worth anything.
"""

import os
from stat import S_IFMT, S_ISDIR, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_KEPT_BYTES = 16 << 20
"""How much of the files is put back. What is beyond that, and links, are only removed where they are new."""

_chmod, _close, _dup2, _listdir, _lseek = os.chmod, os.close, os.dup2, os.listdir, os.lseek
_lstat, _mkdir, _open, _pread, _read = os.lstat, os.mkdir, os.open, os.pread, os.read
_rmdir, _unlink, _utime, _write = os.rmdir, os.unlink, os.utime, os.write
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REWRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Surroundings:
    """Files of the workspace, how far open ones were read, and the rest of the input.

    `place` is how the paths of our own files begin.
    """

    def __init__(self, place: str) -> None:
        self._ours = f"{place}."
        self._workspace = place.rpartition("/")[0]
        self._room = MAX_KEPT_BYTES
        self._known = {path: (found, self._content(path, found)) for path, found in self._all()}
        self._input = _rest_of_input(f"{place}.in")
        self._offsets = list(_offsets())

    def enter(self) -> None:
        """In the process of a call: all of the rest of the input is its own."""
        _attempt(_read_from, self._input)

    def put_back(self) -> None:
        """Have the next call find what the last one has found."""
        now = dict(self._all())
        for path in reversed(list(now)):
            if path not in self._known:
                _remove(path, now[path])
        for path, (found, content) in self._known.items():
            if content is not None and (path not in now or _stamp(now[path]) != _stamp(found)):
                _attempt(_restore, path, found, content, now.get(path))
        for fd, offset in self._offsets:
            _attempt(_lseek, fd, offset, os.SEEK_SET)

    def _all(self) -> "Iterator[tuple[str, os.stat_result]]":
        for path, found in _below(self._workspace):
            if not path.startswith(self._ours):
                yield path, found

    def _content(self, path: str, found: os.stat_result) -> bytes | None:
        """Of a file its bytes, of a directory nothing; None for what is not put back."""
        if not S_ISREG(found.st_mode) or found.st_size > self._room:
            return b"" if S_ISDIR(found.st_mode) else None
        self._room -= found.st_size
        try:
            fd = _open(path, _READ)
        except OSError:
            return None
        data = _pread(fd, found.st_size, 0)
        _close(fd)
        return data


def _below(folder: str) -> "Iterator[tuple[str, os.stat_result]]":
    """Everything in a directory, each before what is in it."""
    try:
        names = _listdir(folder)
    except OSError:
        return
    for name in names:
        path = f"{folder}/{name}"
        try:
            found = _lstat(path)
        except OSError:
            continue
        yield path, found
        if S_ISDIR(found.st_mode):
            yield from _below(path)


def _stamp(found: os.stat_result) -> "tuple[Any, ...]":
    """Another one when a file was changed; what is in a directory is told by itself."""
    return (found.st_mode,) if S_ISDIR(found.st_mode) else (found.st_mode, found.st_size, found.st_mtime_ns)


def _restore(path: str, known: os.stat_result, content: bytes, found: "os.stat_result | None") -> None:
    """Raises OSError. A file that is still there stays the same one: the program may have it open."""
    mode = known.st_mode & 0o7777
    is_one = found is not None and S_IFMT(found.st_mode) == S_IFMT(known.st_mode)
    if is_one:
        _chmod(path, mode)
    elif found is not None:
        _remove(path, found)
    if S_ISREG(known.st_mode):
        fd = _open(path, _REWRITE, mode)
        _fill(fd, content)
        _close(fd)
        _utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    elif not is_one:
        _mkdir(path, mode)


def _fill(fd: int, data: bytes) -> None:
    while data:
        data = data[_write(fd, data) :]


def _remove(path: str, found: os.stat_result) -> None:
    _attempt(_rmdir if S_ISDIR(found.st_mode) else _unlink, path)


def _attempt(deed: "Callable[..., Any]", *arguments: "Any") -> None:
    try:
        deed(*arguments)
    except OSError:
        return


def _rest_of_input(place: str) -> int:
    """A file of what the program has not read of its input, without a name; -1 where it has closed it."""
    kept = _open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    _unlink(place)
    try:
        while data := _read(0, 1 << 16):
            _fill(kept, data)
    except OSError:
        _close(kept)
        return -1
    return kept


def _read_from(kept: int) -> None:
    _dup2(_open(f"/proc/self/fd/{kept}", os.O_RDONLY), 0)


def _offsets() -> "Iterator[tuple[int, int]]":
    for name in _listdir("/proc/self/fd"):
        try:
            yield int(name), _lseek(int(name), 0, os.SEEK_CUR)
        except OSError:
            continue
