"""The HTTP surface: which path is which function, and what the documentation says about it."""

from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from holdfast.api import (
    chat,
    data_runs,
    datasets,
    documentation,
    info,
    page,
    prebuilds,
    pyquest,
    records,
    runners,
    runs,
    session_routes,
    tasks,
)
from holdfast.api.documentation import ANY_CALLER, EVENTS, HTML, RUNNING, TEXT, WITH_KEY, documented, in_path, query_of
from holdfast.api.middleware import Guard, RequestLog
from holdfast.api.problems import from_routing
from holdfast.app import App
from holdfast.types import (
    BuiltEvent,
    CompiledEvent,
    ExitedEvent,
    GradedEvent,
    GradeRequest,
    GradeResult,
    Health,
    OutputEvent,
    Prebuild,
    PrebuildDeleted,
    PrebuildRequest,
    Prebuilds,
    PrebuildsRemoved,
    RunRecord,
    RunRecords,
    RunRequest,
    RunResult,
    Runtimes,
    StartedEvent,
    VerdictEvent,
)

__all__ = ["create_api", "described"]

_EVENTS = ("CompiledEvent", "StartedEvent", "OutputEvent", "ExitedEvent")
_VERDICTS = ("VerdictEvent", "GradedEvent")
_PROGRAM = {"code": "print(6 * 7)", "image": "python", "timeout": 1}
_SUBMISSION = {"code": "x = 6 * 7", "tests": [{"type": "variable_value", "variable": "x", "expected": 42}]}
_FINDING = (*WITH_KEY, 404, 422)
_CHANGING = (*WITH_KEY, 400, 413, 415, 422)
_ONE_PREBUILD = "/prebuilds/{tag}"
_ENVIRONMENT = {"tag": "greeting", "base_image": "python", "setup_script": "echo hello > greeting.txt"}
_ROWS: tuple[documentation.Row, ...] = (
    (
        "/run",
        runs.run,
        "POST",
        documented("GradeResult", "RunResult", refusals=RUNNING, body="GradeRequest", example=_PROGRAM),
    ),
    (
        "/run/stream",
        runs.run_stream,
        "POST",
        documented(*_EVENTS, *_VERDICTS, media_type=EVENTS, refusals=RUNNING, body="GradeRequest", example=_PROGRAM),
    ),
    *session_routes.ROUTES,
    *datasets.ROUTES,
    ("/runs", records.runs, "GET", documented("RunRecords", refusals=_FINDING, parameters=query_of(records.Page))),
    *data_runs.ROUTES,
    *tasks.ROUTES,
    *runners.ROUTES,
    *chat.ROUTES,
    ("/runtimes", info.runtimes, "GET", documented("Runtimes")),
    ("/images", info.runtimes, "GET", documented("Runtimes")),
    ("/health", info.health, "GET", documented("Health", refusals=ANY_CALLER)),
    ("/healthz", info.healthz, "GET", documented("Alive", refusals=ANY_CALLER)),
    ("/metrics", info.metrics, "GET", documented(media_type=TEXT)),
    ("/", page.root, "GET", documented(media_type=HTML, refusals=ANY_CALLER)),
    ("/docs", documentation.page, "GET", documented(media_type=HTML)),
    ("/openapi.json", documentation.openapi, "GET", documented("Document")),
    (
        "/pyquest/run",
        pyquest.run,
        "POST",
        documented("GradeResult", refusals=RUNNING, body="PyQuestRequest", example=_SUBMISSION),
    ),
    (
        "/prebuild",
        prebuilds.build,
        "POST",
        documented("Prebuild", refusals=RUNNING, body="PrebuildRequest", example=_ENVIRONMENT),
    ),
    (
        "/prebuild/stream",
        prebuilds.build_stream,
        "POST",
        documented(
            *("StartedEvent", "OutputEvent", "BuiltEvent"),
            media_type=EVENTS,
            refusals=RUNNING,
            body="PrebuildRequest",
            example=_ENVIRONMENT,
        ),
    ),
    ("/prebuilds", prebuilds.show_all, "GET", documented("Prebuilds")),
    (
        "/prebuilds/cleanup",
        prebuilds.clean_up,
        "POST",
        documented("PrebuildsRemoved", refusals=_CHANGING, parameters=query_of(prebuilds.Age)),
    ),
    (_ONE_PREBUILD, prebuilds.show, "GET", documented("Prebuild", refusals=_FINDING, parameters=[in_path("tag")])),
    (
        _ONE_PREBUILD,
        prebuilds.delete,
        "DELETE",
        documented("PrebuildDeleted", refusals=_FINDING, parameters=[in_path("tag")]),
    ),
    ("/pyquest/health", pyquest.health, "GET", documented("PyQuestHealth", refusals=ANY_CALLER)),
)
_ASKED = (
    *(RunRequest, GradeRequest, PrebuildRequest, pyquest.PyQuestRequest),
    *(*session_routes.ASKED, *datasets.ASKED, *data_runs.ASKED, *tasks.ASKED, *runners.ASKED, *chat.ASKED),
)
_ANSWERED = (
    *(RunResult, GradeResult, CompiledEvent, StartedEvent, OutputEvent, ExitedEvent, RunRecord, RunRecords),
    *(VerdictEvent, GradedEvent),
    *(Health, info.Alive, Runtimes, documentation.Document, pyquest.PyQuestHealth),
    *(Prebuild, Prebuilds, PrebuildDeleted, PrebuildsRemoved, BuiltEvent),
    *session_routes.ANSWERED,
    *datasets.ANSWERED,
    *data_runs.ANSWERED,
    *tasks.ANSWERED,
    *runners.ANSWERED,
    *chat.ANSWERED,
)


def create_api(holdfast: App) -> Starlette:
    """The ASGI application around an open `App`; it does not open or close anything itself."""
    middleware = [Middleware(RequestLog, holdfast), Middleware(Guard, holdfast)]
    if holdfast.settings.cors_origins:
        middleware.insert(1, _cors(holdfast.settings.cors_origins))
    routes = [*map(_route, _ROWS), Route(page.FILES + "{version}/{name:path}", page.file, methods=["GET"])]
    api = Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: from_routing})
    api.state.holdfast = holdfast
    api.state.described = described
    return api


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document, which is the same for every server of this version."""
    return documentation.describe(_ROWS, _ASKED, _ANSWERED)


def _route(row: documentation.Row) -> Route:
    path, endpoint, method, _ = row
    route = Route(path, endpoint, methods=[method])
    # Only what is described: Starlette answers HEAD wherever there is GET.
    route.methods = {method}
    return route


def _cors(origins: tuple[str, ...]) -> Middleware:
    sent = ["X-API-Key", "Authorization"]
    return Middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST", "PUT", "DELETE"], allow_headers=sent
    )
