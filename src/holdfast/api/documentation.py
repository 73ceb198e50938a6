"""The OpenAPI document, and the page at `/docs` that shows it. Neither names any host but this one.

`python -m holdfast.api` prints the document; `docs/openapi.json` is a copy, and a test compares them.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html import escape
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from holdfast import __version__
from holdfast.api.problems import MEDIA_TYPE, Problem
from holdfast.errors import HoldfastError, StartupError

Row = tuple[str, Callable[..., Any], str, dict[str, Any]]
"""A route: its path, what answers, its method, and what `documented` says about it."""

OPENAPI_VERSION = "3.1.0"
TITLE = "Holdfast"
SUMMARY = "Runs code that nobody trusts: fast, contained, accounted for."
JSON, EVENTS, HTML, TEXT = "application/json", "text/event-stream", "text/html", "text/plain"

ANY_CALLER = (403,)
"""What a route may refuse that needs no key: foreign hosts and origins."""

WITH_KEY = (401, *ANY_CALLER, 429, 503)
WITH_BODY = (400, *WITH_KEY, 413, 415, 422, 507)
RUNNING = (*WITH_BODY, 404)

_REFERENCE = "#/components/schemas/{model}"
_RETRY = frozenset({429, 503})
_REQUEST_ID = {"description": "The id of this request, in the log as well.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}
_LANGUAGE = {"type": "string", "description": "Another name of `image`; send one of the two."}
_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}h2{margin:2rem 0 .2rem;font-size:1.1rem}"
    "td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    paths: dict[str, Any]


def documented(
    *answers: str,
    media_type: str = JSON,
    status: int = 200,
    refusals: Sequence[int] = WITH_KEY,
    body: str | None = None,
    example: Any = None,
    parameters: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """What a route takes, answers (one of several models, or no JSON at all) and may refuse."""
    schemas: list[dict[str, Any]] = [_reference(model) for model in answers] or [{"type": "string"}]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content = {media_type: {"schema": _event(schemas) if media_type == EVENTS else schema}}
    done: dict[str, Any] = {"description": "Done", "headers": {"X-Request-ID": _REQUEST_ID}}
    if status != HTTPStatus.NO_CONTENT:
        done["content"] = content
    row: dict[str, Any] = {"responses": {str(status): done}}
    row["responses"] |= {str(each): {"$ref": f"#/components/responses/{each}"} for each in sorted(refusals)}
    if 401 not in refusals:
        row["security"] = []
    if body is not None:
        shown = {} if example is None else {"example": example}
        row["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(body), **shown}}}
    return {**row, "parameters": list(parameters)} if parameters else row


def query_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The fields of a model as parameters of a query."""
    schema = model.model_json_schema(ref_template=_REFERENCE)
    return [
        {"name": name, "in": "query", "required": False, "description": field.pop("description"), "schema": field}
        for name, field in schema["properties"].items()
    ]


def in_path(name: str) -> dict[str, Any]:
    """A part of the path as a parameter."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def describe(
    rows: Sequence[Row], asked: Sequence[type[BaseModel]], answered: Sequence[type[BaseModel]]
) -> dict[str, Any]:
    """The document of these routes; `asked` are the models of bodies, `answered` those of answers."""
    paths: dict[str, dict[str, Any]] = {}
    for path, endpoint, method, row in rows:
        paths.setdefault(path.replace(":path}", "}"), {})[method.lower()] = _operation(path, endpoint, method, row)
    schema: dict[str, Any] = {
        "openapi": OPENAPI_VERSION,
        "info": {"title": TITLE, "description": SUMMARY, "version": __version__},
        "paths": paths,
    }
    _, takes = models_json_schema([(model, "validation") for model in asked], ref_template=_REFERENCE)
    given: list[type[BaseModel]] = [*answered, Problem]
    _, gives = models_json_schema([(model, "serialization") for model in given], ref_template=_REFERENCE)
    for model in takes["$defs"].values():
        if "image" in model.get("properties", {}):
            model["properties"]["language"] = _LANGUAGE
    schema["components"] = {
        "schemas": {**takes["$defs"], **gives["$defs"]},
        "responses": {str(status): _refusal(status) for status in sorted(_refusals())},
        "securitySchemes": _SECURITY,
    }
    schema["security"] = [{name: []} for name in _SECURITY]
    return schema


def _operation(path: str, endpoint: Callable[..., Any], method: str, row: dict[str, Any]) -> dict[str, Any]:
    name = endpoint.__name__
    return {
        "summary": name.replace("_", " ").title(),
        "description": inspect.getdoc(endpoint),
        "operationId": re.sub(r"\W", "_", f"{name}{path.replace(':path', '')}") + f"_{method.lower()}",
        **row,
    }


def text(schema: dict[str, Any]) -> str:
    """The document as it is in `docs/openapi.json`."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


async def openapi(request: Request) -> Response:
    """This document."""
    return Response(text(request.app.state.described()), media_type=JSON)


async def page(request: Request) -> Response:
    """The documentation as a page; it loads nothing, so it works without the internet and tells nobody."""
    return HTMLResponse("\n".join(_page(request.app.state.described())), headers={"Content-Security-Policy": _POLICY})


def _event(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """One server-sent event whose data is one of these, or a problem: then the stream ends."""
    content = {"anyOf": [*kinds, _reference("Problem")]}
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": content}
    properties = {"id": {"type": "string"}, "event": {"type": "string"}, "data": data}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


def _reference(model: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model)}


@cache
def _refusals() -> dict[int, list[type[HoldfastError]]]:
    """Our errors by the status they are answered with."""
    found: dict[int, list[type[HoldfastError]]] = {}
    waiting: list[type[HoldfastError]] = [HoldfastError]
    while waiting:
        kind = waiting.pop(0)
        waiting += [each for each in kind.__subclasses__() if each.__module__ == HoldfastError.__module__]
        if hasattr(kind, "code") and not issubclass(kind, StartupError):
            found.setdefault(kind.http_status, []).append(kind)
    return found


def _refusal(status: int) -> dict[str, Any]:
    kinds = _refusals()[status]
    lines = [f"- `{kind.code}`: {(kind.__doc__ or '').strip()}" for kind in kinds]
    phrase = HTTPStatus(status).phrase
    headers = {"X-Request-ID": _REQUEST_ID, **({"Retry-After": _RETRY_AFTER} if status in _RETRY else {})}
    example = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": (kinds[-1].__doc__ or "").strip(),
        "code": kinds[-1].code,
        "request_id": "req-0123456789abcdef",
    }
    content = {MEDIA_TYPE: {"schema": _reference("Problem"), "example": example}}
    return {"description": "\n".join([f"{phrase}:", "", *lines]), "headers": headers, "content": content}


def _page(schema: dict[str, Any]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{TITLE} API</title>\n<style>{_STYLE}</style>\n<h1>{TITLE} {escape(schema['info']['version'])}</h1>"
    yield f'<p>{escape(schema["info"]["description"])} The whole description: <a href="/openapi.json">OpenAPI</a>.</p>'
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            yield from _fields(schema, operation)
            yield f"<p>Answers: {', '.join(operation['responses'])}.</p>"
    yield "</html>\n"


def _fields(schema: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    """What an operation takes, as a table."""
    fields = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get(JSON, {}).get("schema", {})
    for kind in body.get("anyOf", [body]):
        name = kind.get("$ref", "").rpartition("/")[2]
        fields |= schema["components"]["schemas"][name]["properties"] if name else {}
    if fields:
        rows = (f"<tr><td><code>{escape(name)}</code><td>{escape(_kind(field))}" for name, field in fields.items())
        yield "<table>\n<tr><th>Field<th>Type\n" + "\n".join(rows) + "\n</table>"


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_kind, field["anyOf"]))
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    return str(field.get("type", "any JSON"))
