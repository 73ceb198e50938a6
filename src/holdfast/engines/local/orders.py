"""How a cell is told what to run: as a message, or laid out so that cell.c need not decode one."""

import resource
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.guest.frames import json_text, marshalled
from holdfast.guest.groups import MEMORY_OF_OURS
from holdfast.guest.guest import job_of_started

_ORDER = struct.Struct("=cBBBHHIIIqdd")
_RLIMIT, _FILE, _RETURNED = struct.Struct("=BQ"), struct.Struct("=BBI"), struct.Struct("=Q")
_KIND = b"X"
_BESIDE_THE_JOB = ("wall_seconds", "cpu_seconds", "artifacts", "artifact_bytes", "returns")
MOST_NAME_BYTES, MOST_FILES = 255, 65_535


@dataclass(frozen=True, slots=True)
class _Told:
    """What the guest is told, and what is done for it because it runs already."""

    job: bytes
    rlimits: tuple[bytes, ...] = ()
    files: tuple[bytes, ...] = ()


def can_lay_out(header: Mapping[str, Any]) -> bool:
    """Whether there is such an order: cell.c places files of a started program only directly in the workspace."""
    files = header["job"]["files"] if header["started"] else []
    return len(files) <= MOST_FILES and all(
        "/" not in name and len(name.encode()) <= MOST_NAME_BYTES for name, _ in files
    )


def laid_out(
    header: Mapping[str, Any], knobs: Mapping[str, int], environment: Mapping[str, str], memory_bytes: int
) -> bytes:
    """An order for a cell that was made by cell.c and has run nothing yet, and may use so much memory.

    `knobs` numbers its limits; `environment` is what the cell has beside that of the job.
    """
    writes = b"".join(_write(knobs[name], value.encode()) for name, value in header["writes"].items())
    disk = (header["disk"] or "").encode()
    returns = b"".join(_RETURNED.pack(most) + name.encode() + b"\0" for name, most in header["returns"].items())
    told = _started(header["job"], environment) if header["started"] else _Told(marshalled(header["job"]))
    rest = marshalled({key: header[key] for key in _BESIDE_THE_JOB})
    cpu_seconds = -1.0 if header["cpu_seconds"] is None else header["cpu_seconds"]
    counts = (len(header["writes"]), bool(header["artifacts"]), len(told.rlimits), len(disk), len(told.files))
    lengths = (len(returns), len(told.job), len(rest))
    roomy = memory_bytes - MEMORY_OF_OURS
    order = _ORDER.pack(_KIND, *counts, *lengths, roomy, header["wall_seconds"], cpu_seconds)
    return b"".join((order, writes, disk, *told.rlimits, *told.files, returns, told.job, rest))


def _started(job: Mapping[str, Any], environment: Mapping[str, str]) -> _Told:
    return _Told(
        json_text(job_of_started(job, environment)),
        tuple(_RLIMIT.pack(getattr(resource, name), value) for name, value in job["rlimits"].items()),
        tuple(_file(name.encode(), size, executable=name in job["executables"]) for name, size in job["files"]),
    )


def _write(knob: int, value: bytes) -> bytes:
    return bytes((knob, len(value))) + value


def _file(name: bytes, size: int, *, executable: bool) -> bytes:
    return _FILE.pack(len(name), executable, size) + name
