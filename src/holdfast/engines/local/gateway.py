"""The server's handle on a gateway process, and which one serves which cells."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from holdfast.engines.local import network
from holdfast.engines.local.cell import LocalSandbox
from holdfast.engines.local.config import LocalConfig
from holdfast.engines.local.helper import Helper, spawn
from holdfast.engines.local.launcher import Launcher
from holdfast.errors import EngineError, HostError
from holdfast.guest.gateway import CELL_INTERFACE
from holdfast.guest.tree import RESOLV_CONF
from holdfast.types import Problem


class Gateway(Helper):
    """A running gateway. When it ends, so do the cells that were joined to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", server_socket: socket.socket) -> None:
        super().__init__(process, server_socket)
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[list[str]]] = {}
        self._cells: set[LocalSandbox] = set()

    @classmethod
    async def start(cls, config: Mapping[str, Any]) -> Self:
        """Spawn one and wait until it serves. Raises HostError."""
        gateway = cls(*spawn("gateway", "become_gateway", config, (), stdio=subprocess.DEVNULL))
        try:
            await gateway.ready()
        except (TimeoutError, EngineError):
            await gateway.aclose()
            words = gateway.last_words().rstrip(".") or "the gateway did not start"
            raise HostError(f"Programs cannot be given a network here: {words}.") from None
        except BaseException:
            await gateway.aclose()
            raise
        return gateway

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

    def _on_message(self, message: dict[str, Any]) -> None:
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

    def _on_end(self) -> None:
        error = EngineError("The gateway of the programs with a network ended; try again.")
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._asked.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        for sandbox in list(self._cells):
            sandbox.abandon()
        self._cells.clear()


class Gateways:
    """The gateways of one engine: as root one for all cells; else one per launcher, in its user namespace."""

    def __init__(self, config: LocalConfig, uid_as_root: int | None) -> None:
        self._config = config
        self._uid = uid_as_root
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
