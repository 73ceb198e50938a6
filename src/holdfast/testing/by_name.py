"""Files handled by name, through whatever links there are: what the engine without isolation does on purpose."""

import glob
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from holdfast.errors import EngineError, InvalidFileNameError


def checked_name(path: str) -> str:
    """The name, if it can be one inside a workspace. Raises InvalidFileNameError."""
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise InvalidFileNameError(f"{path[:80]!r} is not a file name inside the workspace.", field="files")
    return path


def collect(workspace: Path, patterns: tuple[str, ...], max_bytes: int) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """Read what the patterns match, by name, following links; a file above the cap is cut. Raises EngineError."""
    found: dict[str, bytes] = {}
    notes: list[str] = []
    try:
        for name in sorted({name for pattern in patterns for name in matches(workspace, pattern)}):
            room = max_bytes - sum(map(len, found.values()))
            found[name] = _read_prefix(workspace / name, room)
            if os.stat(workspace / name).st_size > room:
                notes.append(f"The artifact '{name}' is larger than the {max_bytes} bytes that may be returned.")
    except (OSError, RecursionError, ValueError) as error:
        raise EngineError(f"The artifacts could not be read: {error}.") from error
    return found, tuple(notes)


def matches(workspace: Path, pattern: str) -> list[str]:
    """The names that fit, of everything but directories."""
    names = glob.glob(pattern, root_dir=workspace, recursive=True)
    return [name for name in names if not os.path.isdir(workspace / name)]


def read_named(workspace: Path, wanted: Mapping[str, int]) -> Mapping[str, bytes]:
    """Read files by name, each cut at its cap."""
    return {name: _read_prefix(workspace / name, most) for name, most in wanted.items() if (workspace / name).is_file()}


def _read_prefix(path: Path, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(size) or b""
