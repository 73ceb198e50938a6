"""Which containers on a daemon belong to nobody any more.

Every engine has a lock of its own in the state directory, and its name on its containers. A container of this state
directory whose engine holds no lock was left by one that was killed. What a copy of the directory has made is not ours.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.engines.docker.config import INSTANCE_LABEL, STATE_LABEL

_IDENTITY = "id"
_LOCK = ".lock"


class Instance:
    """One engine that lives, from the outside. Close it when the engine has ended."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "docker"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.owner: Mapping[str, str] = {STATE_LABEL: self._identity()}
        self._name, self._lock = self._claimed()
        self._remove_locks_of_others()

    @property
    def labels(self) -> Mapping[str, str]:
        """What our containers carry; `owner` is what everything of this state directory does."""
        return {**self.owner, INSTANCE_LABEL: self._name}

    def is_left_over(self, labels: Mapping[str, str]) -> bool:
        """Whether a container of this state directory has lost its engine."""
        name = os.path.basename(labels.get(INSTANCE_LABEL, ""))
        if name == self._name:
            return False
        with _free(self._place_of(name)) as free:
            return free

    def close(self) -> None:
        """From here on our containers are left over."""
        self._place_of(self._name).unlink(missing_ok=True)
        os.close(self._lock)

    def _place_of(self, name: str) -> Path:
        return self._folder / f"{name}{_LOCK}"

    def _claimed(self) -> tuple[str, int]:
        """A fresh name, and its lock. Before that was held, somebody else may have taken it for one of the dead."""
        while True:
            name = secrets.token_hex(8)
            place = self._place_of(name)
            lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), place.stat()):
                    return name, lock
            os.close(lock)

    def _remove_locks_of_others(self) -> None:
        for place in self._folder.glob(f"*{_LOCK}"):
            with _free(place) as free:
                if free:
                    place.unlink(missing_ok=True)

    def _identity(self) -> str:
        """A name that no other state directory has: not where this one is mounted, but neither a copy of it."""
        path = self._folder / _IDENTITY
        fresh = self._folder / secrets.token_hex(8)
        fresh.write_text(secrets.token_hex(12))
        # Of several that start at once one is first, and what it has written is complete.
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
        return f"{path.read_text()}-{path.stat().st_ino}"


@contextmanager
def _free(place: Path) -> Iterator[bool]:
    """Whether nobody holds this lock; in that case nobody can until the end of the block."""
    try:
        lock = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _can_lock(lock)
    finally:
        os.close(lock)


def _can_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
