"""One promise of the engine seam, how it is checked, and who cannot keep it.

A case that an engine cannot do is declared in `CANNOT` with the reason; it must then fail, and is an error once it
starts to pass.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypedDict, Unpack

from holdfast.engines import Command, Engine, Exited, Output, Process, Sandbox, SandboxSpec
from holdfast.languages import LANGUAGES
from holdfast.testing.attacks.arena import LIMITS

WALL_SECONDS = 20.0


class Check(Protocol):
    """A case; the name of the function is the sentence."""

    __name__: str

    def __call__(self, engine: Engine, /) -> Awaitable[None]: ...


class Options(TypedDict, total=False):
    """Fields of a Command that a case may set."""

    environment: Mapping[str, str]
    stdin: bytes
    artifacts: tuple[str, ...]
    artifact_bytes: int
    returns: Mapping[str, int]
    wall_seconds: float


CANNOT: Mapping[str, Mapping[str, str]] = {
    "unisolated": {
        "the_environment_of_the_server_is_not_inherited": "programs inherit everything from the server",
        "two_sandboxes_do_not_see_each_other": "workspaces are directories side by side",
        "a_background_process_of_another_session_ends_before_the_verdict": "only the process group is killed",
        "an_exit_code_above_128_is_not_a_signal": "exit codes are read by shell convention",
        "memory_is_counted": "nothing counts memory",
        "a_link_is_not_an_artifact": "artifacts are read by name, through links",
        "a_link_is_not_listed": "files are listed by name, through links",
        "an_artifact_that_is_too_large_is_left_out": "a file above the cap is cut",
        "a_file_is_handed_back_up_to_its_size": "a file above the cap is cut",
    },
}


class BrokenPromiseError(AssertionError):
    """An engine did not do what the seam promises."""


@dataclass(frozen=True, slots=True)
class Case:
    """One promise; its name is the sentence."""

    name: str
    check: Check

    def excuse(self, engine: str) -> str | None:
        """Why this engine cannot do it, if so declared."""
        return CANNOT.get(engine, {}).get(self.name)


@dataclass(slots=True)
class Heard:
    """What one command said, and its verdict."""

    stdout: bytes = b""
    stderr: bytes = b""
    chunks: list[Output] = field(default_factory=list)
    verdicts: list[Exited] = field(default_factory=list)

    @property
    def exited(self) -> Exited:
        return self.verdicts[0]


def require(condition: object, found: object = "") -> None:
    """Raises BrokenPromiseError with what was found instead."""
    if not condition:
        raise BrokenPromiseError(f"found {found!r}")


async def run_case(case: Case, engine: Engine) -> None:
    """Run one case. Raises BrokenPromiseError; also when a case passes that the engine was declared unable to do."""
    excuse = case.excuse(engine.capabilities.engine)
    if excuse is None:
        return await case.check(engine)
    try:
        await case.check(engine)
    except BrokenPromiseError:
        return
    raise BrokenPromiseError(f"{case.name} passes now; remove the excuse '{excuse}'")


@asynccontextmanager
async def sandbox(engine: Engine, language: str = "python") -> AsyncIterator[Sandbox]:
    """A sandbox with ordinary limits, closed afterwards."""
    made = await engine.create(SandboxSpec(language, LIMITS.model_copy(update={"wall_seconds": WALL_SECONDS})))
    try:
        yield made
    finally:
        await made.aclose()


def command(
    code: str,
    *args: str,
    language: str = "python",
    files: Mapping[str, bytes] | None = None,
    **options: Unpack[Options],
) -> Command:
    """The command that runs `code`."""
    row = LANGUAGES[language]
    everything = {**(files or {}), row.main_file: code.encode()}
    return replace(Command((*row.run, *args), files=everything, wall_seconds=WALL_SECONDS), **options)


async def listen(process: Process) -> Heard:
    """Everything a process has to say."""
    heard = Heard()
    async for event in process:
        if isinstance(event, Exited):
            heard.verdicts.append(event)
            continue
        require(not heard.verdicts, "output after the verdict")
        heard.chunks.append(event)
    heard.stdout = b"".join(chunk.data for chunk in heard.chunks if chunk.stream == "stdout")
    heard.stderr = b"".join(chunk.data for chunk in heard.chunks if chunk.stream == "stderr")
    require(len(heard.verdicts) == 1, heard.verdicts)
    return heard


async def run_in(box: Sandbox, what: Command) -> Heard:
    """Run a command in a sandbox to its end."""
    async with box.exec(what) as process:
        return await listen(process)


async def run(engine: Engine, what: Command, language: str = "python") -> Heard:
    """Run a command in a sandbox of its own to its end."""
    async with sandbox(engine, language) as box:
        return await run_in(box, what)
