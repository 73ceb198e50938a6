"""Where the datasets of a state directory are, each a directory of its digest, and which one a sandbox is to see."""

from collections.abc import Collection
from pathlib import Path

from holdfast.engines import SandboxSpec
from holdfast.errors import NotFoundError, UnsupportedError


def directory(state_dir: Path) -> Path:
    """Where all of them are."""
    return state_dir / "datasets"


def place_of(state_dir: Path, spec: SandboxSpec, gone: Collection[str] = ()) -> Path:
    """The one of a sandbox. Raises UnsupportedError, NotFoundError for one that is not there or among `gone`."""
    if spec.layer:
        raise UnsupportedError("A prebuilt environment cannot be used with a dataset.", field="image")
    place = directory(state_dir) / spec.data
    if spec.data in gone or not (spec.data.isascii() and spec.data.isalnum()) or not place.is_dir():
        raise NotFoundError("That dataset is gone.", field="dataset_id")
    return place
