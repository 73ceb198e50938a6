"""The place of one attack: canaries on the host, sandboxes from the engine, and a clean host afterwards."""

import fcntl
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, Unpack

import anyio

from holdfast.engines import Command, Engine, Exited, Output, Sandbox, SandboxSpec
from holdfast.errors import EngineError
from holdfast.languages import LANGUAGES
from holdfast.testing.attacks import canaries, inside
from holdfast.testing.attacks.model import Options, Ran
from holdfast.types import Limits, Network

NO_CHANGE: Mapping[str, float] = MappingProxyType({})
KEPT_OUTPUT_BYTES = 1 << 20
OVERTIME_SECONDS = 15.0
SETTLE_SECONDS = 0.02
DEATH_SECONDS = 2.0
POLL_SECONDS = 0.05
LIMITS = Limits(
    wall_seconds=10,
    memory_bytes=128 << 20,
    disk_bytes=64 << 20,
    output_bytes=1 << 20,
    processes=32,
    open_files=128,
    cpu_shares=512,
)
DEED = Path(inside.__file__).read_bytes()
PREAMBLE = """\
import ctypes, errno, fcntl, mmap, os, re, resource, signal, socket, stat, struct, subprocess, sys
import tempfile, threading, time
from deed import *
A = begin()
"""


class Arena:
    """Plants canaries on entry; on exit removes them and ends whatever outlived its sandbox."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bare = not engine.capabilities.layers
        self.token = f"{os.getpid()}-{secrets.token_hex(8)}"
        self.secret = canaries.new_secret()
        self.key = secrets.randbelow(1 << 30) + 1
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        try:
            self._plant()
        except BaseException:
            self._stack.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._clear()

    @asynccontextmanager
    async def sandbox(
        self, limits: Mapping[str, float] = NO_CHANGE, network: Network = Network.NONE, language: str = "python"
    ) -> AsyncIterator["Cage"]:
        """A fresh sandbox with the arena's limits, but for those given."""
        spec = SandboxSpec(language, LIMITS.model_copy(update=limits), network)
        sandbox = await self.engine.create(spec)
        try:
            yield Cage(self, sandbox, spec.limits)
        finally:
            await sandbox.aclose()

    async def run(self, code: str, limits: Mapping[str, float] = NO_CHANGE, **options: Unpack[Options]) -> Ran:
        """Run one program in a sandbox of its own. Raises TimeoutError when no verdict comes, EngineError."""
        async with self.sandbox(limits) as cage:
            return await cage.run(code, **options)

    def survivors(self) -> list[int]:
        """The processes of this arena's programs that are still alive on the host."""
        return [pid for pid in canaries.processes_with(self.token) if pid != self.bystander.pid]

    async def settle(self) -> None:
        """Let the listeners notice what has come, and the dying die."""
        await anyio.sleep(SETTLE_SECONDS)
        end = anyio.current_time() + DEATH_SECONDS
        while self.survivors() and anyio.current_time() < end:  # noqa: ASYNC110  # the kernel tells nobody
            await anyio.sleep(POLL_SECONDS)

    def facts(self) -> Mapping[str, object]:
        """What a program is told: where things are, but no secret."""
        return {
            "bare": self.bare,
            "token": self.token,
            "bystander": self.bystander_marker,
            "public": str(self.public),
            "private": str(self.private),
            "marker_dir": str(self.marker_dir),
            "shm_file": str(self.shm_file),
            "unix_path": self.unix_path,
            "abstract": self.abstract,
            "tcp_port": self.tcp.port if self.tcp else 0,
            "tcp6_port": self.tcp6.port if self.tcp6 else 0,
            "udp_port": self.udp.port if self.udp else 0,
            "own_address": self.own_address,
            "own_tcp_port": self.own_tcp.port if self.own_tcp else 0,
            "own_udp_port": self.own_udp.port if self.own_udp else 0,
            "free_port": self.free_port,
            "key": self.key,
            "queue": self.token,
            "home": str(Path.home()),
            "cwd": str(Path.cwd()),
            "lock_file": os.path.realpath(shutil.which("env") or "/bin/sh"),
        }

    def _clear(self) -> None:
        self._stack.close()
        canaries.end_processes_with(self.token)
        for place in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
            for path in Path(place).glob(f"*{self.token}*"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        canaries.forget_ipc(self.key + 1)
        with suppress(OSError):
            inside.syscall("mq_unlink", f"{self.token}-left".encode())

    def _plant(self) -> None:
        enter = self._stack.enter_context
        self.root = Path(enter(tempfile.TemporaryDirectory(prefix=f"holdfast-canary-{self.token}-")))
        self.root.chmod(0o755)
        self.public, self.private = self.root / "public.txt", self.root / "private.txt"
        for path, mode in ((self.public, 0o644), (self.private, 0o600)):
            path.write_text(self.secret)
            path.chmod(mode)
        self.marker_dir = self.root / "marker"
        self.marker_dir.mkdir()
        self.marker_dir.chmod(0o777)
        self.shm_file = Path("/dev/shm" if os.path.isdir("/dev/shm") else self.root) / f"canary-{self.token}"
        self.shm_file.write_text(self.secret)
        self.leaked_file = enter(canaries.open_descriptor(self.private))
        fcntl.flock(self.leaked_file, fcntl.LOCK_SH)
        enter(canaries.open_descriptor(self.root))
        enter(canaries.environment_variable("CANARY_SECRET", self.secret))
        enter(canaries.shared_memory(self.key, self.secret))
        enter(canaries.message_queue(self.token, self.secret))
        self.bystander_marker = f"holdfast-bystander-{self.token}"
        self.bystander = enter(canaries.bystander(self.secret, self.private, self.bystander_marker))
        self._listen()

    def _listen(self) -> None:
        stack, secret = self._stack, self.secret
        self.unix_path, self.abstract = str(self.root / "canary.sock"), f"holdfast-canary-{self.token}"
        self.tcp = canaries.listen(stack, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0), secret)
        self.udp = canaries.listen(stack, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0), secret)
        self.tcp6 = canaries.listen(stack, socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0), secret)
        self.own_address = canaries.own_address()
        self.own_tcp = canaries.listen(stack, socket.AF_INET, socket.SOCK_STREAM, (self.own_address, 0), secret)
        self.own_udp = canaries.listen(stack, socket.AF_INET, socket.SOCK_DGRAM, (self.own_address, 0), secret)
        self.unix = canaries.listen(stack, socket.AF_UNIX, socket.SOCK_STREAM, self.unix_path, secret)
        self.unix_fd = canaries.listen(
            stack, socket.AF_UNIX, socket.SOCK_STREAM, self.unix_path + ".fd", secret, self.leaked_file
        )
        self.hidden = canaries.listen(stack, socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.abstract, secret)
        self.hidden_dgram = canaries.listen(
            stack, socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{self.abstract}-dgram", secret
        )
        for path in (self.unix_path, self.unix_path + ".fd"):
            os.chmod(path, 0o777)  # noqa: S103 -- an unlocked door, to see who comes
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.free_port = int(probe.getsockname()[1])


class Cage:
    """A sandbox in an arena."""

    def __init__(self, arena: Arena, sandbox: Sandbox, limits: Limits) -> None:
        self.sandbox = sandbox
        self._arena = arena
        self._limits = limits

    async def run(self, code: str, **options: Unpack[Options]) -> Ran:
        """Run one Python program. Raises TimeoutError when no verdict comes, EngineError."""
        row = LANGUAGES["python"]
        command = Command(
            argv=row.run,
            environment={"ARENA": json.dumps(self._arena.facts())},
            stdin=options.get("stdin", b""),
            files={"deed.py": DEED, row.main_file: (PREAMBLE + code).encode(), **options.get("files", {})},
            artifacts=options.get("artifacts", ()),
            returns=options.get("returns", {}),
        )
        return await self.run_command(command, options.get("read_after", 0))

    async def run_command(self, command: Command, read_after: float = 0) -> Ran:
        """Run any command, for as long as a run may take. Raises as `run`."""
        command = replace(command, wall_seconds=self._limits.wall_seconds)
        with anyio.fail_after(self._limits.wall_seconds + OVERTIME_SECONDS):
            ran = await self._finish(command, read_after)
        await self._arena.settle()
        return ran

    async def _finish(self, command: Command, read_after: float) -> Ran:
        kept = {"stdout": bytearray(), "stderr": bytearray()}
        total = 0
        async with self.sandbox.exec(command) as process:
            await anyio.sleep(read_after)
            async for event in process:
                if isinstance(event, Exited):
                    return Ran(event, bytes(kept["stdout"]), bytes(kept["stderr"]), total)
                total += len(event.data)
                keep(kept[event.stream], event)
        raise EngineError("The run ended without a verdict.")


def keep(kept: bytearray, event: Output) -> None:
    """Add what still fits."""
    kept += event.data[: max(0, KEPT_OUTPUT_BYTES - len(kept))]
