"""The server's handle on one launcher process."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from holdfast.engines.local import tree
from holdfast.errors import EngineError, HostError
from holdfast.guest.frames import marshalled

START_SECONDS = 30.0
END_SECONDS = 2.0
RESTART_SECONDS = 0.1
RECYCLE_SECONDS, RECYCLE_CELLS = 3600.0, 20_000
"""When a launcher is replaced: after this time or this many cells, whichever comes first."""
_MESSAGE_BYTES = 1 << 16
_STAGE = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.tree import become_launcher as go; go({fd})"


class LauncherFailed(Exception):
    """The launcher did not come up; `step` says how far it came."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


@dataclass
class CellHandle:
    """What the launcher tells about one cell: when it is gone, or that it could not be made."""

    id: int
    gone: asyncio.Future[int]
    failed: asyncio.Future[str] = field(init=False)

    def __post_init__(self) -> None:
        self.failed = self.gone.get_loop().create_future()


class Launcher:
    """A running launcher; `over` is set when it died or has made enough cells.

    `gone` of a cell resolves to its count of out-of-memory kills, -1 if the launcher died.
    """

    def __init__(self, process: asyncio.subprocess.Process, server_socket: socket.socket) -> None:
        self._process = process
        self._socket = server_socket
        self.cells: dict[int, CellHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.dead = False
        self.over = asyncio.Event()
        self._made = 0
        self._loop.add_reader(server_socket, self._on_readable)

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, config: Mapping[str, Any]) -> "Launcher":
        """Spawn a launcher and wait until it serves. Raises LauncherFailed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            process = await _spawned(config, theirs)
        except BaseException:
            ours.close()
            raise
        launcher = cls(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                await launcher._ready
        except (TimeoutError, EngineError):
            await launcher.aclose()
            raise await launcher._failure() from None
        except BaseException:
            process.kill()
            await launcher.aclose()
            raise
        return launcher

    async def _failure(self) -> LauncherFailed:
        stderr = self._process.stderr
        text = (await stderr.read()).decode(errors="replace").strip() if stderr else ""
        last = text.splitlines()[-1] if text else "it said nothing"
        try:
            told = json.loads(last)
            return LauncherFailed(told["step"], f"{told['error']} {told['path'] or ''}".strip())
        except (ValueError, KeyError, TypeError):
            return LauncherFailed("launcher", last)

    def create(self, cell_id: int, message: Mapping[str, Any], ends: Sequence[int]) -> CellHandle:
        """Ask for a cell, which gets `ends`: its control socket, and the streams of a program to start in advance.

        It reports itself over its control socket. Raises EngineError when the launcher is gone.
        """
        handle = CellHandle(cell_id, self._loop.create_future())
        data = marshalled({"op": "create", "id": cell_id, **message})
        try:
            socket.send_fds(self._socket, [data], list(ends))
        except OSError as error:
            raise EngineError("The launcher is not answering; try again.") from error
        self.cells[cell_id] = handle
        self._made += 1
        if self._made >= RECYCLE_CELLS:
            self.over.set()
        return handle

    def kill(self, cell_id: int) -> None:
        """End a cell whose pid 1 does not listen."""
        try:
            self._socket.send(marshalled({"op": "kill", "id": cell_id}))
        except OSError:
            return

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_death()
            return
        self._dispatch(json.loads(data))

    def _dispatch(self, message: dict[str, Any]) -> None:
        if message["op"] == "ready":
            self._resolve(self._ready, None)
            return
        handle = self.cells.get(message["id"])
        if handle is None:
            return
        if message["op"] == "failed":
            self._resolve(handle.failed, message["error"])
            return
        del self.cells[handle.id]
        self._resolve(handle.gone, message["oom_kills"])

    def _on_death(self) -> None:
        self._loop.remove_reader(self._socket)
        if not self._ready.done():
            self._ready.set_exception(EngineError("The launcher did not start."))
        for handle in self.cells.values():
            self._resolve(handle.gone, -1)
        self.cells.clear()
        self.dead = True
        self.over.set()

    @staticmethod
    def _resolve(future: "asyncio.Future[Any]", value: object) -> None:
        if not future.done():
            future.set_result(value)

    async def aclose(self) -> None:
        """End it and, with it, every cell it made."""
        if not self.dead:
            self._on_death()
        self._socket.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _spawned(config: Mapping[str, Any], theirs: socket.socket) -> asyncio.subprocess.Process:
    """The process, which has its end of the socket and nothing else of ours."""
    launcher_config = dict(config["launcher"]) | {"socket": theirs.fileno()}
    description = os.memfd_create("tree", 0)
    os.write(description, json.dumps({**config, "launcher": launcher_config}).encode())
    os.lseek(description, 0, os.SEEK_SET)
    descriptors = (description, theirs.fileno(), *config["launcher"]["cgroup"]["hierarchies"])
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-I", "-S", "-c", _STAGE.format(fd=description), str(tree.library_root()))
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            pass_fds=descriptors,
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    finally:
        os.close(description)
        theirs.close()


class LauncherKeeper:
    """Keeps one launcher of a profile running: replaces it when it dies. Its cells die with it."""

    def __init__(self, describe: Callable[[], Mapping[str, Any]], on_restart: Callable[[], None]) -> None:
        self._describe = describe
        self._on_restart = on_restart
        self._up = asyncio.Event()
        self._retired: list[Launcher] = []
        self.current: Launcher | None = None

    async def start(self) -> None:
        """Raises LauncherFailed."""
        self.current = await Launcher.start(self._describe())
        self._up.set()

    async def keep(self) -> None:
        """Start it if it is not up, replace it when it died or is worn, and again. Runs until cancelled."""
        while True:
            try:
                if self.current is None:
                    await self.start()
                await self._watch()
            except (LauncherFailed, HostError, OSError):
                await asyncio.sleep(RESTART_SECONDS)

    async def _watch(self) -> None:
        launcher = self.current
        if launcher is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(RECYCLE_SECONDS):
                await launcher.over.wait()
        if launcher.dead:
            self._up.clear()
            self.current = None
            await launcher.aclose()
            self._on_restart()
            return
        # Its clones share its hash seed and address layout, so none is used for long.
        await self.start()
        self._retired.append(launcher)
        for old in [old for old in self._retired if old.dead or not old.cells]:
            self._retired.remove(old)
            await old.aclose()

    async def up(self) -> Launcher:
        """The running launcher, soon. Raises TimeoutError."""
        async with asyncio.timeout(START_SECONDS):
            await self._up.wait()
        if self.current is None:
            raise TimeoutError
        return self.current

    @property
    def has_cells(self) -> bool:
        """Whether anything it made still lives."""
        launchers = [*self._retired, *([] if self.current is None else [self.current])]
        return any(launcher.cells for launcher in launchers)

    async def aclose(self) -> None:
        """End the launcher, those that were replaced, and with them all their cells."""
        launchers = [*self._retired, *([] if self.current is None else [self.current])]
        self.current = None
        self._retired.clear()
        for launcher in launchers:
            await launcher.aclose()
