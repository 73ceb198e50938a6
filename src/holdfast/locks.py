"""Locks on files and directories: several processes see them, and they end with whoever holds them, in whatever way."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def hold(directory: Path) -> int | None:
    """A descriptor that keeps it from being removed until it is closed; None if it is gone, or almost."""
    try:
        fd = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return None
    return _locked(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def make(directory: Path) -> int:
    """Make it, everybody may read it; the descriptor makes it ours alone until it is closed."""
    while (lock := _made(directory)) is None:
        continue
    return lock


def _made(directory: Path) -> int | None:
    """None if somebody swept it away before it was locked."""
    directory.mkdir(mode=0o755)
    try:
        lock = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not directory.exists():
        os.close(lock)
        return None
    os.fchmod(lock, 0o755)
    return lock


def claim(file: Path) -> int | None:
    """A descriptor of a file, made if need be, that nobody else can claim until it is closed; None if it is taken."""
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _locked(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_claimed(path: Path) -> bool:
    """Whether it is there, and somebody has it alone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    lock = _locked(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    if lock is not None:
        os.close(lock)
    return lock is None


def remove_if_free(directory: Path, is_wanted: Callable[[str], bool]) -> None:
    """Remove it, unless somebody holds it or its name is wanted, which is asked when nobody can hold it any more.

    It goes by descriptors and follows no link.
    """
    try:
        fd = os.open(directory, _DIRECTORY)
    except OSError:
        return
    lock = _locked(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock is None:
        return
    try:
        if not is_wanted(directory.name):
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)


def _locked(fd: int, how: int) -> int | None:
    """The descriptor, locked; closed if somebody else has a lock on it."""
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
