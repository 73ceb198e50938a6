"""From a request for a session to what its cell and its runs are told. Nothing here runs anything."""

from dataclasses import dataclass, replace
from typing import Any

from holdfast.engines import Command, SandboxSpec
from holdfast.errors import InvalidFieldError, OverCeilingError
from holdfast.execution import Executor
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES, SESSION_PROFILE
from holdfast.sessions.kernel import program
from holdfast.types import PREBUILT_PREFIX, RunRequest, SessionRequest, SessionRunRequest

KERNELS = frozenset({DEFAULT_LANGUAGE})
"""Languages whose interpreter lives as long as the session; in the others each run is a process of its own."""

LIFETIME_GRACE_SECONDS = 30.0
"""How much later than we the cell itself ends an interpreter whose lifetime is over."""

_OF_ANY_RUN = SessionRequest.model_fields.keys() & RunRequest.model_fields.keys()


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the operator allows: seconds of idleness and of life, the default and the most; and how many sessions."""

    idle_seconds: float
    max_idle_seconds: float
    lifetime_seconds: float
    max_lifetime_seconds: float
    sessions: int
    sessions_per_key: int
    files_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session is made of. `command` starts its interpreter, if it has one; `files` are placed in any case.

    `environment` is that of the runs which are processes of their own.
    """

    image: str
    spec: SandboxSpec
    command: Command | None
    files: dict[str, bytes]
    environment: dict[str, str]
    idle_seconds: float
    lifetime_seconds: float


def probe_of(request: SessionRequest) -> RunRequest:
    """A run with the limits, files and environments of the session: the rules for them are those of any run."""
    # What was not given stays so: an image that was, must agree with `prebuild_spec`.
    given = {name: getattr(request, name) for name in request.model_fields_set & _OF_ANY_RUN}
    # `true` only stands for what is to come.
    return RunRequest(entrypoint="true", **given)


def plan_session(request: SessionRequest, probe: RunRequest, executor: Executor, ceilings: Ceilings) -> Plan:
    """What a session is made of; `probe` says in which language and layer. Raises RequestError, EngineError."""
    idle = _within(request.idle_seconds, ceilings.idle_seconds, ceilings.max_idle_seconds, "idle_seconds")
    life = _within(
        request.lifetime_seconds, ceilings.lifetime_seconds, ceilings.max_lifetime_seconds, "lifetime_seconds"
    )
    spec, command = executor.validate(probe)
    language = LANGUAGES[spec.language]
    image = PREBUILT_PREFIX + probe.prebuilt if probe.layer else language.name
    if language.name not in KERNELS:
        return Plan(image, replace(spec, profile=""), None, dict(command.files), request.environment, idle, life)
    files = {language.main_file: program()}
    start = replace(
        command, argv=language.run, files=files, interactive=True, wall_seconds=life + LIFETIME_GRACE_SECONDS
    )
    return Plan(image, replace(spec, profile=SESSION_PROFILE), start, dict(command.files), {}, idle, life)


def plan_run(
    request: SessionRunRequest, spec: SandboxSpec, environment: dict[str, str], executor: Executor
) -> tuple[SandboxSpec, Command]:
    """What one run in a session of that kind means. Raises RequestError."""
    if not request.code:
        raise InvalidFieldError("'code' is empty; send what is to be run.", field="code")
    default = spec.limits.wall_seconds
    timeout = default if request.timeout is None else request.timeout
    run = RunRequest(code=request.code, image=spec.language, timeout=timeout, environment=environment)
    planned, command = executor.validate(run)
    limits = spec.limits.model_copy(update={"wall_seconds": planned.limits.wall_seconds})
    return replace(spec, limits=limits), command


def _within(asked: float | None, default: float, most: float, field: str) -> float:
    value: Any = default if asked is None else asked
    if value > most:
        raise OverCeilingError(f"'{field}' is above this server's ceiling of {most:g} s.", field=field)
    if value < 1:
        raise InvalidFieldError(f"'{field}' must be at least 1 s.", field=field)
    return float(value)
