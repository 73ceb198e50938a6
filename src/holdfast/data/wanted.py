"""What a request for a dataset means: its id, its tables, and the name of what is in its files."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast.errors import InvalidFieldError, TooLargeError
from holdfast.execution.names import shown

FORMATS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
"""How a file is read, by its ending."""

MAX_FILES = 100
MAX_NAME = 200
MAX_DESCRIPTION = 4_000
_READING = 1
"""Part of every digest: another number when files are read in another way."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RESERVED = frozenset({"data", "sheet", "reject_errors", "reject_scans"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a dataset: where a sandbox finds it, what its sender calls it, and the digest of its bytes."""

    place: str
    name: str
    table: str
    format: str
    sha256: str = ""


def checked_id(given: str) -> str:
    """Raises InvalidFieldError."""
    if _ID.fullmatch(given) is None:
        raise InvalidFieldError(
            f"{shown(given)} is no id of a dataset; use up to 63 lower-case letters, digits, '-' and '_', "
            "a letter or digit first.",
            field="id",
        )
    return given


def is_id(text: str) -> bool:
    """Whether a dataset could be called so."""
    return _ID.fullmatch(text) is not None


def id_of(name: str) -> str:
    """An id that resembles a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48] or "dataset"


def sources(names: Sequence[str]) -> list[Source]:
    """How files with these names are read, in their order. Raises InvalidFieldError, TooLargeError."""
    if not names:
        raise InvalidFieldError("A dataset needs at least one file.", field="files")
    if len(names) > MAX_FILES:
        raise TooLargeError(f"A dataset has at most {MAX_FILES} files.", field="files")
    found: list[Source] = []
    taken = set(_RESERVED)
    for number, name in enumerate(names):
        table = _free(_table(name), taken)
        found.append(Source(str(number), _shown_name(name), table, _format(name)))
    return found


def digest_of(files: Iterable[Source], *, skip_rejected: bool) -> str:
    """The name of what is in them: the same files, read in the same way, always have the same."""
    parts = sorted((source.table, source.format, source.sha256) for source in files)
    return hashlib.sha256(json.dumps([_READING, skip_rejected, parts]).encode()).hexdigest()


def _format(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    if not stem or "." + ending.lower() not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        raise InvalidFieldError(f"{shown(name)} cannot be read; the endings that can are {known}.", field="files")
    return FORMATS["." + ending.lower()]


def _table(name: str) -> str:
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    table = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:60] or "table"
    return f"t_{table}" if table[0].isdigit() else table


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def _shown_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2][:MAX_NAME]
