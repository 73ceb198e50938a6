"""A cell as the server sees it: a `Sandbox` behind a control socket."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from holdfast.engines import FRAMES_VARIABLE, Command, Exited, Listing, SandboxSpec
from holdfast.engines.local.connection import Connection, ConnectionLost, Message
from holdfast.engines.local.orders import can_lay_out, laid_out
from holdfast.engines.local.process import LocalProcess, Pipes
from holdfast.errors import (
    EngineError,
    HoldfastError,
    InvalidFileNameError,
    NotFoundError,
    StorageFullError,
    TooLargeError,
)
from holdfast.guest.frames import join_files, marshalled, split_files
from holdfast.types import Isolation, Limits, Usage

VERDICT_GRACE_SECONDS = 10.0
"""How long after its time is up pid 1 may take to end everything and collect, before the launcher ends the cell."""

ANSWER_SECONDS = 30.0
"""How long a question about the files of a cell may take."""

LOST_SECONDS = 2.0
FRAMES_DESCRIPTOR = 3
INLINE_BYTES = 64 << 10
"""Files that are larger together go as a descriptor: through two sockets they would be copied six times."""

COLD_VARIABLES = re.compile(
    r"LANG|LANGUAGE|LC_.*|TZ|MALLOC_.*|GLIBC_.*|.*_NUM_THREADS|HOME|USER|LOGNAME|ARROW_.*|MPL.*"
    r"|NPY_.*|NUMPY_.*|PANDAS_.*|DUCKDB_.*"
)
"""Variables an interpreter or a library reads once, while it starts: with one of them set, python is started anew."""


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
class Lines:
    """What connects us to a cell: pid 1, and the launcher's word on its end and means to bring that about.

    `gone` resolves when the namespaces are empty, with the number of out-of-memory kills.
    """

    connection: Connection
    gone: "asyncio.Future[int]"
    kill: Callable[[], None]


class LocalSandbox:
    """One cell."""

    def __init__(
        self,
        cell_id: str,
        limits: Limits,
        hold: "Callable[[Limits], Holding]",
        lines: Lines,
        started: "Started | None",
    ) -> None:
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
        self._busy = asyncio.Lock()
        self._asking = asyncio.Lock()

    @property
    def charged_bytes(self) -> int:
        """What its control group was charged for when it was made."""
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
        self._charged_bytes = isolation["memory_bytes"] or 0
        self._takes_orders = header.get("native", False)
        return isolation

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[LocalProcess]:
        """Run a command; leaving the block ends its whole process tree."""
        for name in command.files:
            _check_path(name)
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
        if serves and not _needs_cold_start(command):
            return started
        started.pipes.close()
        return None

    async def _start(self, command: Command, pipes: Pipes, early: Started | None) -> None:
        index, payload = join_files(dict(command.files))
        environment = dict(command.environment)
        if command.interactive:
            environment[FRAMES_VARIABLE] = str(FRAMES_DESCRIPTOR)
        streams = () if early else pipes.program_ends()
        header = {
            "op": "exec",
            "started": early is not None,
            "job": {
                "argv": command.argv,
                "environment": environment,
                "streams": len(streams),
                "files": index,
                "executables": tuple(command.executables),
                "rlimits": self._held_to.rlimits,
                "cold": _needs_cold_start(command),
            },
            "wall_seconds": command.wall_seconds,
            "cpu_seconds": self._held_to.limits.cpu_seconds,
            **self._changes(),
            "artifacts": command.artifacts,
            "artifact_bytes": command.artifact_bytes,
            "returns": dict(command.returns),
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
        return laid_out(header, knobs, early.environment if early else {})

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
            process.finish(_verdict(header, payload))
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
        usage = Usage(
            wall_seconds=0.0,
            cpu_user_seconds=0.0,
            cpu_system_seconds=0.0,
            memory_peak_bytes=self._held_to.limits.memory_bytes,
            processes_peak=None,
            out_of_memory=True,
        )
        return Exited(exit_code=None, signal=9, reason=None, usage=usage, disk_full=False)

    def abandon(self) -> None:
        """Nobody waits for this cell any more: end it at once."""
        self._connection.close()
        self._kill_cell()

    async def order(self, op: str) -> None:
        """Tell pid 1 to kill or to interrupt what runs; a cell that is gone need not be told."""
        with suppress(ConnectionLost):
            await self._connection.send({"op": op})

    async def usage(self) -> Usage:
        """What the cell has used since it was made. Raises EngineError."""
        answer, _ = await self._ask({"op": "usage"})
        return _usage(answer["usage"])

    async def write(self, path: str, data: bytes) -> None:
        """Place a file in the workspace. Raises InvalidFileNameError, StorageFullError, EngineError."""
        _check_path(path)
        await self._ask({"op": "write", "path": path}, data)

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a regular file. Raises NotFoundError, TooLargeError, InvalidFileNameError, EngineError."""
        _check_path(path)
        _, data = await self._ask({"op": "read", "path": path, "max_bytes": max_bytes})
        return data

    async def list(self) -> Listing:
        """The files of the workspace, as many as can be told. Raises EngineError."""
        answer, _ = await self._ask({"op": "list"})
        return Listing({path: (size, changed) for path, size, changed in answer["files"]}, tuple(answer["notes"]))

    async def remove(self, path: str) -> None:
        """Remove a file. Raises NotFoundError, InvalidFileNameError, EngineError."""
        _check_path(path)
        await self._ask({"op": "remove", "path": path})

    async def _ask(self, header: dict[str, Any], payload: bytes = b"") -> Message:
        """The answer to a question. Who stops waiting for one ends the cell: the next would get it."""
        self._takes_orders = False
        async with self._asking:
            answered = False
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._connection.send(header, payload)
                    answer, data = await self._connection.answer()
                answered = True
            except (ConnectionLost, TimeoutError):
                raise EngineError("The sandbox is gone.") from None
            finally:
                if not answered:
                    self.abandon()
        if answer["op"] == "done":
            return answer, data
        error = _FILE_ERRORS.get(answer["errno"], InvalidFileNameError)
        raise error(f"'{header.get('path', '.')[:200]}': {answer['error']}.")

    async def aclose(self) -> None:
        """End everything in the cell. Returns at once; `gone` tells when the kernel has finished."""
        if self._started is not None:
            self._started.pipes.close()
            self._started = None
        self._connection.close()


_FILE_ERRORS: dict[str, type[HoldfastError]] = {
    "ENOENT": NotFoundError,
    "EFBIG": TooLargeError,
    "ENOSPC": StorageFullError,
    "EDQUOT": StorageFullError,
}


def _in_memory(payload: bytes) -> int:
    """A file that is nowhere, to be read by who is given its descriptor."""
    fd = os.memfd_create("files", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(payload)
    return fd


def _needs_cold_start(command: Command) -> bool:
    return any(map(COLD_VARIABLES.fullmatch, command.environment))


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidFileNameError(f"'{path[:200]}' is not a relative path below the workspace.", field="files")


def _verdict(header: dict[str, Any], payload: bytes) -> Exited | HoldfastError:
    if header["op"] != "exited":
        return EngineError(f"The sandbox failed: {header.get('error', 'unknown answer')}.")
    files = split_files(header["artifacts"], payload)
    return Exited(
        exit_code=header["exit_code"],
        signal=header["signal"],
        reason=header["reason"],
        usage=_usage(header["usage"]),
        disk_full=header["disk_full"],
        returned={name: files.pop(name) for name in header["returned"]},
        artifacts=files,
        notes=tuple(header["notes"]),
        start_ms=header["start_ms"],
        run_ms=header["run_ms"],
        collect_ms=header["collect_ms"],
    )


def _usage(counted: dict[str, Any]) -> Usage:
    return Usage(
        wall_seconds=counted["wall_seconds"],
        cpu_user_seconds=counted["cpu_user_seconds"],
        cpu_system_seconds=counted["cpu_system_seconds"],
        memory_peak_bytes=counted["memory_peak"],
        processes_peak=counted["processes_peak"],
        out_of_memory=bool(counted["oom_kills"]),
    )
