"""Errors as RFC 9457 problem documents: the one place where our exceptions become HTTP answers."""

from http import HTTPStatus
from typing import Any, Literal

import structlog
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from holdfast.errors import (
    BuildFailedError,
    HoldfastError,
    InvalidFieldError,
    MalformedRequestError,
    QueueFullError,
    UnauthenticatedError,
)
from holdfast.telemetry import Metrics

MEDIA_TYPE = "application/problem+json"
BELOW_PYQUEST = "/pyquest/"
"""Where clients of PyQuest's runner look for `success` and `error`."""

_NAME_CHARACTERS = 80
_NOT_TEXT = ("hex escape", "surrogate", "number out of range")


class Problem(BaseModel):
    """Why a request was not done. `detail` is one sentence; `code` is stable."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    field: str | None = Field(default=None, description="The field of the request that is at fault.")
    request_id: str
    log: str | None = Field(default=None, description="The end of what a failed build wrote.")
    success: Literal[False] | None = Field(default=None, description="Only below `/pyquest`.")
    error: str | None = Field(default=None, description="Only below `/pyquest`: the same as `detail`.")


def of(error: HoldfastError, request_id: str) -> Problem:
    """The document for one of our errors."""
    return Problem(
        title=HTTPStatus(error.http_status).phrase,
        status=error.http_status,
        detail=error.detail,
        code=error.code,
        field=error.field,
        request_id=request_id,
        log=error.log if isinstance(error, BuildFailedError) else None,
    )


def response(error: HoldfastError, scope: Scope, metrics: Metrics) -> Response:
    """The answer for one of our errors; it is counted."""
    metrics.rejected.labels(error.code).inc()
    return _answer(of(error, scope["state"]["request_id"]), _headers(error), scope)


def unexpected(error: Exception, scope: Scope, metrics: Metrics) -> Response:
    """The answer when we are wrong ourselves: it says nothing but the id under which the log has the reason."""
    request_id = scope["state"]["request_id"]
    structlog.get_logger().error("unexpected error", request_id=request_id, exc_info=error)
    metrics.rejected.labels("internal").inc()
    detail = f"Something went wrong in the server; its log has the reason under {request_id}."
    return _answer(
        Problem(title=HTTPStatus(500).phrase, status=500, detail=detail, code="internal", request_id=request_id),
        {},
        scope,
    )


async def from_routing(request: Request, error: Exception) -> Response:
    """The answer for what the router refuses itself: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    problem = Problem(
        title=phrase,
        status=error.status_code,
        detail=f"{phrase}: {request.method} on this path is not something this server does.",
        code=phrase.lower().replace(" ", "_"),
        request_id=request.scope["state"]["request_id"],
    )
    return _answer(problem, dict(error.headers or {}), request.scope)


def from_validation(error: ValidationError) -> HoldfastError:
    """Our error for a body that is not JSON, or not what the route takes. It never repeats what was sent."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first, more = faults[0], len({fault["loc"][:1] for fault in faults}) - 1
    if first["type"] == "json_invalid":
        return _not_json(first["msg"])
    field = _field(first["loc"])
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    others = f", and {more} more fields are wrong" if more else ""
    return InvalidFieldError(f"{field or 'The body'}: {reason}{others}.", field=field)


def _not_json(message: str) -> HoldfastError:
    if any(hint in message for hint in _NOT_TEXT):
        # Grammatical JSON, but not a value we can hold: half of a surrogate pair, or a number without end.
        return InvalidFieldError("The body holds half of a surrogate pair or a number that is out of range.")
    return MalformedRequestError(f"The body is not JSON: {message.removeprefix('Invalid JSON: ')}.")


def _field(location: tuple[Any, ...]) -> str | None:
    name = ".".join(map(str, location))[:_NAME_CHARACTERS]
    return (name if name.isprintable() else ascii(name)) or None


def _headers(error: HoldfastError) -> dict[str, str]:
    if isinstance(error, QueueFullError):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "1"} if error.retryable else {}


def _answer(problem: Problem, headers: dict[str, str], scope: Scope) -> Response:
    if scope["path"].startswith(BELOW_PYQUEST):
        problem = problem.model_copy(update={"success": False, "error": problem.detail})
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
