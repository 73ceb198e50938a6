"""How a command starts in a sandbox of ours."""

import re
from collections.abc import Mapping
from typing import Any

from holdfast.engines import FRAMES_VARIABLE, Command
from holdfast.guest.frames import join_files

FRAMES_DESCRIPTOR = 3

COLD_VARIABLES = re.compile(
    r"LANG|LANGUAGE|LC_.*|TZ|MALLOC_.*|GLIBC_.*|.*_NUM_THREADS|HOME|USER|LOGNAME|ARROW_.*|MPL.*"
    r"|NPY_.*|NUMPY_.*|PANDAS_.*|DUCKDB_.*"
)
"""Variables an interpreter or a library reads once, while it starts: with one of them set, python is started anew."""


def needs_cold_start(command: Command) -> bool:
    """Whether a command cannot be run by an interpreter that has started already."""
    return any(map(COLD_VARIABLES.fullmatch, command.environment))


def job_of(command: Command, rlimits: Mapping[str, int]) -> tuple[dict[str, Any], bytes]:
    """What a guest is told, and the contents of its files."""
    index, payload = join_files(dict(command.files))
    environment = dict(command.environment)
    if command.interactive:
        environment[FRAMES_VARIABLE] = str(FRAMES_DESCRIPTOR)
    job = {
        "argv": command.argv,
        "environment": environment,
        "files": index,
        "executables": tuple(command.executables),
        "rlimits": rlimits,
        "cold": needs_cold_start(command),
    }
    return job, payload


def order_of(command: Command, cpu_seconds: float | None) -> dict[str, Any]:
    """What its pid 1 is told besides."""
    return {
        "op": "exec",
        "wall_seconds": command.wall_seconds,
        "cpu_seconds": cpu_seconds,
        "artifacts": command.artifacts,
        "artifact_bytes": command.artifact_bytes,
        "returns": dict(command.returns),
    }
