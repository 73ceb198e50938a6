"""The script of a step, run by its shell, with the files through which it says more than by its output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from holdfast.agents.workflow.commands import FILES, MAX_FILE_BYTES, CommandFault
from holdfast.agents.workflow.expressions import ExpressionError
from holdfast.agents.workflow.shells import command_of
from holdfast.agents.workflow.telling import Streams
from holdfast.agents.workplace import Workplace
from holdfast.engines import RESERVED, WORKSPACE, Command, Exited, Output

_SCRIPT = f"{RESERVED}/step"
"""The same for each step, so that none finds the script of another."""

_ENTER = 'cd -- "$1" || exit 1; [ -z "$2" ] || PATH="$2:$PATH"; export PATH; shift 2; exec "$@"'
_MAX_ENVIRONMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """Where a job works, and what ends it."""

    place: Workplace
    stop: anyio.Event


@dataclass(frozen=True, slots=True)
class ScriptEnd:
    """What became of a step; `reason` says why it did not succeed."""

    outcome: Literal["success", "failure", "cancelled"]
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """What to run and how: `path` are directories before those of `PATH`; `stoppable` by what ends its job."""

    text: str
    shell: str | None
    directory: str
    environment: Mapping[str, str]
    path: Sequence[str]
    seconds: float
    stoppable: bool


async def run_script(work: Work, streams: Streams, script: Script) -> tuple[ScriptEnd, Mapping[str, str]]:
    """How it ended, and what it wrote into its files, by their keys.

    Raises ExpressionError, CommandFault, EngineError.
    """
    text, environment, seconds = script.text, script.environment, script.seconds
    words = command_of(script.shell, f"{WORKSPACE}/{_SCRIPT}")
    _check(text, environment)
    said = {key: f"{RESERVED}/{key}" for key in FILES}
    command = Command(
        argv=("/bin/sh", "-c", _ENTER, "sh", script.directory, ":".join(script.path), *words),
        environment={**environment, **{FILES[key]: f"{WORKSPACE}/{name}" for key, name in said.items()}},
        files={_SCRIPT: text.encode(errors="replace"), **dict.fromkeys(said.values(), b"")},
        returns=dict.fromkeys(said.values(), MAX_FILE_BYTES),
        wall_seconds=seconds,
    )
    flooded = anyio.Event()

    async def hear(output: Output) -> None:
        await streams.hear(output)
        if streams.flooded:
            flooded.set()

    stops = (flooded, work.stop) if script.stoppable else (flooded,)
    exited = await work.place.run(command, hear, *stops)
    await streams.finish()
    end = _end(exited, seconds, flooded=flooded.is_set())
    _check_returned(exited)
    return end, {key: exited.returned.get(name, b"").decode(errors="replace") for key, name in said.items()}


def _check(script: str, environment: Mapping[str, str]) -> None:
    if "\0" in script or any("\0" in value for value in environment.values()):
        raise ExpressionError("the script or its environment holds the character NUL")
    size = sum(len(name) + len(value.encode(errors="replace")) for name, value in environment.items())
    if size > _MAX_ENVIRONMENT_BYTES:
        raise ExpressionError(f"the environment is larger than {_MAX_ENVIRONMENT_BYTES:,} bytes")


def _check_returned(exited: Exited) -> None:
    """Raises CommandFault for a file that was too large, or is none any more."""
    large = next((note for note in exited.notes if note.startswith(RESERVED)), None)
    if large is not None:
        raise CommandFault(f"A file of the step cannot be read: {large}")


def _end(exited: Exited, seconds: float, *, flooded: bool) -> ScriptEnd:
    if exited.reason == "wall":
        return ScriptEnd("failure", f"It was ended after {seconds:g} seconds.")
    if flooded:
        return ScriptEnd("failure", "It was ended because it wrote far more output than is kept.")
    if exited.reason is not None:
        return ScriptEnd("cancelled", "It was ended because its job was cancelled.")
    if exited.usage.out_of_memory:
        return ScriptEnd("failure", "It needed more memory than the sandbox has.")
    if exited.signal is not None:
        return ScriptEnd("failure", f"It was ended by signal {exited.signal}.")
    if exited.exit_code:
        full = ", and its disk is full" if exited.disk_full else ""
        return ScriptEnd("failure", f"It ended with exit code {exited.exit_code}{full}.")
    return ScriptEnd("success")
