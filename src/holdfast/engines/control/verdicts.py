"""What a pid 1 says of a program that has ended, as the seam says it."""

from typing import Any

from holdfast.engines import Exited
from holdfast.errors import EngineError, HoldfastError
from holdfast.guest.frames import split_files
from holdfast.types import Usage


def verdict_of(header: dict[str, Any], payload: bytes) -> Exited | HoldfastError:
    """The verdict in a report, or why there is none."""
    if header["op"] != "exited":
        return EngineError(f"The sandbox failed: {header.get('error', 'unknown answer')}.")
    files = split_files(header["artifacts"], payload)
    return Exited(
        exit_code=header["exit_code"],
        signal=header["signal"],
        reason=header["reason"],
        usage=usage_of(header["usage"]),
        disk_full=header["disk_full"],
        returned={name: files.pop(name) for name in header["returned"]},
        artifacts=files,
        notes=tuple(header["notes"]),
        start_ms=header["start_ms"],
        run_ms=header["run_ms"],
        collect_ms=header["collect_ms"],
    )


def usage_of(counted: dict[str, Any]) -> Usage:
    """The account of a pid 1."""
    return Usage(
        wall_seconds=counted["wall_seconds"],
        cpu_user_seconds=counted["cpu_user_seconds"],
        cpu_system_seconds=counted["cpu_system_seconds"],
        memory_peak_bytes=counted["memory_peak"],
        processes_peak=counted["processes_peak"],
        out_of_memory=bool(counted["oom_kills"]),
    )


def killed_for_memory(memory_bytes: int) -> Exited:
    """The verdict when the kernel took pid 1 with everything else."""
    usage = Usage(
        wall_seconds=0.0,
        cpu_user_seconds=0.0,
        cpu_system_seconds=0.0,
        memory_peak_bytes=memory_bytes,
        processes_peak=None,
        out_of_memory=True,
    )
    return Exited(exit_code=None, signal=9, reason=None, usage=usage, disk_full=False)
