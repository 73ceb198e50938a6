"""The phase before the run: from source files to a program, once for each caller who sends the same files.

The compiler runs in a sandbox of its own. It sees nothing but the files, and what decides its result is in the key:
who sends other files, or has another toolchain, gets another entry. So does another caller, whom neither `cached` nor
the time it took may tell what was compiled here before.
"""

import hashlib
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import anyio
from anyio.to_thread import run_sync

from holdfast.engines import Command, SandboxSpec
from holdfast.execution.origins import owner_of_this
from holdfast.execution.programs import Program, ProgramStore
from holdfast.execution.record import Run
from holdfast.languages import PRODUCT, Language
from holdfast.toolchains import pins
from holdfast.types import Compile, Event, Limits, RunResult, Status, Truncated

MAX_PROGRAM_BYTES = 64 << 20

Execute = Callable[[Run, Command], AsyncGenerator[Event, None]]
"""Run a command in a fresh sandbox of its own, as events, up to the verdict."""


@dataclass(frozen=True, slots=True)
class Built:
    """The outcome of the phase: a program, or the result that says why there is none."""

    compile: Compile
    program: bytes = b""
    failure: RunResult | None = None


class _Turn:
    """Those who want the same program at the same moment. They share the outcome of the first, also its failure."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.failed: Built | None = None


class Builder:
    """Compiles, unless that has been done before. One compile at a time for each key; the others wait for it."""

    def __init__(self, execute: Execute, limits: Limits, store: ProgramStore | None) -> None:
        self._execute = execute
        self._limits = limits
        self._store = store
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    async def build(self, language: Language, version: str, files: Mapping[str, bytes], layer: str = "") -> Built:
        """The program these files mean, in this layer. Raises EngineError, NotFoundError, StorageFullError."""
        started = time.monotonic()
        key = key_of(language, version, files, layer, owner_of_this())
        turn = self._turns.setdefault(key, _Turn())
        async with turn.lock:
            if turn.failed is not None:
                return turn.failed
            known = await self._known(key)
            if known is not None:
                return Built(_said(known, time.monotonic() - started), known.content)
            built = await self._compile(key, language, files, layer)
            turn.failed = built if built.failure is not None else None
            return built

    async def _known(self, key: str) -> Program | None:
        if self._store is None:
            return None
        program = self._store.recent(key) or await run_sync(self._store.get, key)
        if program is not None:
            self._store.remember(key, program)
        return program

    async def _compile(self, key: str, language: Language, files: Mapping[str, bytes], layer: str) -> Built:
        run = Run(SandboxSpec(language.name, self._limits, layer=layer))
        command = Command(
            argv=language.compile,
            environment=language.environment,
            files=files,
            wall_seconds=self._limits.wall_seconds,
            returns={PRODUCT: MAX_PROGRAM_BYTES},
        )
        run.mark()
        async with aclosing(self._execute(run, command)) as events:
            async for _ in events:
                continue
        result = _without_a_program(run.finished().result, run.returned)
        compiled = Compile(cached=False, **result.model_dump(include=_SHARED))
        if result.status is not Status.SUCCEEDED:
            return Built(compiled, failure=result.model_copy(update={"phase": "compile", "compile": compiled}))
        content = run.returned[PRODUCT]
        await self._keep(key, Program(content, result.stdout, result.stderr, *result.truncated.model_dump().values()))
        return Built(compiled, content)

    async def _keep(self, key: str, program: Program) -> None:
        """What cannot be kept, as on a full disk, is compiled again the next time."""
        if self._store is not None:
            with suppress(OSError):
                await run_sync(self._store.put, key, program)


_SHARED = {"stdout", "stderr", "exit_code", "execution_time", "truncated"}


def key_of(
    language: Language, version: str, files: Mapping[str, bytes], layer: str = "", owner: str | None = None
) -> str:
    """A name for everything the compiler can read, and for whom."""
    toolchain = hashlib.sha256(pins(language.name)).hexdigest()
    flags = [language.name, version, toolchain, language.compile, sorted(language.environment.items())]
    flags += [layer, owner or ""] if layer or owner else []
    names = [[name, hashlib.sha256(content).hexdigest()] for name, content in sorted(files.items())]
    return hashlib.sha256(json.dumps([flags, names]).encode()).hexdigest()


def with_program(command: Command, program: bytes) -> Command:
    """The command that runs a compiled program."""
    return replace(command, files={**command.files, PRODUCT: program}, executables=frozenset({PRODUCT}))


def _said(program: Program, seconds: float) -> Compile:
    return Compile(
        stdout=program.stdout,
        stderr=program.stderr,
        exit_code=0,
        execution_time=round(seconds, 4),
        cached=True,
        truncated=Truncated(stdout=program.stdout_truncated, stderr=program.stderr_truncated),
    )


def _without_a_program(result: RunResult, returned: Mapping[str, bytes]) -> RunResult:
    """The compiler's result; success without a program is failure, and a failure of the compiler is called so."""
    if result.status is Status.SUCCEEDED and PRODUCT not in returned:
        notes = (*result.notes, "The compiler left no program.")
        return result.model_copy(update={"status": Status.COMPILE_FAILED, "exit_code": 1, "notes": notes})
    if result.status in (Status.FAILED, Status.SIGNALED):
        return result.model_copy(update={"status": Status.COMPILE_FAILED})
    return result
