"""A sandbox that a task works in: commands with their output as it comes, and the files of its workspace.

One thing happens in it at a time, and what a command leaves running ends with it.
"""

import io
import json
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from holdfast.background import background
from holdfast.engines import Command, Exited, Output, Sandbox, SandboxSpec
from holdfast.errors import QueueFullError, TooLargeError, UnsupportedError, WorkspaceError
from holdfast.execution import Executor, next_report
from holdfast.languages import ENVIRONMENT_AT, LIBRARY_AT
from holdfast.types import Isolation, Limits, Network

MAX_WORKSPACE_BYTES = 64 << 20
"""How large the workspace of a task may be on its way from one sandbox to another, as a tar."""

ASK_SECONDS = 60.0
_ANSWER_BYTES = 4 << 20
_RETRY_SECONDS = 0.25
_PROGRAM = (
    *(f"{ENVIRONMENT_AT}/bin/python", "-I", "-S", "-B", "-c"),
    "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.workspace import main; main(sys.argv[2])",
    LIBRARY_AT,
)

LIMITS = Limits(
    wall_seconds=600,
    memory_bytes=1 << 30,
    disk_bytes=512 << 20,
    output_bytes=4 << 20,
    processes=512,
    open_files=4096,
    cpu_shares=512,
)
"""What the sandbox of a task may use, unless the operator says otherwise."""

Say = Callable[[Output], Awaitable[None]]


class Workplace:
    """One sandbox, for as long as it is kept."""

    def __init__(self, executor: Executor, sandbox: Sandbox, limits: Limits) -> None:
        self._executor = executor
        self._sandbox = sandbox
        self._one_at_a_time = anyio.Lock()
        self.limits = limits

    @property
    def isolation(self) -> Isolation:
        """What holds it."""
        return self._sandbox.isolation

    @property
    def lost(self) -> bool:
        """Whether nothing can be done in it any more."""
        return self._sandbox.lost

    async def run(self, command: Command, say: Say, *stops: anyio.Event) -> Exited:
        """Run a command to its end, which any of `stops` brings about. Raises EngineError, ShuttingDownError.

        Cancelling this ends the sandbox.
        """
        async with self._one_at_a_time, _place(self._executor), self._sandbox.exec(command) as process:
            with self._executor.killable(process):
                async with background() as group:
                    for stop in stops:
                        group.start_soon(_kill_when, stop, process.kill)
                    return await _verdict(aiter(process), command.wall_seconds, say)

    async def tool(self, name: str, arguments: Mapping[str, Any], content: bytes = b"") -> str:
        """What a file tool answers. Raises WorkspaceError, EngineError."""
        answer = await self._ask({"op": "tool", "name": name, "arguments": dict(arguments)}, content)
        return str(json.loads(answer))

    async def pack(self, patterns: tuple[str, ...] = (), *, at: str = ".", most: int = MAX_WORKSPACE_BYTES) -> bytes:
        """A tar of what fits one of the patterns, or of everything. Raises WorkspaceError, TooLargeError."""
        return await self._ask({"op": "pack", "at": at, "patterns": list(patterns)}, most=most)

    async def unpack(self, archive: bytes, *, at: str = ".") -> int:
        """Make the files of a tar or zip; how many there were. Raises WorkspaceError, EngineError."""
        return int(json.loads(await self._ask({"op": "unpack", "at": at}, archive)))

    async def digest(self, patterns: tuple[str, ...]) -> str:
        """A hash of the files that fit; empty without any. Raises WorkspaceError, EngineError."""
        return str(json.loads(await self._ask({"op": "digest", "patterns": list(patterns)})))

    async def clear(self) -> None:
        """Remove every file. Raises WorkspaceError, EngineError."""
        await self._ask({"op": "clear"})

    async def _ask(self, question: Mapping[str, Any], content: bytes = b"", *, most: int = _ANSWER_BYTES) -> bytes:
        answer, said = bytearray(), bytearray()

        async def hear(output: Output) -> None:
            (answer if output.stream == "stdout" else said).extend(output.data)
            if len(answer) > most:
                raise TooLargeError(f"The files are together larger than {most:,} bytes.")

        command = Command(argv=(*_PROGRAM, json.dumps(question)), stdin=content, wall_seconds=ASK_SECONDS)
        exited = await self.run(command, hear)
        if exited.exit_code == 0:
            return bytes(answer)
        raise WorkspaceError(_why_not(exited, said[:2000].decode(errors="replace")))


def _why_not(exited: Exited, said: str) -> str:
    if exited.reason == "wall":
        return f"It took more than {ASK_SECONDS:g} seconds."
    if exited.usage.out_of_memory:
        return "It needed more memory than the sandbox has."
    return said.strip().rstrip(".") + "." if exited.exit_code == 1 and said else "The sandbox did not answer."


@asynccontextmanager
async def open_workplace(
    executor: Executor, *, limits: Limits = LIMITS, network: bool = False
) -> AsyncIterator[Workplace]:
    """A fresh sandbox for the length of the block. Raises UnsupportedError, EngineError, ShuttingDownError."""
    if network:
        check_network(executor)
    spec = SandboxSpec("bash", _enforceable(limits, executor), network=Network.FULL if network else Network.NONE)
    async with executor.sandbox(spec) as sandbox:
        yield Workplace(executor, sandbox, limits)


def check_network(executor: Executor) -> None:
    """Raises UnsupportedError where no sandbox has a network."""
    if not executor.bounds.network or Network.FULL not in executor.engine.capabilities.networks:
        raise UnsupportedError(
            "Network access is not enabled on this server, so 'network' is refused; the operator can allow it with "
            "HOLDFAST_ALLOW_NETWORK=true.",
            field="network",
        )


def _enforceable(limits: Limits, executor: Executor) -> Limits:
    """The limits, with those of the operator's defaults that say nothing about size."""
    return limits.model_copy(update={"cpus": executor.bounds.defaults.cpus})


@asynccontextmanager
async def _place(executor: Executor) -> AsyncIterator[None]:
    """A task is not sent away when the server is busy: it waits for its next place."""
    while True:
        try:
            executor.admission.check()
            break
        except QueueFullError:
            await anyio.sleep(_RETRY_SECONDS)
    async with executor.admission.place():
        yield


async def _kill_when(stop: anyio.Event, kill: Callable[[], Awaitable[None]]) -> None:
    await stop.wait()
    await kill()


async def _verdict(reports: AsyncIterator[Output | Exited], wall_seconds: float, say: Say) -> Exited:
    while True:
        report = await next_report(reports, wall_seconds)
        if isinstance(report, Exited):
            return report
        await say(report)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A tar of files by name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if data.startswith(b"#!") else 0o644
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


_NOISE = ("__pycache__", "*.pyc", "node_modules", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")
"""What programs leave behind and nobody has written, as lines of a `.gitignore`."""

_AS_IT_IS = "* !diff !merge -text -ident -filter !eol !working-tree-encoding"
"""No attribute that a file sets changes what is compared, or how it is shown."""

_DIFF = f"""
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_DIR=/tmp/diff.git GIT_WORK_TREE=/workspace
command -v git >/dev/null || {{ echo 'git is not installed on this host' >&2; exit 1; }}
git init --quiet 2>/dev/null && git config core.bare false || exit
printf '%s\\n' {" ".join(f"'{name}'" for name in _NOISE)} > "$GIT_DIR/info/exclude" || exit
echo '{_AS_IT_IS}' > "$GIT_DIR/info/attributes" || exit
find . -name .git -prune -exec rm -rf {{}} + || exit
"""
_COMMIT = """
mkdir /tmp/rules && find . -name .gitignore -type f -exec cp --parents -t /tmp/rules {} + || exit
git add --all --force . && git -c user.name=h -c user.email=h@h commit --quiet --allow-empty -m before
"""
# A file that is new is left out where a rule that was there before says so: the rules are looked up where no others
# are. Reading the tree anew forgets sizes and times, which a program can set as they were.
_COMPARE = """
git read-tree HEAD && git ls-files --others -z > /tmp/new || exit
(cd /tmp/rules && sed -z 's|^|./|' /tmp/new | GIT_WORK_TREE=. git check-ignore --no-index --stdin -z) > /tmp/ignored
[ $? -le 1 ] && xargs -0 -r rm -f < /tmp/ignored || exit
git add --all --force . && git diff --cached --binary --no-color --no-ext-diff --no-textconv HEAD
"""


async def diff(executor: Executor, before: bytes, after: bytes, *, most: int = MAX_WORKSPACE_BYTES) -> bytes:
    """The git patch between two tars, made in a sandbox that has run nothing else.

    It has every change to what was there before, and every new file but those that the `.gitignore` files of before,
    or `_NOISE`, name: what has run in between cannot say what of it is shown.

    Raises WorkspaceError, TooLargeError, EngineError.
    """
    patch, said = bytearray(), bytearray()

    async def hear(output: Output) -> None:
        (patch if output.stream == "stdout" else said).extend(output.data)
        if len(patch) > most:
            raise TooLargeError(f"The difference is larger than {most:,} bytes.")

    async with open_workplace(executor) as place:
        for archive, script in ((before, _COMMIT), (after, _COMPARE)):
            await place.clear()
            await place.unpack(archive)
            command = Command(argv=("/bin/sh", "-c", _DIFF + script), wall_seconds=ASK_SECONDS)
            exited = await place.run(command, hear)
            if exited.exit_code != 0:
                raise WorkspaceError(f"The difference cannot be told: {said[:500].decode(errors='replace').strip()}.")
    return bytes(patch)


async def cloned(executor: Executor, url: str, ref: str | None) -> bytes:
    """A tar of a repository, cloned in a sandbox of its own that has a network.

    Raises UnsupportedError, WorkspaceError, TooLargeError, EngineError.
    """
    said = bytearray()

    async def hear(output: Output) -> None:
        said.extend(output.data[-2000:])

    async with open_workplace(executor, network=True) as place:
        command = Command(argv=("/bin/sh", "-c", _CLONE, "clone", url, ref or ""), wall_seconds=LIMITS.wall_seconds)
        exited = await place.run(command, hear)
        if exited.exit_code != 0:
            reason = said[-500:].decode(errors="replace").strip().replace("\n", "; ")
            raise WorkspaceError(f"The repository cannot be cloned: {reason or 'git was ended'}.")
        return await place.pack()


_CLONE = """
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_ALLOW_PROTOCOL=http:https:git
git init --quiet . && git remote add origin "$1" && git fetch --quiet --tags origin || exit
if [ -z "$2" ]; then git remote set-head origin --auto >/dev/null && git checkout --quiet origin/HEAD; exit; fi
git checkout --quiet "origin/$2" 2>/dev/null || git checkout --quiet "$2" -- || {
  git fetch --quiet origin "$2" && git checkout --quiet FETCH_HEAD; }
"""
