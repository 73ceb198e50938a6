"""A container as the server sees it: a `Sandbox` behind a pair of byte streams."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from holdfast.engines import Command, Exited, SandboxSpec
from holdfast.engines.control.inbox import ConnectionLost
from holdfast.engines.control.link import LinkConnection
from holdfast.engines.control.process import ContainedProcess
from holdfast.engines.control.questions import Questions, check_path
from holdfast.engines.control.start import job_of, order_of
from holdfast.engines.control.verdicts import killed_for_memory, verdict_of
from holdfast.errors import EngineError, HoldfastError
from holdfast.types import Isolation, Limits, Usage

VERDICT_GRACE_SECONDS = 10.0
"""How long after its time is up pid 1 may take to end everything and collect, before the container is ended."""

INPUT_PIECE = 1 << 18
CPU_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Account:
    """What everything in a container has used since it was made; `None` where its keeper does not count it."""

    cpu_user_seconds: float | None = None
    cpu_system_seconds: float | None = None
    memory_peak_bytes: int | None = None
    processes_peak: int | None = None
    oom_kills: int | None = None


class Keeper(Protocol):
    """Who holds the container: the means outside of it."""

    def rlimits(self, limits: Limits) -> Mapping[str, int]:
        """What every process of a program is held to, by name."""
        ...

    async def hold(self, limits: Limits) -> None:
        """Hold the container to these limits from now on. Raises EngineError."""
        ...

    async def account(self) -> Account:
        """What it has used so far. Raises EngineError."""
        ...

    async def was_out_of_memory(self) -> bool:
        """Whether a container that is gone was taken by the kernel, for its memory."""
        ...

    def kill(self) -> None:
        """Begin to end it, whatever state it is in; again and again without harm."""
        ...

    async def aclose(self) -> None:
        """End it, and return when nothing of it is left."""
        ...


class ContainedSandbox(Questions):
    """One container, kept by `keeper`, in which `guest.contained` is pid 1."""

    isolation: Isolation

    def __init__(self, container_id: str, limits: Limits, connection: LinkConnection, keeper: Keeper) -> None:
        super().__init__(connection)
        self.id = container_id
        self.charged_bytes = 0
        self._limits = self._held_to = limits
        self._connection = connection
        self._keeper = keeper
        self._busy = asyncio.Lock()

    @property
    def lost(self) -> bool:
        """Whether pid 1 is gone."""
        return self._connection.lost

    @property
    def limits(self) -> Limits:
        """What its next command is held to."""
        return self._limits

    def adjust(self, spec: SandboxSpec) -> None:
        """Use the limits of `spec` from the next command on."""
        self._limits = spec.limits

    async def ready(self, config: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Tell pid 1 what to be and wait until it is; what it says of the guest. Raises EngineError."""
        try:
            async with asyncio.timeout(seconds):
                await self._connection.send(config)
                header, _ = await self._connection.receive()
        except (ConnectionLost, TimeoutError) as error:
            what = "ended" if isinstance(error, ConnectionLost) else f"was not ready within {seconds:g} seconds"
            raise EngineError(f"A sandbox could not be made: its container {what}; try again.") from None
        if header["op"] != "ready":
            raise EngineError(f"A sandbox could not be made: {header['error']}.")
        isolation: dict[str, Any] = header["isolation"]
        return isolation

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[ContainedProcess]:
        """Run a command; leaving the block ends its whole process tree."""
        for name in command.files:
            check_path(name)
        async with self._busy:
            process = ContainedProcess(self)
            supervisor: asyncio.Task[None] | None = None
            try:
                before = await self._start(command, process)
                supervisor = asyncio.create_task(self._supervise(command, process, before))
                yield process
            finally:
                if not process.finished:
                    self.abandon()
                if supervisor is not None:
                    supervisor.cancel()
                self._connection.give_output_to(None)

    async def _start(self, command: Command, process: ContainedProcess) -> Account:
        """Send the job; what the container had used before."""
        if self._limits != self._held_to:
            await self._keeper.hold(self._limits)
            self._held_to = self._limits
        before = await self._keeper.account()
        job, payload = job_of(command, self._keeper.rlimits(self._limits))
        job["interactive"] = command.interactive
        self._connection.give_output_to(process)
        # Where nobody keeps an account outside, pid 1 does.
        cpu_seconds = self._limits.cpu_seconds if before.cpu_user_seconds is None else None
        order = order_of(command, cpu_seconds) | {"started": False, "writes": {}, "disk": None, "job": job}
        try:
            await self._connection.send(order, payload)
            await self._feed(command)
        except ConnectionLost:
            raise EngineError("The sandbox was lost before the program started; try again.") from None
        return before

    async def _feed(self, command: Command) -> None:
        """Hand over the stdin of a command, in pieces between which other messages have a chance."""
        data = memoryview(command.stdin)
        if command.interactive and not data:
            return
        while True:
            piece, data = data[:INPUT_PIECE], data[INPUT_PIECE:]
            last = not data and not command.interactive
            await self._connection.send({"op": "input", "last": last}, bytes(piece))
            if not data:
                return

    async def _supervise(self, command: Command, process: ContainedProcess, before: Account) -> None:
        """Wait for the verdict; a container that does not give one in time is ended."""
        watching = None
        if self._held_to.cpu_seconds is not None:
            watching = asyncio.create_task(self._watch_cpu(self._held_to.cpu_seconds, before))
        try:
            async with asyncio.timeout(command.wall_seconds + VERDICT_GRACE_SECONDS):
                header, payload = await self._connection.receive()
            process.finish(await self._with_account(verdict_of(header, payload), before))
        except TimeoutError:
            self.abandon()
            process.finish(EngineError("The sandbox did not answer after its time was up; try again."))
        except ConnectionLost:
            process.finish(await self._lost())
        except HoldfastError as error:
            process.finish(error)
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch_cpu(self, seconds: float, before: Account) -> None:
        """End a program whose time on the processors is up, by the account of the keeper where it has one."""
        while not self.lost:
            await asyncio.sleep(CPU_LOOK_SECONDS)
            with suppress(EngineError):
                user, system = _cpu_since(await self._keeper.account(), before)
                if user + system >= seconds:
                    await self.order("kill", reason="cpu")
                    return

    async def _with_account(self, verdict: Exited | HoldfastError, before: Account) -> Exited | HoldfastError:
        """The verdict with what the keeper knows better than pid 1."""
        if isinstance(verdict, HoldfastError):
            return verdict
        return replace(verdict, usage=_counted(verdict.usage, await self._keeper.account(), before))

    async def _lost(self) -> Exited | HoldfastError:
        """Why pid 1 went away: the kernel took it for memory, or the container failed."""
        if await self._keeper.was_out_of_memory():
            return killed_for_memory(self._held_to.memory_bytes)
        return EngineError("The sandbox was lost while the program ran; try again.")

    def abandon(self) -> None:
        """Nobody waits for this container any more: end it at once."""
        self._connection.close()
        self._keeper.kill()

    async def order(self, op: str, payload: bytes = b"", **details: Any) -> None:
        """Tell pid 1 something; a container that is gone need not be told."""
        with suppress(ConnectionLost):
            await self._connection.send({"op": op, **details}, payload)

    async def usage(self) -> Usage:
        """What the container has used since it was made. Raises EngineError."""
        return _counted(await super().usage(), await self._keeper.account(), Account())

    async def aclose(self) -> None:
        """End everything in the container."""
        await self._connection.aclose()
        await self._keeper.aclose()


def _cpu_since(now: Account, before: Account) -> tuple[float, float]:
    return (
        (now.cpu_user_seconds or 0.0) - (before.cpu_user_seconds or 0.0),
        (now.cpu_system_seconds or 0.0) - (before.cpu_system_seconds or 0.0),
    )


def _counted(usage: Usage, now: Account, before: Account) -> Usage:
    known: dict[str, Any] = {}
    if now.cpu_user_seconds is not None:
        known["cpu_user_seconds"], known["cpu_system_seconds"] = _cpu_since(now, before)
    if now.memory_peak_bytes is not None:
        known["memory_peak_bytes"] = now.memory_peak_bytes
    if now.processes_peak is not None:
        known["processes_peak"] = now.processes_peak
    if now.oom_kills is not None:
        known["out_of_memory"] = now.oom_kills > (before.oom_kills or 0)
    return usage.model_copy(update=known)
