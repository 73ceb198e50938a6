"""An engine whose Python programs run inside a session's interpreter, so that every attack can be tried from there.

A program is one piece of code in a fresh session of its own sandbox. When it has ended the interpreter is killed, so
that the sandbox gives its account of what was used and its artifacts; how the code ended is the interpreter's word, as
it is in a session.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from holdfast.engines import Command, Engine, Exited, Listing, Process, ProcessEvent, Sandbox, SandboxSpec
from holdfast.errors import EngineError
from holdfast.languages import LANGUAGES, SESSION_PROFILE
from holdfast.sessions.kernel import Done, Ended, Kernel, Said, program
from holdfast.types import Capabilities, Isolation, Usage

INTERRUPTED = 130
_ROW = LANGUAGES["python"]
_PRELUDE = "import io as _io, sys; sys.stdin = _io.TextIOWrapper(_io.BytesIO(__import__('base64').b64decode({!r})))\n"


class SessionedEngine:
    """An `Engine` around another one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        return self._engine.stock_spec(spec)

    async def create(self, spec: SandboxSpec) -> "SessionedSandbox":
        """A sandbox for one session. Raises UnsupportedError, EngineError."""
        return SessionedSandbox(await self._engine.create(replace(spec, profile=SESSION_PROFILE)))

    async def aclose(self) -> None:
        await self._engine.aclose()


class SessionedSandbox:
    """A `Sandbox` in which `python main.py` is a run in a session."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.id = sandbox.id

    @property
    def isolation(self) -> Isolation:
        return self._sandbox.isolation

    @property
    def charged_bytes(self) -> int:
        return self._sandbox.charged_bytes

    @property
    def lost(self) -> bool:
        return self._sandbox.lost

    def adjust(self, spec: SandboxSpec) -> None:
        self._sandbox.adjust(spec)

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[Process]:
        """Start an interpreter, and in it the main file of the command."""
        if command.argv != _ROW.run:
            raise EngineError("Only 'python main.py' runs in a session.")
        start = replace(command, files={_ROW.main_file: program()}, stdin=b"", interactive=True)
        async with self._sandbox.exec(start) as process, anyio.create_task_group() as group:
            kernel = Kernel(process)
            heard, ready = kernel.listen(), anyio.Event()
            group.start_soon(kernel.pump, ready.set)
            with heard:
                yield SessionedProcess(self._sandbox, kernel, command, ready, heard)
            group.cancel_scope.cancel()

    async def write(self, path: str, data: bytes) -> None:
        await self._sandbox.write(path, data)

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        return await self._sandbox.read(path, max_bytes=max_bytes)

    async def list(self) -> Listing:
        return await self._sandbox.list()

    async def remove(self, path: str) -> None:
        await self._sandbox.remove(path)

    async def aclose(self) -> None:
        await self._sandbox.aclose()


class SessionedProcess:
    """A `Process` that is one run in an interpreter."""

    def __init__(
        self,
        sandbox: Sandbox,
        kernel: Kernel,
        command: Command,
        ready: anyio.Event,
        heard: "anyio.abc.ObjectReceiveStream[Said]",
    ) -> None:
        self._sandbox = sandbox
        self._kernel = kernel
        self._command = command
        self._ready = ready
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
        await self._ready.wait()
        for name, data in self._command.files.items():
            if name != _ROW.main_file:
                await self._sandbox.write(name, data)
        prelude = _PRELUDE.format(base64.b64encode(self._command.stdin).decode())
        await self._kernel.run(1, prelude + self._command.files[_ROW.main_file].decode())
        done: Done | None = None
        async for said in self._heard:
            if isinstance(said, Done) and done is None:
                done = said
                await self._kernel.process.kill()
            elif isinstance(said, Ended):
                if said.exited is None:
                    raise EngineError(said.reason)
                yield _verdict(said.exited, done)
                return
            elif not isinstance(said, Done) and hasattr(said, "stream"):
                yield said
        raise EngineError("The session ended without a verdict.")

    async def kill(self) -> None:
        await self._kernel.process.kill()

    async def send(self, data: bytes) -> None:
        """What a program reads in a session is not ours to send."""

    async def interrupt(self) -> None:
        await self._kernel.process.interrupt()

    async def usage(self) -> Usage:
        return await self._kernel.process.usage()


def _verdict(exited: Exited, done: Done | None) -> Exited:
    if done is None:
        return exited
    return replace(exited, exit_code=done.exit_code, signal=None, reason=None)
