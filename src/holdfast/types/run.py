"""The nouns of one run."""

import base64
import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
)

from holdfast.errors import ExecutionError, ResourceExhaustedError, TimeoutError
from holdfast.types.numbers import Count, NoBoolean, Positive


class Frozen(BaseModel):
    """An immutable, hashable value."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Status(StrEnum):
    """How a program ended. Our own failures are never a status; they are raised (`errors`)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SIGNALED = "signaled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    CANCELLED = "cancelled"
    COMPILE_FAILED = "compile_failed"


class Network(StrEnum):
    """What a sandbox can reach. `none` still has a loopback interface of its own, `full` is every public address."""

    NONE = "none"
    ALLOW_LIST = "allow_list"
    FULL = "full"


class Limits(Frozen):
    """What a program may use; `None` means that only the other limits bound it."""

    wall_seconds: float
    memory_bytes: int
    disk_bytes: int
    output_bytes: int
    processes: int
    open_files: int
    cpu_shares: int
    cpu_seconds: float | None = None
    cpus: float | None = None


class Usage(Frozen):
    """What a program did use, as the kernel accounted it; `None` where this host does not count it."""

    wall_seconds: float
    cpu_user_seconds: float
    cpu_system_seconds: float
    memory_peak_bytes: int | None
    processes_peak: int | None
    out_of_memory: bool


NOTHING_USED = Usage(
    wall_seconds=0.0,
    cpu_user_seconds=0.0,
    cpu_system_seconds=0.0,
    memory_peak_bytes=None,
    processes_peak=None,
    out_of_memory=False,
)


class Timings(Frozen):
    """Where the time of one request went, in milliseconds."""

    queue_ms: float
    setup_ms: float
    start_ms: float
    run_ms: float
    collect_ms: float


class Truncated(Frozen):
    """Whether output beyond the cap was dropped, per stream."""

    stdout: bool
    stderr: bool


class Isolation(Frozen):
    """What really held the program, read back from the kernel when the sandbox was made."""

    engine: str
    namespaces: tuple[str, ...]
    seccomp: Literal["filter", "none"]
    cgroup: Literal["v1", "v2", "none"]
    landlock: int | None
    network: Network
    no_new_privileges: bool
    capabilities_dropped: bool
    separate_users: bool
    notes: tuple[str, ...] = ()


class Problem(Frozen):
    """One thing a host lacks: what is missing, why we think so, and the command or setting that mends it."""

    layer: str
    reason: str
    fix: str


class Capabilities(Frozen):
    """What an engine can enforce on this host, found by trying it."""

    engine: str
    limits: frozenset[str]
    networks: frozenset[Network]
    layers: frozenset[str]
    landlock: int | None = None
    cgroup: Literal["v1", "v2", "none"] = "none"
    adds_languages: str = Field(
        default="", description="The command that adds language {name}, where it is not that of the host."
    )
    problems: tuple[Problem, ...] = ()


class Artifact(Frozen):
    """A file a program left behind, returned because a pattern asked for it."""

    path: str
    size_bytes: int
    base64: str

    def content(self) -> bytes:
        """The bytes of the file."""
        return base64.b64decode(self.base64)


class File(Frozen):
    """Bytes of an input file; a plain string in `files` is text instead."""

    base64: str

    @field_validator("base64")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            raise ValueError("the text is not base64; of a file that is text, write just the text") from None
        return value

    def content(self) -> bytes:
        """The bytes of the file."""
        return base64.b64decode(self.base64)


def _kind_of_content(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<bytes>" if isinstance(value, dict | File) else None


FileContent = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[File, Tag("<bytes>")],
    Discriminator(
        _kind_of_content,
        custom_error_type="invalid_file",
        custom_error_message='write its text, or {"base64": "…"} for bytes',
    ),
]

_SIZE = re.compile(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes of a size such as `256m`, `1g` or `1048576`; binary units. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text[:40]!r} is not a size; write a positive number with k, m or g, such as 256m")
    return int(match[1]) * _UNITS[match[2].lower()]


_LOOPBACK = IPv4Network("127.0.0.0/8")


class Destination(Frozen):
    """Addresses, and the one port (None: every port) that may be reached there over TCP and UDP."""

    network: IPv4Network
    port: int | None


def parse_destination(text: str) -> Destination:
    """`10.1.2.3:443`, `10.1.0.0/16:443` or without a port. Raises ValueError that says what is wrong."""
    address, colon, port = text.partition(":")
    try:
        network = IPv4Network(address)
        number = int(port) if colon else None
    except ValueError:
        raise ValueError(f"'{text[:60]}' is not an IPv4 address or network with a port, such as 10.1.2.3:443") from None
    if number is not None and not 0 < number < 1 << 16:
        raise ValueError(f"'{text[:60]}' has no port between 1 and 65535")
    if network.overlaps(_LOOPBACK):
        raise ValueError(f"'{text[:60]}' is the loopback of the host, which programs never reach")
    return Destination(network=network, port=number)


def parse_name_server(text: str) -> IPv4Address:
    """The address of a name server. Raises ValueError that says what is wrong."""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise ValueError(f"'{text[:60]}' is not the IPv4 address of a name server") from None
    if address in _LOOPBACK:
        raise ValueError(f"'{text[:60]}' is the loopback of the host, which programs never reach")
    return address


class PrebuildSpec(BaseModel):
    """What a prebuilt environment is made of: a language, and a shell script that installs what it needs."""

    model_config = ConfigDict(extra="forbid")

    base_image: str = "python"
    setup_script: str


class RunRequest(BaseModel):
    """One program to run. Absent limits take the server's defaults; limits above its ceilings are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    code: str | None = None
    image: str = Field(default="python", validation_alias=AliasChoices("image", "language"))
    files: dict[str, FileContent] = Field(default_factory=dict)
    args: list[str] = Field(default_factory=list)
    stdin: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    entrypoint: str | None = None
    timeout: Positive | None = None
    cpu_seconds: Positive | None = None
    mem_limit: str | None = None
    disk_limit: str | None = None
    cpu_shares: Annotated[int, Field(ge=2, le=262_144), NoBoolean] | None = None
    cpus: Positive | None = None
    processes: Count | None = None
    open_files: Annotated[int, Field(ge=16), NoBoolean] | None = None
    allow_network: bool = False
    artifacts: list[str] = Field(default_factory=list)
    max_output_bytes: Count | None = None
    prebuild_spec: PrebuildSpec | None = None
    _layer: str = PrivateAttr(default="")
    _tag: str = PrivateAttr(default="")

    @property
    def layer(self) -> str:
        """The layer of files it runs with. No caller can write this; an `image` is found to mean it."""
        return self._layer

    @property
    def prebuilt(self) -> str:
        """The tag of that layer's prebuilt environment."""
        return self._tag

    def in_layer(self, image: str, layer: str, tag: str) -> Self:
        """The same request for a language, with the layer that its image or `prebuild_spec` was found to mean."""
        made = self.model_copy(update={"image": image, "prebuild_spec": None})
        made._layer, made._tag = layer, tag
        return made

    @field_validator("files", "args", "environment", "artifacts", "stdin", "allow_network", mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].get_default(call_default_factory=True) if value is None else value

    @field_validator("mem_limit", "disk_limit")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value


class Compile(Frozen):
    """What the compiler said. `cached`: the program was compiled before, and this is what was said then."""

    stdout: str
    stderr: str
    exit_code: int
    execution_time: float
    cached: bool
    truncated: Truncated


_EXHAUSTED = {Status.OUT_OF_MEMORY: "memory", Status.DISK_LIMIT: "disk", Status.OUTPUT_LIMIT: "output"}


class RunResult(Frozen):
    """What one program did, what it used, and what held it.

    `phase` is where it ended; in `compile` the program never ran, and all of this is about the compiler. `metadata` is
    what the program set with its SDK.
    """

    run_id: str
    status: Status
    stdout: str
    stderr: str
    exit_code: int
    execution_time: float
    truncated: Truncated
    usage: Usage
    timings: Timings
    limits: Limits
    isolation: Isolation
    artifacts: tuple[Artifact, ...] = ()
    notes: tuple[str, ...] = ()
    phase: Literal["compile", "run"] = "run"
    compile: Compile | None = None
    metadata: Any = None

    def check(self) -> Self:
        """This result, if the program succeeded. Raises ExecutionError, TimeoutError, ResourceExhaustedError."""
        if self.status is Status.SUCCEEDED:
            return self
        if self.status is Status.TIMED_OUT:
            sentence = f"The program was ended at its time limit of {self.limits.wall_seconds:g} s."
            raise TimeoutError(sentence, self.execution_time, self.stdout)
        if self.status in _EXHAUSTED:
            resource = _EXHAUSTED[self.status]
            raise ResourceExhaustedError(f"The program went beyond its limit of {resource}.", resource)
        did = "did not compile" if self.status is Status.COMPILE_FAILED else f"ended as '{self.status}'"
        raise ExecutionError(
            f"The program {did}, with exit code {self.exit_code}.", self.exit_code, self.stdout, self.stderr
        )


CodeExecutionRequest = RunRequest
CodeExecutionResponse = RunResult


class CompiledEvent(Frozen):
    """The compiler is done, or was not needed. If it failed, `exited` follows, else `started`."""

    type: Literal["compiled"] = "compiled"
    seq: int
    run_id: str
    compile: Compile


class StartedEvent(Frozen):
    """The sandbox is made and the program is about to run."""

    type: Literal["started"] = "started"
    seq: int
    run_id: str
    isolation: Isolation


class OutputEvent(Frozen):
    """Text the program wrote, as it was written; bytes that are not UTF-8 are replaced."""

    type: Literal["output"] = "output"
    seq: int
    stream: Literal["stdout", "stderr"]
    text: str


class ExitedEvent(Frozen):
    """The last event of a run."""

    type: Literal["exited"] = "exited"
    seq: int
    result: RunResult


Event = Annotated[CompiledEvent | StartedEvent | OutputEvent | ExitedEvent, Field(discriminator="type")]
