"""The HTTP surface: which path is which function, and what the documentation says about it."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from holdfast import __version__
from holdfast.api import info, prebuilds, pyquest, runs, session_routes
from holdfast.api.middleware import Guard, RequestLog
from holdfast.api.problems import MEDIA_TYPE, Problem, from_routing
from holdfast.app import App
from holdfast.types import (
    BuiltEvent,
    CompiledEvent,
    ExitedEvent,
    GradeRequest,
    GradeResult,
    OutputEvent,
    Prebuild,
    PrebuildDeleted,
    PrebuildRequest,
    Prebuilds,
    PrebuildsRemoved,
    RunRequest,
    RunResult,
    StartedEvent,
)

__all__ = ["create_api"]

_REFERENCE = "#/components/schemas/{model}"
_MODELS = (
    RunRequest,
    RunResult,
    CompiledEvent,
    StartedEvent,
    OutputEvent,
    ExitedEvent,
    Problem,
    info.Health,
    info.Runtimes,
)
_GRADING_MODELS = (GradeRequest, GradeResult, pyquest.PyQuestRequest, pyquest.PyQuestHealth)
_PREBUILD_MODELS = (PrebuildRequest, Prebuild, Prebuilds, PrebuildDeleted, PrebuildsRemoved, BuiltEvent)
_TAG: dict[str, Any] = {
    "parameters": [{"name": "tag", "in": "path", "required": True, "schema": {"type": "string"}}],
}
_MAX_AGE: dict[str, Any] = {
    "parameters": [
        {"name": "max_age_days", "in": "query", "required": False, "schema": {"type": "number", "default": 7}}
    ],
}
_REFUSALS = (400, 401, 403, 404, 413, 415, 422, 429, 503, 507)


def create_api(holdfast: App) -> FastAPI:
    """The ASGI application around an open `App`; it does not open or close anything itself."""
    middleware = [Middleware(RequestLog, holdfast), Middleware(Guard, holdfast)]
    if holdfast.settings.cors_origins:
        middleware.insert(1, _cors(holdfast.settings.cors_origins))
    api = FastAPI(
        title="Holdfast",
        version=__version__,
        description="Runs code that nobody trusts: fast, contained, accounted for.",
        middleware=middleware,
        exception_handlers={HTTPException: from_routing},
        redoc_url=None,
    )
    api.state.holdfast = holdfast
    _add_routes(api)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]
    return api


def _add_routes(api: FastAPI) -> None:
    rows: tuple[session_routes.Row, ...] = (
        ("/run", runs.run, "POST", _takes_a_run("application/json", "RunResult", "GradeRequest")),
        ("/run/stream", runs.run_stream, "POST", _takes_a_run("text/event-stream", "Event")),
        *session_routes.ROUTES,
        ("/runtimes", info.runtimes, "GET", _answers("application/json", "Runtimes")),
        ("/images", info.runtimes, "GET", _answers("application/json", "Runtimes")),
        ("/health", info.health, "GET", _answers("application/json", "Health")),
        ("/healthz", info.healthz, "GET", _answers("application/json", None)),
        ("/metrics", info.metrics, "GET", _answers("text/plain", None)),
        ("/", info.root, "GET", None),
        ("/prebuild", prebuilds.build, "POST", _takes_a_run("application/json", "Prebuild", "PrebuildRequest")),
        (
            "/prebuild/stream",
            prebuilds.build_stream,
            "POST",
            _takes_a_run("text/event-stream", "PrebuildEvent", "PrebuildRequest"),
        ),
        ("/prebuilds", prebuilds.show_all, "GET", _answers("application/json", "Prebuilds")),
        ("/prebuilds/cleanup", prebuilds.clean_up, "POST", _MAX_AGE | _answers("application/json", "PrebuildsRemoved")),
        ("/prebuilds/{tag}", prebuilds.show, "GET", _TAG | _answers("application/json", "Prebuild")),
        ("/prebuilds/{tag}", prebuilds.delete, "DELETE", _TAG | _answers("application/json", "PrebuildDeleted")),
        ("/pyquest/run", pyquest.run, "POST", _takes_a_run("application/json", "GradeResult", "PyQuestRequest")),
        ("/pyquest/health", pyquest.health, "GET", _answers("application/json", "PyQuestHealth")),
    )
    for path, endpoint, method, documented in rows:
        api.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=None,
            openapi_extra=documented,
            include_in_schema=documented is not None,
        )


def _takes_a_run(media_type: str, model: str, request: str = "RunRequest") -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": _reference(request)}}}
    refusals = {
        str(status): {"description": "Not done", "content": {MEDIA_TYPE: {"schema": _reference("Problem")}}}
        for status in _REFUSALS
    }
    answers = _answers(media_type, model)
    return {"requestBody": body, "responses": {**answers["responses"], **refusals}}


def _answers(media_type: str, model: str | None) -> dict[str, Any]:
    content = {media_type: {"schema": _reference(model)}} if model else {}
    return {"responses": {"200": {"description": "Done", "content": content}}}


def _reference(model: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model)}


def _openapi(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        schema = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
        _, models = models_json_schema(
            [
                (model, "validation")
                for model in (*_MODELS, *_GRADING_MODELS, *_PREBUILD_MODELS, *session_routes.MODELS)
            ],
            ref_template=_REFERENCE,
        )
        events = [_reference(f"{name}Event") for name in ("Compiled", "Started", "Output", "Exited")]
        building = [_reference(f"{name}Event") for name in ("Started", "Output", "Built")]
        schema["components"] = {
            "schemas": {
                **models["$defs"],
                "Event": {"oneOf": events},
                "PrebuildEvent": {"oneOf": building},
                "SessionEvent": {"oneOf": [_reference(name) for name in session_routes.EVENTS]},
            },
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        }
        schema["security"] = [{"key": []}]
        api.openapi_schema = schema
    return api.openapi_schema


def _cors(origins: tuple[str, ...]) -> Middleware:
    sent = ["X-API-Key", "Authorization"]
    return Middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST", "PUT", "DELETE"], allow_headers=sent
    )
