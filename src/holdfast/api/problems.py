"""Errors as RFC 9457 problem documents: the one place where our exceptions become HTTP answers."""

from http import HTTPStatus
from typing import Literal

import structlog
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from holdfast.errors import (
    BuildFailedError,
    HoldfastError,
    IngestFailedError,
    InternalError,
    UnauthenticatedError,
)
from holdfast.telemetry import Metrics
from holdfast.types import IngestReport
from holdfast.types.invalid import from_validation as from_validation

MEDIA_TYPE = "application/problem+json"
BELOW_PYQUEST = "/pyquest/"
"""Where clients of PyQuest's runner look for `success` and `error`."""


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
    report: IngestReport | None = Field(default=None, description="How the files of a dataset were read.")
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
        report=_report_of(error),
    )


def _report_of(error: HoldfastError) -> IngestReport | None:
    known = error.report if isinstance(error, IngestFailedError) else None
    return None if known is None else IngestReport.model_validate(known)


def response(error: HoldfastError, scope: Scope, metrics: Metrics) -> Response:
    """The answer for one of our errors; it is counted."""
    metrics.rejected.labels(error.code).inc()
    return _answer(of(error, scope["state"]["request_id"]), _headers(error), scope)


def unexpected(error: Exception, scope: Scope, metrics: Metrics) -> Response:
    """The answer when we are wrong ourselves: it says nothing but the id under which the log has the reason."""
    request_id = scope["state"]["request_id"]
    structlog.get_logger().error("unexpected error", request_id=request_id, exc_info=error)
    ours = InternalError(f"Something went wrong in the server; its log has the reason under {request_id}.")
    return response(ours, scope, metrics)


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


def _headers(error: HoldfastError) -> dict[str, str]:
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    if error.retry_after_seconds is not None:
        return {"Retry-After": str(error.retry_after_seconds)}
    return {"Retry-After": "1"} if error.retryable else {}


def _answer(problem: Problem, headers: dict[str, str], scope: Scope) -> Response:
    if scope["path"].startswith(BELOW_PYQUEST):
        problem = problem.model_copy(update={"success": False, "error": problem.detail})
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
