"""The server's handle on a gateway process, and which one serves which cells."""

import asyncio
import itertools
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from holdfast.engines.host import tree
from holdfast.engines.local import network
from holdfast.engines.local.cell import LocalSandbox
from holdfast.engines.local.config import LocalConfig
from holdfast.engines.local.launcher import Launcher
from holdfast.errors import EngineError, HostError
from holdfast.guest.gateway import CELL_INTERFACE
from holdfast.guest.tree import RESOLV_CONF
from holdfast.types import Problem

START_SECONDS = 30.0
END_SECONDS = 2.0
_MESSAGE_BYTES = 1 << 12
_STAGE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.gateway import become_gateway as go; go({fd})"
)


class Gateway:
    """A running gateway. When it ends, so do the cells that were joined to it."""

    def __init__(self, process: asyncio.subprocess.Process, server_socket: socket.socket) -> None:
        self._process = process
        self._socket = server_socket
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[list[str]]] = {}
        self._cells: set[LocalSandbox] = set()
        self.dead = False
        self._loop.add_reader(server_socket, self._on_readable)

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, config: Mapping[str, Any]) -> Self:
        """Spawn one and wait until it serves. Raises HostError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        description = os.memfd_create("gateway", 0)
        os.write(description, json.dumps({**config, "socket": theirs.fileno()}).encode())
        os.lseek(description, 0, os.SEEK_SET)
        command = (sys.executable, "-I", "-S", "-c", _STAGE.format(fd=description), str(tree.library_root()))
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(description, theirs.fileno()),
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        finally:
            os.close(description)
            theirs.close()
        gateway = cls(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                await gateway._ready
        except (TimeoutError, EngineError):
            await gateway.aclose()
            raise HostError(f"Programs cannot be given a network here: {await gateway._last_words()}.") from None
        except BaseException:
            await gateway.aclose()
            raise
        return gateway

    async def _last_words(self) -> str:
        text = (await self._process.stderr.read()).decode(errors="replace").strip() if self._process.stderr else ""
        return text.splitlines()[-1].rstrip(".") if text else "the gateway did not start"

    async def attach(self, sandbox: LocalSandbox) -> bool:
        """Join a cell that nobody uses yet; whether it has more than a loopback then. Raises EngineError."""
        number = next(self._numbers)
        answer = self._asked[number] = self._loop.create_future()
        namespace = sandbox.take_network_namespace()
        try:
            socket.send_fds(self._socket, [json.dumps({"attach": number}).encode()], [namespace])
            interfaces = await answer
        except OSError:
            raise EngineError("The gateway of the programs with a network is not answering; try again.") from None
        finally:
            os.close(namespace)
            self._asked.pop(number, None)
        self._cells.add(sandbox)
        sandbox.gone.add_done_callback(lambda _: self._cells.discard(sandbox))
        return CELL_INTERFACE in interfaces

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
        message = json.loads(data)
        if message["op"] == "ready":
            self._ready.set_result(None)
            return
        answer = self._asked.get(message["id"])
        if answer is None or answer.done():
            return
        if message["op"] == "attached":
            answer.set_result(message["interfaces"])
        else:
            answer.set_exception(EngineError(f"A sandbox could not be given a network: {message['error']}."))

    def _on_death(self) -> None:
        self._loop.remove_reader(self._socket)
        self.dead = True
        error = EngineError("The gateway of the programs with a network ended; try again.")
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._asked.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        for sandbox in list(self._cells):
            sandbox.abandon()
        self._cells.clear()

    async def aclose(self) -> None:
        """End it, and with it the network of its cells."""
        if not self.dead:
            self._on_death()
        self._socket.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Gateways:
    """The gateways of one engine: as root one for all cells; else one per launcher, in its user namespace."""

    def __init__(self, config: LocalConfig, uid_as_root: int) -> None:
        self._config = config
        self._uid = uid_as_root if os.geteuid() == 0 else None
        self._by_launcher: dict[Launcher | None, Gateway] = {}
        self._starting = asyncio.Lock()
        self._name_servers = network.resolvers(config.network_resolvers)

    def files(self) -> Mapping[str, str]:
        """What the tree of the cells needs for them."""
        lines = [f"nameserver {address}\n" for address in self._name_servers]
        return {RESOLV_CONF: "".join(lines)} if self._config.allow_network else {}

    def problems(self) -> tuple[Problem, ...]:
        """What the operator should know."""
        if self._name_servers or not self._config.allow_network:
            return ()
        return (network.NO_NAMES,)

    async def join(self, sandbox: LocalSandbox, launcher: Launcher) -> bool:
        """Give a fresh cell of a launcher its network; whether it has one. Raises EngineError."""
        try:
            gateway = await self.of(launcher)
        except HostError as error:
            raise EngineError(error.detail) from error
        return await gateway.attach(sandbox)

    async def of(self, launcher: Launcher) -> Gateway:
        """The gateway for the cells of a launcher. Raises HostError."""
        key = launcher if self._uid is None else None
        async with self._starting:
            await self._bury_the_dead()
            if key not in self._by_launcher:
                self._by_launcher[key] = await Gateway.start(self._description(key))
            return self._by_launcher[key]

    def _description(self, launcher: Launcher | None) -> Mapping[str, Any]:
        found = network.tools()
        return {
            "launcher": launcher.pid if launcher else None,
            "uid": self._uid,
            "uplink": found["slirp4netns"],
            "nft": found["nft"],
            "rules": network.rules(self._config.network_allow, self._name_servers),
        }

    async def _bury_the_dead(self) -> None:
        gone = [key for key, gateway in self._by_launcher.items() if gateway.dead or (key is not None and key.dead)]
        for key in gone:
            await self._by_launcher.pop(key).aclose()

    async def aclose(self) -> None:
        """End them all."""
        while self._by_launcher:
            _, gateway = self._by_launcher.popitem()
            with suppress(OSError):
                await gateway.aclose()
