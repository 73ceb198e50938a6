"""Datasets that an operator describes in a `registry.json`, and the demo datasets, which are described in the same way.

The registry is trusted as far as it names files below its own folder; what those files hold is not.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.data import demo
from holdfast.data.store import Fresh
from holdfast.data.wanted import Source, is_id, sources
from holdfast.errors import ConfigurationError
from holdfast.types import Relationship

REGISTRY = "registry.json"
_PIECE = 1 << 20


class _Lenient(BaseModel):
    """Registries of others may say more than we read."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class RegistryColumn(_Lenient):
    """What is said of a column; its type is found out."""

    description: str = ""


class RegistryFile(_Lenient):
    """A file that is a table."""

    name: str = ""
    path: str
    description: str = ""
    columns: dict[str, RegistryColumn] = Field(default_factory=dict, alias="schema")


class RegistryLink(_Lenient):
    """Two columns, each as `table.column`."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")


class Entry(_Lenient):
    """A dataset of a registry."""

    id: str
    name: str
    description: str = ""
    files: tuple[RegistryFile, ...]
    relationships: tuple[RegistryLink, ...] = ()
    prompts: tuple[str, ...] = ()

    def linked(self) -> tuple[Relationship, ...]:
        """Its relationships, by the names of tables."""
        ends = [(link.source.rpartition("."), link.target.rpartition(".")) for link in self.relationships]
        return tuple(
            Relationship(from_table=_stem(a[0]), from_column=a[2], to_table=_stem(b[0]), to_column=b[2])
            for a, b in ends
        )


class _Registry(_Lenient):
    datasets: tuple[Entry, ...]


class Catalogue(Protocol):
    """Datasets that are there without being uploaded. All of it blocks."""

    def entries(self) -> Sequence[Entry]:
        """Raises ConfigurationError."""
        ...

    def signature(self, entry: Entry) -> str:
        """Another text when its files may have changed."""
        ...

    def fill(self, entry: Entry, fresh: Fresh) -> list[Source]:
        """Place its files in a fresh directory. Raises ConfigurationError, OSError."""
        ...


class DemoCatalogue:
    """The datasets that come with Holdfast."""

    def __init__(self) -> None:
        text = demo.registry()
        self._entries = _parsed(text, "the demo registry")
        self._signature = "demo:" + hashlib.sha256(text.encode()).hexdigest()

    def entries(self) -> Sequence[Entry]:
        return self._entries

    def signature(self, entry: Entry) -> str:
        return f"{self._signature}:{entry.id}"

    def fill(self, entry: Entry, fresh: Fresh) -> list[Source]:
        made = demo.files(entry.id)
        found = []
        for source in sources([each.path for each in entry.files]):
            data = made[entry.files[int(source.place)].path]
            with open(fresh.create(source.place), "wb") as file:
                file.write(data)
            found.append(replace(source, sha256=hashlib.sha256(data).hexdigest()))
        return found


class FolderCatalogue:
    """A folder with a `registry.json` and the files it names, as it is at each moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[tuple[int, int, int], Sequence[Entry]] | None = None

    def entries(self) -> Sequence[Entry]:
        path = self._folder / REGISTRY
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _parsed(path.read_text("utf-8"), str(path))
            return self._read[1]
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise ConfigurationError(
                f"The registry {path} of HOLDFAST_DATASETS_DIR cannot be read: {reason}."
            ) from None

    def signature(self, entry: Entry) -> str:
        stamps = []
        for each in entry.files:
            status = os.stat(self._path(each.path))
            stamps.append((each.path, status.st_size, status.st_mtime_ns, status.st_ino))
        return "folder:" + hashlib.sha256(json.dumps([entry.model_dump(), stamps]).encode()).hexdigest()

    def fill(self, entry: Entry, fresh: Fresh) -> list[Source]:
        return [
            replace(source, sha256=copied(self._path(entry.files[int(source.place)].path), fresh, source.place))
            for source in sources([each.path for each in entry.files])
        ]

    def _path(self, name: str) -> Path:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            raise ConfigurationError(f"The registry names '{name}', which is no file below {self._folder}.")
        return path


def copied(path: Path, fresh: Fresh, place: str) -> str:
    """Copy a file into a fresh directory; the digest of its bytes."""
    with open(path, "rb") as source, open(fresh.create(place), "w+b") as target:
        shutil.copyfileobj(source, target, _PIECE)
        target.seek(0)
        return hashlib.file_digest(target, "sha256").hexdigest()


def _parsed(text: str, where: str) -> Sequence[Entry]:
    try:
        entries = _Registry.model_validate_json(text).datasets
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise ConfigurationError(f"{where} is no registry of datasets: {place}: {fault['msg']}.") from None
    wrong = [entry.id for entry in entries if not is_id(entry.id)]
    if wrong or len({entry.id for entry in entries}) != len(entries):
        raise ConfigurationError(f"{where} has an id that is none, or one twice: {', '.join(wrong)[:200]}.")
    return entries


def _stem(table: str) -> str:
    name = table.rpartition("/")[2]
    return sources([name])[0].table if name.lower().endswith((".csv", ".parquet", ".tsv")) else name
