"""The seam between Holdfast and whatever isolates a program.

An `Engine` makes sandboxes, a `Sandbox` runs commands, a `Process` is a stream of `Output` that ends with exactly one
`Exited`. Request limits, output caps, queues, pools and metrics are built outside this seam, once for all engines.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from holdfast.types import Capabilities, Isolation, Limits, Network, Usage

WORKSPACE = "/workspace"
"""Where a program finds its files, on every engine; it is also its working directory."""

RESERVED = ".holdfast"
"""The directory of the workspace that is ours; no request can put a file there."""

NEW_LAYER = "+"
"""The layer of a sandbox that builds one: an empty directory it can write."""

DATA_AT = "/data"
"""Where a program finds the files of the dataset it was given, read-only."""

FRAMES_VARIABLE = "HOLDFAST_FRAMES"
"""The environment variable that tells an interactive program the number of the descriptor for its frames."""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What kind of sandbox to make. Hashable: two equal specs can share a pool.

    `profile` names what may be started or loaded in advance. It is a hint: an engine may ignore it, and it never
    changes what the program sees.

    `layer` names a finished layer of files that the program sees, read-only, at `LAYER_AT`; `data` a dataset, by its
    digest, whose files it sees, read-only, at `DATA_AT`. It sees no other dataset. Nothing can have both.

    `once`: nobody will ask for another of this kind, so that none is kept in stock.
    """

    language: str
    limits: Limits
    network: Network = Network.NONE
    profile: str = ""
    layer: str = ""
    data: str = ""
    once: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to run. `files` are placed in the workspace, with the program's own rights, before it starts.

    `executables` are the names among `files` that can be started. `artifacts` are glob patterns, relative to the
    workspace, of files to hand back when everything has ended; together they are at most `artifact_bytes` long.
    `returns` are exact names of files to hand back for ourselves, each with the most bytes it may have; no pattern
    matches anything in `RESERVED`.

    An `interactive` command keeps its stdin open for `Process.send`, and has one more descriptor (`FRAMES_VARIABLE`):
    what it writes there comes out as the stream `frames`, after everything it had written to the others before.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    artifact_bytes: int = 16 << 20
    wall_seconds: float = 30.0
    executables: frozenset[str] = frozenset()
    returns: Mapping[str, int] = field(default_factory=dict)
    interactive: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes the program wrote."""

    stream: Literal["stdout", "stderr", "frames"]
    data: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """The regular files of a workspace: size and a number that is another once a file has changed, by name.

    `notes` are sentences about what was left out.
    """

    files: Mapping[str, tuple[int, int]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exited:
    """The verdict: it comes from the trusted side of the sandbox, never from what the program printed.

    Exactly one of `exit_code` and `signal` is set. `reason` says why the sandbox ended the program itself, if it did.
    `notes` are sentences for the user, such as an artifact that was too large.
    """

    exit_code: int | None
    signal: int | None
    reason: Literal["wall", "cpu", "killed"] | None
    usage: Usage
    disk_full: bool
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    start_ms: float = 0.0
    run_ms: float = 0.0
    collect_ms: float = 0.0
    returned: Mapping[str, bytes] = field(default_factory=dict)


ProcessEvent = Output | Exited


class Process(Protocol):
    """A running command: iterate it for its output, ending with exactly one `Exited`."""

    def __aiter__(self) -> AsyncIterator[ProcessEvent]: ...

    async def kill(self) -> None:
        """End the whole process tree; the iterator still ends with `Exited` (reason `killed`)."""
        ...

    async def send(self, data: bytes) -> None:
        """Write to the stdin of an interactive command; one that has ended is not told."""
        ...

    async def interrupt(self) -> None:
        """Send SIGINT to the command and those it started in its process group."""
        ...

    async def usage(self) -> Usage:
        """What the sandbox has used since it was made, by the account of its trusted side. Raises EngineError."""
        ...


class Sandbox(Protocol):
    """An isolated place with files. It has one owner and one life. Files go in and out also while a command runs."""

    id: str
    isolation: Isolation

    @property
    def charged_bytes(self) -> int:
        """What it costs to keep it unused."""
        ...

    @property
    def lost(self) -> bool:
        """Whether it has ended without being asked to, so that it can only be closed."""
        ...

    def adjust(self, spec: SandboxSpec) -> None:
        """Turn an unused sandbox into what `spec` asks for; `Engine.stock_spec` of both must be equal."""
        ...

    def exec(self, command: Command) -> AbstractAsyncContextManager[Process]:
        """Start a command; leaving the block kills its whole process tree. Raises EngineError."""
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Place a file in the workspace, with the program's rights. Raises InvalidFileNameError, EngineError."""
        ...

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a regular file of the workspace. Raises NotFoundError, TooLargeError, EngineError."""
        ...

    async def list(self) -> Listing:
        """The files of the workspace, as many as can be told. Raises EngineError."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file of the workspace. Raises NotFoundError, InvalidFileNameError, EngineError."""
        ...

    async def aclose(self) -> None:
        """End everything in it and give back what it holds."""
        ...


class Engine(Protocol):
    """Makes sandboxes of one kind."""

    @property
    def capabilities(self) -> Capabilities: ...

    def stock_spec(self, spec: SandboxSpec) -> SandboxSpec:
        """What to keep in stock for such requests: `spec` without what an unused sandbox can still be given."""
        ...

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """A fresh sandbox. Raises UnsupportedError for what it cannot enforce, EngineError when it fails."""
        ...

    async def forget(self, name: str) -> None:
        """Make no more sandboxes with this layer or dataset, and return when the last one is gone."""
        ...

    async def aclose(self) -> None:
        """End every sandbox and give back everything."""
        ...
