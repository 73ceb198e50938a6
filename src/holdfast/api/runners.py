"""`/runners`, and what runners tell of their tasks. A runner gets others' code and secrets, so it is the operator's."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from holdfast.api.documentation import RUNNING, WITH_KEY, Row, documented, in_path
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, caller_of, read, unless_the_client_leaves
from holdfast.api.tasks import BYTES, ONE, TASK
from holdfast.app import App
from holdfast.errors import ForbiddenError, UnauthenticatedError
from holdfast.types import Runner, RunnerAssignment, RunnerOrders, RunnerRegistration, Runners

ASKED = (RunnerRegistration,)
ANSWERED = (Runner, Runners, RunnerAssignment, RunnerOrders)
_BEARER = "bearer "


async def register(request: Request) -> Response:
    """Register a runner; the answer has a task if there is one within the time it waits."""
    app = _operators(request)
    body = await read(request, RunnerRegistration.model_validate_json)
    if body is None:
        return Response(status_code=CLIENT_LEFT)
    base_url = str(request.base_url).rstrip("/")
    told = await unless_the_client_leaves(request, lambda: app.tasks.runners.register(body, base_url))
    return Response(status_code=CLIENT_LEFT) if told is None else json_of(told)


async def show_all(request: Request) -> Response:
    """The runners that are registered."""
    return json_of(_operators(request).tasks.runners.all())


async def beat(request: Request) -> Response:
    """A runner lives, and keeps the task whose token it sends as `Authorization: Bearer`."""
    app = _operators(request)
    return json_of(await app.tasks.runners.beat(request.path_params["runner_id"], _token(request)))


async def leave(request: Request) -> Response:
    """A runner goes; what it did is begun again or has failed."""
    await _operators(request).tasks.runners.leave(request.path_params["runner_id"])
    return Response(status_code=204)


async def callback(request: Request) -> Response:
    """What a runner tells of its task: one event, with the runner's own number. Sent twice it is kept once."""
    app, token = app_of(request), _needed_token(request)
    task_id = request.path_params["task_id"]
    body = await read(request, bytes)
    if body is None:
        return Response(status_code=CLIENT_LEFT)
    return json_of(await app.tasks.runners.receive(task_id, token, body))


async def keep(request: Request) -> Response:
    """A file that a runner's task leaves."""
    app, token = app_of(request), _needed_token(request)
    content = await read(request, bytes)
    if content is None:
        return Response(status_code=CLIENT_LEFT)
    await app.tasks.runners.keep_file(request.path_params["task_id"], token, request.path_params["name"], content)
    return Response(status_code=204)


def _operators(request: Request) -> App:
    """Raises ForbiddenError."""
    if not caller_of(request).sees_all:
        raise ForbiddenError(
            "Runners are the operator's; use a key of scope admin (holdfast keys add NAME --scope admin)."
        )
    return app_of(request)


def _needed_token(request: Request) -> str:
    """Raises UnauthenticatedError."""
    token = _token(request)
    if token is None:
        raise UnauthenticatedError("Send the token of the task as a Bearer token, and an API key in X-API-Key.")
    return token


def _token(request: Request) -> str | None:
    sent = request.headers.get("authorization", "")
    return sent[len(_BEARER) :].strip() or None if sent.lower().startswith(_BEARER) else None


def _events() -> dict[str, Any]:
    row = documented("RunnerOrders", refusals=(*RUNNING, 409), parameters=TASK)
    row["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return row


def _file() -> dict[str, Any]:
    row = documented(status=204, refusals=(*RUNNING, 409), parameters=[*TASK, in_path("name")])
    row["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": BYTES}}}
    return row


_RUNNER = [in_path("runner_id")]
_FINDING = (*WITH_KEY, 404)
ROUTES: tuple[Row, ...] = (
    ("/runners", show_all, "GET", documented("Runners", refusals=WITH_KEY)),
    (
        "/runners/register",
        register,
        "POST",
        documented("RunnerAssignment", refusals=RUNNING, body="RunnerRegistration", example={"pod_name": "runner-1"}),
    ),
    ("/runners/{runner_id}", leave, "DELETE", documented(status=204, refusals=_FINDING, parameters=_RUNNER)),
    (
        "/runners/{runner_id}/heartbeat",
        beat,
        "POST",
        documented("RunnerOrders", refusals=RUNNING, parameters=_RUNNER),
    ),
    (f"{ONE}/callback", callback, "POST", _events()),
    (f"{ONE}/artifacts/{{name}}", keep, "PUT", _file()),
)
