"""Files that tasks leave: in a directory of each task, under names that are checked, and bounded."""

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from holdfast.errors import InvalidFileNameError, NotFoundError, TooLargeError, full_disk_is_ours

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,127}")
_PARTIAL = ".partial"


class TaskFiles:
    """The directory of all tasks' files. No method waits for anything but the disk; call them in a thread."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def write(self, task_id: str, name: str, data: bytes) -> None:
        """Keep a file, in place of one of that name. Raises InvalidFileNameError, TooLargeError, StorageFullError."""
        folder = self._folder / task_id
        place = folder / checked(name)
        others = _size(path for path in _files(folder) if path != place)
        if others + len(data) > self._most_bytes:
            raise TooLargeError(f"The files of a task may have {self._most_bytes:,} bytes together.")
        with full_disk_is_ours():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = folder / f"{_PARTIAL}{name}"
            partial.write_bytes(data)
            partial.replace(place)

    def read(self, task_id: str, name: str) -> bytes:
        """One file. Raises NotFoundError, InvalidFileNameError."""
        try:
            return (self._folder / task_id / checked(name)).read_bytes()
        except FileNotFoundError:
            raise NotFoundError("The task has no such file; GET /tasks/{id} lists its artifacts.") from None

    def names(self, task_id: str) -> tuple[str, ...]:
        """The files of a task."""
        return tuple(sorted(path.name for path in _files(self._folder / task_id)))

    def remove(self, task_id: str) -> None:
        """Remove all files of a task."""
        shutil.rmtree(self._folder / task_id, ignore_errors=True)

    def sizes(self) -> dict[str, int]:
        """How large the files of each task are together."""
        return {folder.name: _size(folder.glob("*")) for folder in self._folder.glob("*")}


def checked(name: str) -> str:
    """The name of a file. Raises InvalidFileNameError."""
    if _NAME.fullmatch(name) is None:
        raise InvalidFileNameError(
            "The name of a file of a task has at most 128 letters, digits, spaces, '.', '_' and '-'.", field="name"
        )
    return name


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if not path.name.startswith(_PARTIAL)]


def _size(files: Iterable[Path]) -> int:
    total = 0
    for path in files:
        # Whoever removes a task is not waited for.
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
