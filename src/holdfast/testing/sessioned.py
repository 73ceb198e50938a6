"""An engine whose Python programs run inside a session's interpreter, so that every attack can be tried from there.

In the other languages a program is a process of its own, as it is in a session.

A program is one piece of code in a fresh session of its own sandbox. When it has ended the interpreter is killed, so
that the sandbox gives its account of what was used and its artifacts; how the code ended is the interpreter's word, as
it is in a session.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
from anyio.abc import ObjectReceiveStream

from holdfast.engines import Command, Engine, Exited, Listing, Output, Process, ProcessEvent, Sandbox, SandboxSpec
from holdfast.errors import EngineError
from holdfast.languages import LANGUAGES, SESSION_PROFILE
from holdfast.sessions.kernel import Done, Ended, Kernel, Said, program
from holdfast.types import Capabilities, Usage

UNHEARD_BYTES = 1 << 30
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

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox for one session. Raises UnsupportedError, EngineError."""
        if spec.language != _ROW.name:
            return await self._engine.create(spec)
        return SessionedSandbox(await self._engine.create(replace(spec, profile=SESSION_PROFILE)))

    async def forget(self, name: str) -> None:
        await self._engine.forget(name)

    async def aclose(self) -> None:
        await self._engine.aclose()


class SessionedSandbox:
    """A `Sandbox` in which `python main.py` is a run in a session."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.id = sandbox.id
        self.isolation = sandbox.isolation

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
        if command.argv[0] != _ROW.run[0]:
            async with self._sandbox.exec(command) as process:
                yield process
            return
        if command.argv != _ROW.run:
            raise EngineError("Of Python only 'python main.py' runs in a session.")
        for name, data in command.files.items():
            if name != _ROW.main_file:
                await self._sandbox.write(name, data)
        start = replace(command, files={_ROW.main_file: program()}, stdin=b"", interactive=True)
        async with self._sandbox.exec(start) as process:
            kernel, ready = Kernel(process, UNHEARD_BYTES), anyio.Event()
            with kernel.listen() as heard:
                pumping = asyncio.create_task(kernel.pump(ready.set))
                pumping.add_done_callback(lambda _: ready.set())
                try:
                    await ready.wait()
                    prelude = _PRELUDE.format(base64.b64encode(command.stdin).decode())
                    await kernel.run(1, prelude + command.files[_ROW.main_file].decode())
                    yield SessionedProcess(kernel, heard)
                finally:
                    pumping.cancel()

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

    def __init__(self, kernel: Kernel, heard: ObjectReceiveStream[Said]) -> None:
        self._kernel = kernel
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
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
            elif isinstance(said, Output):
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
