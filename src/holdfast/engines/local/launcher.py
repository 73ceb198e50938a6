"""The server's handle on one launcher process."""

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.engines.local.helper import START_SECONDS, Helper, spawn
from holdfast.errors import EngineError, HostError
from holdfast.guest.frames import marshalled

RESTART_SECONDS = 0.1
RECYCLE_SECONDS, RECYCLE_CELLS = 3600.0, 20_000
"""When a launcher is replaced: after this time or this many cells, whichever comes first."""


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


class Launcher(Helper):
    """A running launcher; `over` is set when it died or has made enough cells.

    `gone` of a cell resolves to its count of out-of-memory kills, -1 if the launcher died.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", server_socket: socket.socket) -> None:
        super().__init__(process, server_socket)
        self.cells: dict[int, CellHandle] = {}
        self.over = asyncio.Event()
        self._made = 0

    @property
    def data_bytes(self) -> int:
        """Its private memory, with which every cell begins; 0 once it has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"^VmData:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) << 10 if found else 0

    @classmethod
    async def start(cls, config: Mapping[str, Any]) -> "Launcher":
        """Spawn a launcher and wait until it serves. Raises LauncherFailed."""
        hierarchies = config["launcher"]["cgroup"]["hierarchies"]
        # Nothing of it may be on a device of the host.
        pipe = subprocess.PIPE
        launcher = cls(*spawn("tree", "become_launcher", config, hierarchies, within="launcher", stdio=pipe))
        try:
            await launcher.ready()
        except (TimeoutError, EngineError):
            await launcher.aclose()
            raise launcher._failure() from None
        except BaseException:
            launcher._process.kill()
            await launcher.aclose()
            raise
        return launcher

    def _failure(self) -> LauncherFailed:
        last = self.last_words() or "it said nothing"
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

    def _on_message(self, message: dict[str, Any]) -> None:
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

    def _on_end(self) -> None:
        if not self._ready.done():
            self._ready.set_exception(EngineError("The launcher did not start."))
        for handle in self.cells.values():
            self._resolve(handle.gone, -1)
        self.cells.clear()
        self.over.set()

    @staticmethod
    def _resolve(future: "asyncio.Future[Any]", value: object) -> None:
        if not future.done():
            future.set_result(value)


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
