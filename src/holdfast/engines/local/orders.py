"""How a cell is told what to run: as a message, or laid out so that cell.c need not decode one."""

import struct
from collections.abc import Mapping
from typing import Any

from holdfast.guest.frames import marshalled

_ORDER = struct.Struct("=cBBHIIIdd")
_KIND = b"X"
_BESIDE_THE_JOB = ("wall_seconds", "cpu_seconds", "artifacts", "artifact_bytes", "returns")


def laid_out(header: Mapping[str, Any], knobs: Mapping[str, int]) -> bytes:
    """An order for a cell that was made by cell.c and has run nothing yet. `knobs` numbers its limits."""
    writes = b"".join(_write(knobs[name], value.encode()) for name, value in header["writes"].items())
    disk = (header["disk"] or "").encode()
    returns = b"".join(name.encode() + b"\0" for name in header["returns"])
    job = marshalled(header["job"])
    rest = marshalled({key: header[key] for key in _BESIDE_THE_JOB})
    cpu_seconds = -1.0 if header["cpu_seconds"] is None else header["cpu_seconds"]
    collects = bool(header["artifacts"])
    lengths = (len(disk), len(returns), len(job), len(rest))
    order = _ORDER.pack(_KIND, len(header["writes"]), collects, *lengths, header["wall_seconds"], cpu_seconds)
    return b"".join((order, writes, disk, returns, job, rest))


def _write(knob: int, value: bytes) -> bytes:
    return bytes((knob, len(value))) + value
