"""An engine that isolates nothing, for two uses: every attack must be seen to succeed on it, and API tests run quickly.

It is built the way hasty runners are built, on purpose: programs inherit the server's environment and descriptors,
files are written and read by name, output is queued without bound, a verdict written to a report pipe is believed,
exit codes are read by shell convention, and only the process group is killed. Never run untrusted code on it.
"""

import asyncio
import itertools
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import anyio

from holdfast.engines import FRAMES_VARIABLE, Command, Exited, Listing, Output, Process, ProcessEvent, SandboxSpec
from holdfast.errors import EngineError, InvalidFileNameError, NotFoundError, TooLargeError, UnsupportedError
from holdfast.testing.by_name import checked_name, collect, matches, read_named
from holdfast.types import Capabilities, Isolation, Limits, Network, Usage

TERM_GRACE_SECONDS = 2.0
LINGER_SECONDS = 1.0
REMOVALS, REMOVAL_PAUSE_SECONDS = 20, 0.1
TIMED_OUT_CODE = 124
SIGNAL_BASE = 128

NO_ISOLATION = Isolation(
    engine="unisolated",
    namespaces=(),
    seccomp="none",
    cgroup="none",
    landlock=None,
    network=Network.FULL,
    no_new_privileges=False,
    capabilities_dropped=False,
    separate_users=False,
    notes=("Nothing is isolated; this engine exists for tests.",),
)


NO_LIMITS = Limits(
    wall_seconds=0, memory_bytes=0, disk_bytes=0, output_bytes=0, processes=0, open_files=0, cpu_shares=0
)


class UnisolatedEngine:
    """Runs programs as plain subprocesses in a temporary directory. Holds nothing but the wall clock."""

    def __init__(self, folders: Sequence[str] = ()) -> None:
        self._path = os.pathsep.join((*folders, os.environ.get("PATH", os.defpath)))  # noqa: TID251 -- inherited on purpose
        self._root = Path(tempfile.mkdtemp(prefix=f"holdfast-unisolated-{os.getpid()}-"))
        self._numbers = itertools.count(1)
        self._foreign = inheritable_descriptors()
        self.home = self._root / "home"
        self.home.mkdir()

    @property
    def capabilities(self) -> Capabilities:
        """Only the wall clock is enforced."""
        return Capabilities(
            engine="unisolated",
            limits=frozenset({"wall_seconds"}),
            networks=frozenset({Network.FULL}),
            layers=frozenset(),
        )

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """Every request can be served from the same stock; nothing depends on the limits."""
        return replace(spec, limits=NO_LIMITS, profile="")

    async def create(self, spec: SandboxSpec) -> "UnisolatedSandbox":
        """A fresh directory; the limits and the network of `spec` are not enforced."""
        if spec.layer or spec.data:
            raise UnsupportedError("The engine 'unisolated' has no prebuilt environments and no datasets.")
        number = str(next(self._numbers))
        workspace = self._root / number
        workspace.mkdir()
        return UnisolatedSandbox(number, workspace, {"HOME": str(self.home), "PATH": self._path}, self._foreign)

    async def forget(self, name: str) -> None:
        """There are no layers and no datasets here."""

    async def aclose(self) -> None:
        """Remove every workspace, again where a program that got away still writes into one."""
        for _ in range(REMOVALS):
            # `rm` copes with trees deeper than Python's recursion limit.
            if not (await anyio.run_process(["rm", "-rf", "--", str(self._root)], check=False)).returncode:
                return
            await anyio.sleep(REMOVAL_PAUSE_SECONDS)


class UnisolatedSandbox:
    """A directory of the host."""

    charged_bytes = 0
    lost = False

    def __init__(self, number: str, workspace: Path, environment: Mapping[str, str], foreign: frozenset[int]) -> None:
        self.id = number
        self.isolation = NO_ISOLATION
        self._workspace = workspace
        self._environment = environment
        self._foreign = foreign
        self._running: set[UnisolatedProcess] = set()

    @asynccontextmanager
    async def exec(self, command: Command) -> AsyncIterator[Process]:
        """Start a command; leaving the block kills its process group. Raises EngineError."""
        for name, data in command.files.items():
            await self.write(name, data)
        for name in command.executables:
            (self._workspace / name).chmod(0o755)
        process = UnisolatedProcess(command, self._workspace)
        self._running.add(process)
        try:
            await process.start(self._environment, self._foreign)
            yield process
        finally:
            with anyio.CancelScope(shield=True):
                await process.end()
            self._running.discard(process)

    def adjust(self, spec: SandboxSpec) -> None:
        """Nothing is applied, so there is nothing to change."""

    async def write(self, path: str, data: bytes) -> None:
        """Write a file by name, through whatever links there are. Raises InvalidFileNameError, EngineError."""
        target = self._workspace / checked_name(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:
            raise EngineError(f"'{path}' could not be written: {error.strerror}.") from error

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a file by name, through links. Raises NotFoundError, TooLargeError, InvalidFileNameError."""
        target = self._workspace / checked_name(path)
        if not target.is_file():
            raise NotFoundError(f"There is no file '{path}' in the workspace.")
        with target.open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise TooLargeError(f"'{path}' is larger than {max_bytes} bytes.")
        return data

    async def list(self) -> Listing:
        """The files of the workspace, through links."""
        found = {}
        for name in matches(self._workspace, "**"):
            status = os.stat(self._workspace / name)
            found[name] = (status.st_size, status.st_mtime_ns)
        return Listing(found)

    async def remove(self, path: str) -> None:
        """Remove a file by name. Raises NotFoundError, InvalidFileNameError."""
        try:
            (self._workspace / checked_name(path)).unlink()
        except FileNotFoundError:
            raise NotFoundError(f"There is no file '{path}' in the workspace.") from None
        except OSError as error:
            raise InvalidFileNameError(f"'{path}' cannot be removed: {error.strerror}.") from error

    async def aclose(self) -> None:
        """End what still runs. The files stay until the engine closes."""
        for process in tuple(self._running):
            await process.end()


class UnisolatedProcess(asyncio.SubprocessProtocol):
    """A subprocess whose output is queued as it comes."""

    def __init__(self, command: Command, workspace: Path) -> None:
        self._command = command
        self._workspace = workspace
        self._events: asyncio.Queue[Output | None] = asyncio.Queue()
        self._over = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        self._reason: Literal["wall", "killed"] | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._started = self._ended = time.monotonic()
        self._children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._report = -1
        self._frames = -1

    async def start(self, environment: Mapping[str, str], foreign: frozenset[int]) -> None:
        """Start the program with the server's environment and descriptors, but those of whoever started the server."""
        loop = asyncio.get_running_loop()
        self._report, report_in = os.pipe()
        os.set_inheritable(report_in, True)
        os.set_blocking(self._report, False)
        given = (report_in, *self._frames_end())
        told = {FRAMES_VARIABLE: str(given[-1])} if self._command.interactive else {}
        try:
            await loop.subprocess_exec(
                lambda: self,
                *host_argv(self._command.argv),
                cwd=self._workspace,
                env={**os.environ, **environment, **self._command.environment, **told},  # noqa: TID251 -- inherited on purpose
                start_new_session=True,
                pass_fds=tuple(inheritable_descriptors() - foreign),
            )
        except OSError as error:
            raise EngineError(f"'{self._command.argv[0]}' could not be started: {error.strerror}.") from error
        finally:
            for descriptor in given:
                os.close(descriptor)
        self._feed(self._command.stdin)
        self._timers.append(loop.call_later(self._command.wall_seconds, self._expire))

    async def __aiter__(self) -> AsyncIterator[ProcessEvent]:
        while (event := await self._events.get()) is not None:
            yield event
        yield self._verdict()

    async def kill(self) -> None:
        """Kill the process group; the iterator still ends with `Exited`."""
        if not self._over.is_set():
            self._reason = self._reason or "killed"
            self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kill the process group and wait until it is gone."""
        if self._transport is not None:
            await self.kill()
            self._transport.close()
            await self._over.wait()
        for timer in self._timers:
            timer.cancel()
        self._close_frames()
        if self._report >= 0:
            os.close(self._report)
            self._report = -1

    async def send(self, data: bytes) -> None:
        """Write to its stdin."""
        self._stdin().write(data)

    async def interrupt(self) -> None:
        """Send SIGINT to its process group."""
        if not self._over.is_set():
            self._signal(signal.SIGINT)

    async def usage(self) -> Usage:
        """What it has used, without its children: nothing else counts."""
        return self._usage_of(*_cpu_seconds(self._transport.get_pid() if self._transport else 0))

    def _frames_end(self) -> tuple[int, ...]:
        """The program's end of the pipe for frames, if it gets one."""
        if not self._command.interactive:
            return ()
        self._frames, frames_in = os.pipe()
        os.set_inheritable(frames_in, True)
        os.set_blocking(self._frames, False)
        asyncio.get_running_loop().add_reader(self._frames, self._on_frames)
        return (frames_in,)

    def _on_frames(self) -> None:
        try:
            data = os.read(self._frames, 1 << 16)
        except BlockingIOError:
            return
        for fd in (1, 2):
            self._take_what_is_there(fd)
        if data:
            self._soon(Output("frames", data))
        else:
            self._close_frames()

    def _take_what_is_there(self, fd: int) -> None:
        transport = self._transport.get_pipe_transport(fd) if self._transport else None
        with suppress(OSError, ValueError):
            while transport and (data := os.read(transport.get_extra_info("pipe").fileno(), 1 << 16)):
                self._soon(Output("stdout" if fd == 1 else "stderr", data))

    def _soon(self, event: Output | None) -> None:
        """In its turn: asyncio's own pipes are read before they are reported as well."""
        asyncio.get_running_loop().call_soon(self._events.put_nowait, event)

    def _close_frames(self) -> None:
        if self._frames >= 0:
            asyncio.get_running_loop().remove_reader(self._frames)
            os.close(self._frames)
            self._frames = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._events.put_nowait(Output("stdout" if fd == 1 else "stderr", data))

    def process_exited(self) -> None:
        self._ended = time.monotonic()
        self._signal(signal.SIGKILL)
        if self._transport is not None:
            self._timers.append(asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._frames >= 0:
            self._on_frames()
        self._over.set()
        self._soon(None)

    def _feed(self, stdin: bytes) -> None:
        pipe = self._stdin()
        pipe.write(stdin)
        if not self._command.interactive:
            pipe.write_eof()

    def _stdin(self) -> asyncio.WriteTransport:
        pipe = self._transport.get_pipe_transport(0) if self._transport else None
        assert isinstance(pipe, asyncio.WriteTransport)
        return pipe

    def _expire(self) -> None:
        if self._over.is_set() or self._reason is not None:
            return
        self._reason = "wall"
        self._signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(TERM_GRACE_SECONDS, self._signal, signal.SIGKILL))

    def _signal(self, number: signal.Signals) -> None:
        if self._transport is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), number)

    def _verdict(self) -> Exited:
        assert self._transport is not None
        code = believed_code(self._report, self._transport.get_returncode())
        if code == TIMED_OUT_CODE:
            self._reason = self._reason or "wall"
        collecting = time.monotonic()
        artifacts, notes = collect(self._workspace, self._command.artifacts, self._command.artifact_bytes)
        returned = read_named(self._workspace, self._command.returns)
        return Exited(
            exit_code=None if code > SIGNAL_BASE else code,
            signal=code - SIGNAL_BASE if code > SIGNAL_BASE else None,
            reason=self._reason,
            usage=self._usage(),
            disk_full=False,
            artifacts=artifacts,
            returned=returned,
            notes=notes,
            run_ms=(self._ended - self._started) * 1000,
            collect_ms=(time.monotonic() - collecting) * 1000,
        )

    def _usage(self) -> Usage:
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        user, system = now.ru_utime - self._children.ru_utime, now.ru_stime - self._children.ru_stime
        return self._usage_of(max(0.0, user), max(0.0, system))

    def _usage_of(self, user: float, system: float) -> Usage:
        return Usage(
            wall_seconds=self._ended - self._started,
            cpu_user_seconds=user,
            cpu_system_seconds=system,
            memory_peak_bytes=None,
            processes_peak=None,
            out_of_memory=False,
        )


def inheritable_descriptors() -> frozenset[int]:
    """The descriptors above the standard ones that a child would get."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.add(int(name))
    return frozenset(found)


def _cpu_seconds(pid: int) -> tuple[float, float]:
    with suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK"), int(fields[12]) / os.sysconf("SC_CLK_TCK")
    return 0.0, 0.0


def host_argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command on this host: `python` is the interpreter Holdfast runs on, without the user's packages."""
    return (sys.executable, "-s", *argv[1:]) if argv[0] == "python" else argv


def believed_code(report: int, returncode: int | None) -> int:
    """The exit code by shell convention; what the report pipe says counts more, and anyone can write to it."""
    with suppress(OSError, ValueError, IndexError):
        return int(os.read(report, 64).split()[0])
    code = returncode or 0
    return code if code >= 0 else SIGNAL_BASE - code
