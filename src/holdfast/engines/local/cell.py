"""A cell as the server sees it: a `Sandbox` behind a control socket."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from holdfast.engines import Command, Exited, SandboxSpec
from holdfast.engines.control.inbox import ConnectionLost, Message
from holdfast.engines.control.questions import Questions, check_path
from holdfast.engines.control.start import job_of, needs_cold_start, order_of
from holdfast.engines.control.verdicts import killed_for_memory, verdict_of
from holdfast.engines.host.cgroup import USUAL_SHARE
from holdfast.engines.local.connection import Connection
from holdfast.engines.local.orders import can_lay_out, laid_out
from holdfast.engines.local.process import LocalProcess, Pipes
from holdfast.errors import EngineError, HoldfastError
from holdfast.guest.frames import marshalled
from holdfast.types import Isolation, Limits

VERDICT_GRACE_SECONDS = 10.0
"""How long after its time is up pid 1 may take to end everything and collect, before the launcher ends the cell."""

LOST_SECONDS = 2.0
INLINE_BYTES = 64 << 10
"""Files that are larger together go as a descriptor: through two sockets they would be copied six times."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds a cell: limits, and what they mean to its control groups, its tmpfs and its processes."""

    limits: Limits
    writes: Mapping[str, str]
    disk: str
    rlimits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs already and waits: which commands it can serve, its streams, and what every program finds in
    its environment."""

    serves: tuple[str, ...]
    pipes: Pipes
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A cell without a job: how to let it have the processors only while nobody else wants them, which may not be
    possible, and how many bytes it will read meanwhile."""

    set_idle: Callable[[bool], bool] = lambda idle: False
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Lines:
    """What connects us to a cell: pid 1, and the launcher's word on its end and means to bring that about.

    `gone` resolves when the namespaces are empty, with the number of out-of-memory kills.
    """

    connection: Connection
    gone: "asyncio.Future[int]"
    kill: Callable[[], None]


class LocalSandbox(Questions):
    """One cell."""

    def __init__(
        self,
        cell_id: str,
        limits: Limits,
        hold: "Callable[[Limits], Holding]",
        lines: Lines,
        started: "Started | None",
        waiting: "Waiting",
    ) -> None:
        super().__init__(lines.connection)
        self.id = cell_id
        self.isolation: Isolation
        self._charged_bytes = 0
        self._takes_orders = False
        self.gone = lines.gone
        self._hold = hold
        self._made_with = self._held_to = hold(limits)
        self._connection = lines.connection
        self._kill_cell = lines.kill
        self._started = started
        self._waiting = waiting
        self._is_idle = False
        self._busy = asyncio.Lock()

    @property
    def charged_bytes(self) -> int:
        """What its control group was charged for when it was made, and will be while it waits."""
        return self._charged_bytes

    @property
    def lost(self) -> bool:
        """Whether pid 1 is gone."""
        return self._connection.lost

    def take_network_namespace(self) -> int:
        """The descriptor pid 1 sent for a cell that is to have a network; the caller closes it. Raises EngineError."""
        if not self._connection.descriptors:
            raise EngineError("A sandbox did not hand over its network namespace; try again.")
        return self._connection.descriptors.pop()

    def adjust(self, spec: SandboxSpec) -> None:
        """Use the limits of `spec` from the next command on."""
        self._wake()
        self._held_to = self._hold(spec.limits)

    async def ready(self) -> dict[str, Any]:
        """Wait until pid 1 has made everything; what it read back from the kernel. Raises EngineError."""
        try:
            header, _ = await self._connection.receive()
        except ConnectionLost:
            raise EngineError("A sandbox could not be made; try again.") from None
        if header["op"] != "ready":
            raise EngineError(f"A sandbox could not be made: {header['error']}.")
        isolation: dict[str, Any] = header["isolation"]
        self._charged_bytes = (isolation["memory_bytes"] or 0) + self._waiting.bytes
        self._takes_orders = header.get("native", False)
        self._is_idle = self._waiting.set_idle(True)
        return isolation

    def _wake(self) -> None:
        """From now on it has its part of the processors, also what oversees its program."""
        if self._is_idle:
            self._is_idle = not self._waiting.set_idle(False)
            writes = {name: USUAL_SHARE.get(name, value) for name, value in self._made_with.writes.items()}
            self._made_with = replace(self._made_with, writes=writes)

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[LocalProcess]:
        """Run a command; leaving the block ends its whole process tree."""
        for name in command.files:
            check_path(name)
        self._wake()
        async with self._busy:
            was_started = self._started is not None
            early = self._take_started(command)
            # Only for the first command, and not for another than what was started.
            self._takes_orders = self._takes_orders and not command.interactive and was_started == (early is not None)
            process = LocalProcess(early.pipes if early else Pipes(interactive=command.interactive), self)
            supervisor: asyncio.Task[None] | None = None
            try:
                await self._start(command, process.pipes, early)
                supervisor = asyncio.create_task(self._supervise(command, process))
                yield process
            finally:
                if not process.finished:
                    self.abandon()
                if supervisor is not None:
                    supervisor.cancel()
                process.pipes.close()

    def _take_started(self, command: Command) -> Started | None:
        """The program that was started in advance, if this command is for it."""
        started, self._started = self._started, None
        if started is None:
            return None
        serves = command.argv[: len(started.serves)] == started.serves and not command.interactive
        if serves and not needs_cold_start(command):
            return started
        started.pipes.close()
        return None

    async def _start(self, command: Command, pipes: Pipes, early: Started | None) -> None:
        job, payload = job_of(command, self._held_to.rlimits)
        streams = () if early else pipes.program_ends()
        header = {
            **order_of(command, self._held_to.limits.cpu_seconds),
            **self._changes(),
            "started": early is not None,
            "job": job | {"streams": len(streams)},
        }
        large = _in_memory(payload) if len(payload) > INLINE_BYTES else None
        try:
            encoded = self._encode(header, early, is_large=large is not None)
            rest = (payload, streams) if large is None else (b"", (*streams, large))
            await self._connection.send_encoded(encoded, *rest)
        except ConnectionLost:
            raise EngineError("The sandbox was lost before the program started; try again.") from None
        finally:
            if large is not None:
                os.close(large)
        self._made_with = self._held_to
        pipes.given_away()
        pipes.stdin.feed(command.stdin, last=not command.interactive)

    def _encode(self, header: dict[str, Any], early: Started | None, *, is_large: bool) -> bytes:
        """What runs first in a cell and asks nothing of us meanwhile needs no interpreter to oversee it."""
        direct, self._takes_orders = self._takes_orders, False
        if not direct or not can_lay_out(header) or (early and is_large):
            return marshalled(header)
        knobs = {name: at for at, name in enumerate(self._made_with.writes)}
        return laid_out(header, knobs, early.environment if early else {}, self._held_to.limits.memory_bytes)

    def _changes(self) -> dict[str, Any]:
        """What pid 1 has to turn, because it is not as the cell was made."""
        now, before = self._held_to, self._made_with
        writes = {name: value for name, value in now.writes.items() if before.writes[name] != value}
        return {"writes": writes, "disk": now.disk if now.disk != before.disk else None}

    async def _supervise(self, command: Command, process: LocalProcess) -> None:
        """Wait for the verdict; a cell that does not give one in time is ended from outside."""
        try:
            async with asyncio.timeout(command.wall_seconds + VERDICT_GRACE_SECONDS):
                header, payload = await self._connection.receive()
            process.finish(verdict_of(header, payload))
        except TimeoutError:
            self.abandon()
            process.finish(EngineError("The sandbox did not answer after its time was up; try again."))
        except ConnectionLost:
            process.finish(await self._lost(command))

    async def _lost(self, command: Command) -> Exited | HoldfastError:
        """Why pid 1 went away: the kernel took it for memory, or the sandbox failed."""
        try:
            async with asyncio.timeout(LOST_SECONDS):
                oom_kills = await asyncio.shield(self.gone)
        except TimeoutError:
            oom_kills = -1
        if oom_kills <= 0:
            return EngineError("The sandbox was lost while the program ran; try again.")
        return killed_for_memory(self._held_to.limits.memory_bytes)

    def abandon(self) -> None:
        """Nobody waits for this cell any more: end it at once."""
        self._connection.close()
        self._kill_cell()

    async def order(self, op: str) -> None:
        """Tell pid 1 to kill or to interrupt what runs; a cell that is gone need not be told."""
        with suppress(ConnectionLost):
            await self._connection.send({"op": op})

    async def _ask(self, header: dict[str, Any], payload: bytes = b"") -> Message:
        self._takes_orders = False
        return await super()._ask(header, payload)

    async def aclose(self) -> None:
        """End everything in the cell. Returns at once; `gone` tells when the kernel has finished."""
        self._wake()
        if self._started is not None:
            self._started.pipes.close()
            self._started = None
        self._connection.close()


def _in_memory(payload: bytes) -> int:
    """A file that is nowhere, to be read by who is given its descriptor."""
    fd = os.memfd_create("files", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(payload)
    return fd
