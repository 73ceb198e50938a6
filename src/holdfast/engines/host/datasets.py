"""Where the datasets of a state directory are, each a directory of its digest, and which one a sandbox is to see."""

import os
from collections.abc import Collection
from pathlib import Path

from holdfast.engines import SandboxSpec
from holdfast.errors import NotFoundError, UnsupportedError


def directory(state_dir: Path) -> Path:
    """Where all of them are."""
    return state_dir / "datasets"


def size_of(state_dir: Path, digest: str) -> int:
    """How many bytes it has; 0 for one that is gone."""
    try:
        with os.scandir(directory(state_dir) / digest) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0


def place_of(state_dir: Path, spec: SandboxSpec, gone: Collection[str] = ()) -> Path:
    """The one of a sandbox. Raises UnsupportedError, NotFoundError for one that is not there or among `gone`."""
    if spec.layer:
        raise UnsupportedError("A prebuilt environment cannot be used with a dataset.", field="image")
    place = directory(state_dir) / spec.data
    if spec.data in gone or not (spec.data.isascii() and spec.data.isalnum()) or not place.is_dir():
        raise NotFoundError("That dataset is gone.", field="dataset_id")
    return place
