"""Which containers on a daemon belong to nobody any more.

Every engine has a lock of its own in the state directory, and its name on its containers. A container of this state
directory whose engine holds no lock was left by one that was killed.
"""

import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from holdfast import locks
from holdfast.engines.docker.config import INSTANCE_LABEL, STATE_LABEL

_IDENTITY = "id"
_LOCK = ".lock"


class Instance:
    """One engine that lives, from the outside. Close it when the engine has ended."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "docker"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state = self._identity()
        self._name = secrets.token_hex(8)
        self._lock = os.open(self._folder / f"{self._name}{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def labels(self) -> Mapping[str, str]:
        """What our containers carry."""
        return {STATE_LABEL: self._state, INSTANCE_LABEL: self._name}

    @property
    def of_this_state(self) -> str:
        """The label of all containers of this state directory, as a filter."""
        return f"{STATE_LABEL}={self._state}"

    def is_left_over(self, labels: Mapping[str, str]) -> bool:
        """Whether a container of this state directory has lost its engine."""
        name = labels.get(INSTANCE_LABEL, "")
        if name == self._name:
            return False
        return not locks.is_claimed(self._folder / f"{os.path.basename(name)}{_LOCK}")

    def close(self) -> None:
        """From here on our containers are left over, and so are the locks of other engines that were killed."""
        (self._folder / f"{self._name}{_LOCK}").unlink(missing_ok=True)
        os.close(self._lock)

    def _identity(self) -> str:
        """A name for the state directory that no other one has, wherever it is mounted."""
        path = self._folder / _IDENTITY
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(12))
        except FileExistsError:
            pass
        return path.read_text()
