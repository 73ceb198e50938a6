"""From what a caller asked for to what an engine is told: every rule about requests is in here, once.

Nothing here runs anything; a request that breaks a rule raises one of the `RequestError` classes.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from holdfast.engines import Command, SandboxSpec
from holdfast.errors import (
    InvalidFieldError,
    InvalidFileNameError,
    MalformedRequestError,
    OverCeilingError,
    TooLargeError,
    UnsupportedError,
)
from holdfast.execution.metadata import MAX_METADATA_BYTES, METADATA_FILE
from holdfast.execution.names import (
    check_environment_name,
    check_path,
    check_paths,
    directories_of,
    encoded,
    encoded_argument,
)
from holdfast.languages import DRIVER, Language, find_language, profile_for
from holdfast.types import Capabilities, File, Limits, Network, RunRequest, parse_size

MAX_CODE_BYTES = 1_048_576
MAX_FILES = 1_000
MAX_FILES_BYTES = 8 << 20
MAX_ARGUMENT_BYTES = 128 << 10
MAX_ENVIRONMENT_BYTES = 128 << 10
MAX_ARTIFACT_PATTERNS = 64
_PAGE = 4096


COMPILING = Limits(
    wall_seconds=60,
    memory_bytes=1 << 30,
    disk_bytes=768 << 20,
    output_bytes=1 << 20,
    processes=512,
    open_files=4096,
    cpu_shares=512,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run gets when the request is silent, and what no request may exceed.

    `loaded` names the Python modules this server has loaded in advance. `compiling` is what a compiler gets. Without
    `network` no run may have one, whatever the engine can do.
    """

    defaults: Limits
    ceilings: Limits
    loaded: tuple[str, ...] = ()
    compiling: Limits = COMPILING
    network: bool = True


@dataclass(frozen=True, slots=True)
class _Row:
    """One limit a request can set: its name there, its name in `Limits`, and the least that makes sense."""

    field: str
    limit: str
    minimum: float
    show: Callable[[Any], str]
    parse: Callable[[Any], Any] = lambda value: value


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _size(value: int) -> str:
    return f"{value >> 20}m" if value >= 1 << 20 else f"{value} bytes"


_ROWS = (
    _Row("timeout", "wall_seconds", 0.01, _seconds),
    _Row("cpu_seconds", "cpu_seconds", 0.01, _seconds),
    _Row("mem_limit", "memory_bytes", 16 << 20, _size, parse_size),
    _Row("disk_limit", "disk_bytes", 1 << 20, _size, parse_size),
    _Row("cpu_shares", "cpu_shares", 2, str),
    _Row("cpus", "cpus", 0.01, str),
    _Row("processes", "processes", 1, str),
    _Row("open_files", "open_files", 16, str),
    _Row("max_output_bytes", "output_bytes", 1, _size),
)

_OURS = frozenset({"wall_seconds", "output_bytes"})
"""Limits the executor holds itself, whatever the engine can do."""


def plan(request: RunRequest, bounds: Bounds, capabilities: Capabilities) -> tuple[SandboxSpec, Command]:
    """The sandbox and the command a request means. Raises RequestError; nothing was executed."""
    language = find_language(request.image)
    if request.prebuild_spec is not None:
        raise UnsupportedError("Prebuilt environments cannot be made here.", field="prebuild_spec")
    if not request.code and not request.entrypoint and language.main_in(request.files) is None:
        raise MalformedRequestError("Either code or entrypoint must be provided.", field="code")
    limits = _limits(request, bounds, capabilities)
    files = _files(request, language)
    _check_room(files, limits)
    spec = SandboxSpec(
        language=language.name,
        limits=limits,
        network=_network(request, bounds, capabilities),
        profile=profile_for(language, files, bounds.loaded),
        layer=request.layer,
    )
    command = Command(
        argv=_argv(request, language, files),
        environment={**({} if must_compile(request) else language.environment), **_environment(request)},
        stdin=encoded(request.stdin, "stdin"),
        files=files,
        artifacts=_artifacts(request),
        wall_seconds=limits.wall_seconds,
        returns={METADATA_FILE: MAX_METADATA_BYTES},
    )
    return spec, command


def must_compile(request: RunRequest) -> bool:
    """Whether a program has to be compiled first; a custom entrypoint does everything itself."""
    return bool(find_language(request.image).compile) and not request.entrypoint


def with_unasked_disk(limits: Limits) -> Limits:
    """Scratch files live in memory and count in it, so a disk nobody asked for leaves a quarter to the program."""
    return limits.model_copy(update={"disk_bytes": min(limits.disk_bytes, limits.memory_bytes * 3 // 4)})


def _limits(request: RunRequest, bounds: Bounds, capabilities: Capabilities) -> Limits:
    asked = {
        row.limit: _accepted(row, value, bounds.ceilings, capabilities)
        for row in _ROWS
        if (value := getattr(request, row.field)) is not None
    }
    limits = bounds.defaults.model_copy(update=asked)
    if "disk_bytes" not in asked:
        return with_unasked_disk(limits)
    if limits.disk_bytes > limits.memory_bytes:
        raise InvalidFieldError(
            f"'disk_limit' is above the memory limit of {_size(limits.memory_bytes)}; "
            "scratch files live in memory and count in it, so raise 'mem_limit' as well.",
            field="disk_limit",
        )
    return limits


def _accepted(row: _Row, value: Any, ceilings: Limits, capabilities: Capabilities) -> Any:
    if row.limit not in capabilities.limits | _OURS:
        raise UnsupportedError(
            f"This host cannot enforce '{row.field}' with the engine '{capabilities.engine}', so it is refused.",
            field=row.field,
        )
    try:
        amount = row.parse(value)
    except ValueError as error:
        raise InvalidFieldError(f"'{row.field}': {error}.", field=row.field) from None
    ceiling = getattr(ceilings, row.limit)
    if ceiling is not None and amount > ceiling:
        raise OverCeilingError(f"'{row.field}' is above this server's ceiling of {row.show(ceiling)}.", field=row.field)
    if not amount >= row.minimum:
        raise InvalidFieldError(f"'{row.field}' must be at least {row.show(row.minimum)}.", field=row.field)
    return amount


def _network(request: RunRequest, bounds: Bounds, capabilities: Capabilities) -> Network:
    if not request.allow_network:
        return Network.NONE
    if not bounds.network or Network.FULL not in capabilities.networks:
        raise UnsupportedError(
            "Network access is not enabled on this server, so 'allow_network' is refused; leave it out, or have the "
            "operator set HOLDFAST_ALLOW_NETWORK=true.",
            field="allow_network",
        )
    return Network.FULL


def contents(files: Mapping[str, str | File], beside: Collection[str] = ()) -> dict[str, bytes]:
    """The bytes of the files of a request, which lie beside those. Raises RequestError."""
    if len(files) > MAX_FILES:
        raise TooLargeError(f"At most {MAX_FILES:,} files can be sent.", field="files")
    check_paths([*files, *beside])
    found = {name: _content(content) for name, content in files.items()}
    if sum(map(len, found.values())) > MAX_FILES_BYTES:
        raise TooLargeError(f"The files are together larger than {MAX_FILES_BYTES:,} bytes.", field="files")
    return found


def _files(request: RunRequest, language: Language) -> Mapping[str, bytes]:
    files = contents(request.files, beside=(language.main_file,) if request.code else ())
    if not request.code:
        return _completed(files, request, language)
    if language.main_file in files:
        raise InvalidFileNameError(f"Invalid filename: '{language.main_file}' is where the code goes.", field="files")
    code = encoded(request.code, "code")
    if len(code) > MAX_CODE_BYTES:
        raise TooLargeError(f"The code is larger than {MAX_CODE_BYTES:,} bytes.", field="code")
    return _completed({language.main_file: code, **files}, request, language)


def _completed(files: Mapping[str, bytes], request: RunRequest, language: Language) -> Mapping[str, bytes]:
    """The files, with those of ours that they need: what was sent wins."""
    ours = language.project_files(files) if request.entrypoint else {}
    if language.driver:
        if DRIVER in files:
            raise InvalidFileNameError(f"Invalid filename: '{DRIVER}' is where {language.title} starts.", field="files")
        ours = {**ours, DRIVER: shipped(language.driver)}
    mentioned = "sdk" in (request.entrypoint or "") or any(b"sdk" in content for content in files.values())
    if language.sdk and mentioned and not any(name.startswith("sdk.") for name in files):
        ours = {**ours, language.sdk: shipped(f"sdk/{language.sdk}")}
    return {**ours, **files}


@cache
def shipped(path: str) -> bytes:
    """A file of ours for programs."""
    return (resources.files("holdfast") / "guest" / path).read_bytes()


def _content(content: str | File) -> bytes:
    return content.content() if isinstance(content, File) else encoded(content, "files")


def _check_room(files: Mapping[str, bytes], limits: Limits) -> None:
    pages = sum(-(-len(content) // _PAGE) + 1 for content in files.values()) + len(directories_of(files))
    if pages * _PAGE > limits.disk_bytes:
        raise InvalidFieldError(
            f"The code and files do not fit into the disk limit of {_size(limits.disk_bytes)}.", field="disk_limit"
        )


def _argv(request: RunRequest, language: Language, files: Collection[str]) -> tuple[str, ...]:
    raw = [encoded_argument(argument, "args") for argument in request.args]
    if sum(len(argument) + 1 for argument in raw) > MAX_ARGUMENT_BYTES:
        raise InvalidFieldError(f"'args' is larger than {MAX_ARGUMENT_BYTES:,} bytes.", field="args")
    if not request.entrypoint:
        return (*language.run_command(files), *request.args)
    if len(encoded_argument(request.entrypoint, "entrypoint")) >= MAX_ARGUMENT_BYTES:
        raise InvalidFieldError(f"'entrypoint' is larger than {MAX_ARGUMENT_BYTES:,} bytes.", field="entrypoint")
    return ("sh", "-c", request.entrypoint, "sh", *request.args)


def _environment(request: RunRequest) -> Mapping[str, str]:
    size = 0
    for name, value in request.environment.items():
        encoded(name, "environment")
        check_environment_name(name)
        size += len(name) + len(encoded_argument(value, "environment")) + 2
    if size > MAX_ENVIRONMENT_BYTES:
        raise InvalidFieldError(f"'environment' is larger than {MAX_ENVIRONMENT_BYTES:,} bytes.", field="environment")
    return request.environment


def _artifacts(request: RunRequest) -> tuple[str, ...]:
    if len(request.artifacts) > MAX_ARTIFACT_PATTERNS:
        raise InvalidFieldError(f"At most {MAX_ARTIFACT_PATTERNS} patterns can be given.", field="artifacts")
    for pattern in request.artifacts:
        check_path(pattern, field="artifacts")
    return tuple(request.artifacts)
