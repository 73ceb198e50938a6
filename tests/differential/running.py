"""Runs programs on an engine, warm and cold, and keeps what a caller can compare."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.engines import Command, Engine, Exited, Output, SandboxSpec
from holdfast.types import Limits
from tests.differential.program import Program

WALL_SECONDS = 30.0
LIMITS = Limits(
    wall_seconds=WALL_SECONDS,
    memory_bytes=512 << 20,
    disk_bytes=64 << 20,
    output_bytes=16 << 20,
    processes=64,
    open_files=1024,
    cpu_shares=512,
)
COLD = {"LANG": "C.UTF-8"}
"""One of the variables with which python is started anew, with the value it has anyway."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a caller gets to see of a run, but its times."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None
    signal: int | None
    reason: str | None
    artifacts: Mapping[str, bytes]
    notes: tuple[str, ...]


async def outcome(engine: Engine, program: Program, *, profile: str = "", cold: bool = False) -> Outcome:
    """Run a program in a sandbox of its own to its end."""
    command = Command(
        ("python", "main.py", *program.args),
        environment=COLD if cold else {},
        stdin=program.stdin,
        files=program.all_files(),
        artifacts=program.artifacts,
        wall_seconds=WALL_SECONDS,
    )
    sandbox = await engine.create(SandboxSpec("python", LIMITS, profile=profile))
    try:
        async with sandbox.exec(command) as process:
            events = [event async for event in process]
    finally:
        await sandbox.aclose()
    exited = events[-1]
    assert isinstance(exited, Exited)
    said = {"stdout": b"", "stderr": b""}
    for event in events:
        if isinstance(event, Output):
            said[event.stream] += event.data
    ended = (exited.exit_code, exited.signal, exited.reason)
    return Outcome(said["stdout"], said["stderr"], *ended, exited.artifacts, exited.notes)
