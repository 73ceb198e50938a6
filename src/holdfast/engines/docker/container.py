"""One container: who keeps it is us, what holds it is Docker."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Protocol

from aiodocker.containers import DockerContainer

from holdfast.engines.control.container import Account
from holdfast.engines.docker.daemon import ANSWER_SECONDS, answering
from holdfast.engines.docker.sentry import Ledger
from holdfast.errors import EngineError
from holdfast.types import Limits

ENDED_SECONDS = 5.0
"""How long the daemon may take to notice that a container has ended."""

LATE_SECONDS = 0.3


class Remover(Protocol):
    """Who removes containers, while nobody waits for it."""

    def remove(self, container: DockerContainer) -> None:
        """Begin to remove it; again and again without harm."""
        ...


class KeptContainer:
    """The `Keeper` of a container. Its limits are those it was made with; what it uses its pid 1 counts.

    One with a kernel of its own (`own_kernel`) has an account outside (`ledger`), where that can be seen.
    """

    ledger: Ledger | None = None

    def __init__(self, container: DockerContainer, remover: Remover, *, own_kernel: bool) -> None:
        self._container = container
        self._remover = remover
        self._own_kernel = own_kernel

    def rlimits(self, limits: Limits) -> Mapping[str, int]:
        """What every process of a program is held to.

        Processes are counted for each user, whom all containers share that do not have a kernel of their own.
        """
        cpu = {} if limits.cpu_seconds is None else {"RLIMIT_CPU": math.ceil(limits.cpu_seconds) + 1}
        shared = {"RLIMIT_MSGQUEUE": 0, "RLIMIT_SIGPENDING": 256}
        return {
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": limits.disk_bytes,
            "RLIMIT_MEMLOCK": 64 << 10,
            **({"RLIMIT_NPROC": limits.processes} if self._own_kernel else shared),
            **cpu,
        }

    async def hold(self, limits: Limits) -> None:
        """Nothing: what else there is to hold is part of the kind of sandbox (`DockerEngine.stock_spec`)."""

    async def account(self) -> Account:
        """Nothing that pid 1 does not know as well, and sooner, unless it has another kernel."""
        return self.ledger.read() if self.ledger else Account()

    async def was_out_of_memory(self) -> bool:
        """Whether the kernel took a container that is gone, for its memory."""
        # Docker's word on other runtimes is not always right: it may hear of the cause only after the end.
        if self.ledger is not None and await self.ledger.was_out_of_memory():
            return True
        try:
            with answering("asked how a container ended"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    state = await self._ended()
                    if not state["OOMKilled"]:
                        # That is told apart from the end, and may come after it.
                        await asyncio.sleep(LATE_SECONDS)
                        state = (await self._container.show())["State"]
        except EngineError:
            return False
        return bool(state["OOMKilled"])

    async def _ended(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        end = loop.time() + ENDED_SECONDS
        while True:
            state: dict[str, Any] = (await self._container.show())["State"]
            if not state["Running"] or loop.time() > end:
                return state
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        """Begin to end it."""
        self._remover.remove(self._container)

    async def aclose(self) -> None:
        """Begin to end it as well: with its stdin closed pid 1 ends at once, and the rest is nothing to wait for."""
        if self.ledger is not None:
            self.ledger.close()
        self._remover.remove(self._container)
