"""Who holds one sandbox: `runsc run` and the control groups around it."""

import asyncio
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.engines.control.container import Account
from holdfast.engines.gvisor.groups import SandboxGroups
from holdfast.errors import EngineError
from holdfast.types import Limits

_ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 1; shift; done; shift; exec "$@"'
_READ_BYTES = 1 << 18
_WORDS = 300
LEAVE_SECONDS = 2.0
REMOVAL_TRIES = 500
PAUSE_SECONDS = 0.02


class RunscLink:
    """The stdin and stdout of `runsc run`, which are those of pid 1."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("it was started with pipes")
        self._input, self._output = process.stdin, process.stdout

    async def send(self, data: bytes) -> None:
        self._input.write(data)
        await self._input.drain()

    async def receive(self) -> bytes:
        return await self._output.read(_READ_BYTES)

    def close(self) -> None:
        self._input.close()


class GvisorKeeper:
    """`on_gone` is called once nothing of the sandbox is left."""

    link: RunscLink

    def __init__(self, place: Path, groups: SandboxGroups, on_gone: Callable[[], None]) -> None:
        self._place = place
        self._groups = groups
        self._on_gone = on_gone
        self._process: asyncio.subprocess.Process | None = None
        self._ending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._words = b""

    async def start(self, command: tuple[str, ...]) -> None:
        """Run the sandbox in its groups. Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        # All three are pipes: an interpreter remembers what its streams were when it started, and runsc, as root, makes
        # a device its own.
        self._process = await asyncio.create_subprocess_exec(
            *("sh", "-c", _ENTER, "sh", *self._groups.entrances, "--", *command),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        self.link = RunscLink(self._process)
        self._listening = asyncio.create_task(self._listen(self._process))

    def rlimits(self, limits: Limits) -> Mapping[str, int]:
        """What gVisor's kernel holds every process of a program to."""
        rlimits = {
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": limits.disk_bytes,
            "RLIMIT_MEMLOCK": 64 << 10,
            "RLIMIT_NPROC": limits.processes,
        }
        if limits.cpu_seconds is not None:
            rlimits["RLIMIT_CPU"] = math.ceil(limits.cpu_seconds) + 1
        return rlimits

    async def hold(self, limits: Limits) -> None:
        """Hold the sandbox to these limits from now on. Raises EngineError."""
        try:
            await asyncio.to_thread(self._groups.hold, limits)
        except OSError as error:
            raise EngineError(f"The limits of a sandbox could not be set: {error.strerror}; try again.") from None

    async def account(self) -> Account:
        """What it has used so far, as its control groups count."""
        try:
            return self._groups.account()
        except OSError:
            raise EngineError("The sandbox is gone.") from None

    async def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed for memory in the groups of the sandbox."""
        return bool((await self.account()).oom_kills)

    def sentry(self) -> int | None:
        """The process that is gVisor's kernel."""
        for pid in self._groups.processes() or self._children():
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"runsc-sandbox\0"):
                    return pid
        return None

    def words(self) -> str:
        """What runsc said that may tell why it failed."""
        return self._words.decode(errors="replace").strip()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Read what runsc says on stderr, so that it never waits; the last of it is kept."""
        while process.stderr is not None and (said := await process.stderr.read(_READ_BYTES)):
            self._words = (self._words + said)[-_WORDS:]

    def kill(self) -> None:
        """Begin to end it. Its sentry and its file server end with `runsc run`."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def aclose(self) -> None:
        """End it, and return when nothing of it is left."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        if self._process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._process.wait()
            self.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening
        for _ in range(REMOVAL_TRIES):
            if await asyncio.to_thread(self._groups.remove):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.to_thread(shutil.rmtree, self._place, ignore_errors=True)
        self._on_gone()

    def _children(self) -> set[int]:
        if self._process is None:
            return set()
        with suppress(OSError):
            threads = Path(f"/proc/{self._process.pid}/task").glob("*/children")
            return {int(child) for thread in threads for child in thread.read_text().split()}
        return set()
