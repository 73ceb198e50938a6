"""Every exchange with a server: what is sent, and what the answer means. Nothing here talks to anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from holdfast.client.requests import Program, Tests, body_of, grade_request, run_request
from holdfast.types import Event, GradeEvent, GradeResult, Health, RunResult, Runtimes

T = TypeVar("T", covariant=True)
M = TypeVar("M", bound=BaseModel)

JSON = "application/json"
_EVENTS: TypeAdapter[Event | GradeEvent] = TypeAdapter(Annotated[Event | GradeEvent, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One exchange. `meaning` reads the body of the answer, or one event of it."""

    method: str
    path: str
    meaning: Callable[[bytes], T]
    body: bytes | None = None
    media_type: str = JSON


def run(program: Program = None, /, **fields: Any) -> Call[RunResult]:
    """Run a program to its end; `fields` are those of RunRequest. With `tests`, the result is a GradeResult.

    What the program does is a result, also a crash: see `RunResult.check()`. Raises HoldfastError.
    """
    request = run_request(program, fields)
    kind = GradeResult if getattr(request, "tests", None) is not None else RunResult
    return Call("POST", "/run", read_as(kind), body_of(request))


def grade(program: Program = None, /, *, tests: Tests | None = None, **fields: Any) -> Call[GradeResult]:
    """Run a submission and judge it by `tests`, or those of the request; `fields` are those of RunRequest."""
    return Call("POST", "/run", read_as(GradeResult), body_of(grade_request(program, tests, fields)))


def stream(program: Program = None, /, **fields: Any) -> Call[Event | GradeEvent]:
    """Run a program and see what it does as it does it; `fields` are those of RunRequest.

    With `tests` it is graded: the events are the verdicts as they are reached, and the result is a GradeResult.
    """
    return Call("POST", "/run/stream", _event, body_of(run_request(program, fields)))


def health() -> Call[Health]:
    """What the server is, how it is, and what it enforces."""
    return Call("GET", "/health", read_as(Health))


def runtimes() -> Call[Runtimes]:
    """The languages a run can name, and which of them the server has."""
    return Call("GET", "/runtimes", read_as(Runtimes))


def read_as(kind: type[M]) -> Callable[[bytes], M]:
    # What a newer server says beyond this is no fault of it.
    return lambda content: kind.model_validate_json(content, extra="ignore")


def _event(content: bytes) -> Event | GradeEvent:
    return _EVENTS.validate_json(content, extra="ignore")
