"""`/datasets`: tables that runs can ask. A dataset belongs to the key that made it; to others it does not exist."""

import json
from collections.abc import Callable
from typing import Any

import anyio
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from holdfast.api import problems
from holdfast.api.documentation import RUNNING, WITH_KEY, documented, in_path
from holdfast.api.multipart import Form
from holdfast.api.runs import CLIENT_LEFT, caller_of, unless_the_client_leaves
from holdfast.app import App
from holdfast.data.upload import Upload
from holdfast.errors import InvalidFieldError, MalformedRequestError
from holdfast.types import (
    Caller,
    Dataset,
    DatasetDeleted,
    DatasetRequest,
    Datasets,
    DatasetSchema,
    DatasetWish,
    File,
    IngestReport,
)

FORM = "multipart/form-data"
_LISTS = ("relationships", "prompts")


async def add(request: Request) -> Response:
    """Make a dataset of the files of a form (`files`), or of a JSON body. A client that leaves ends it."""
    app, caller = _app(request), caller_of(request)
    seconds = app.settings.dataset_timeout
    try:
        async with app.datasets.receiving() as upload:
            with anyio.move_on_after(seconds) as limit:
                wish = await _received(request, upload)
            if limit.cancelled_caught:
                raise MalformedRequestError(
                    f"The files were not here after {seconds:g} s; send less (HOLDFAST_DATASET_TIMEOUT)."
                )
            report = await unless_the_client_leaves(request, lambda: app.datasets.add(upload, wish, caller))
    except ClientDisconnect:
        return Response(status_code=CLIENT_LEFT)
    return Response(status_code=CLIENT_LEFT) if report is None else _json(report, status=201)


async def _received(request: Request, upload: Upload) -> DatasetWish:
    """What the caller wants; its files are in the upload. Raises RequestError, ClientDisconnect."""
    content_type = request.headers.get("content-type", "")
    try:
        if content_type.startswith(FORM):
            fields: dict[str, Any] = dict(await Form(content_type, upload).read(request.stream()))
            fields |= {name: _parsed(name, fields[name]) for name in _LISTS if name in fields}
            return DatasetWish.model_validate(fields)
        wanted = DatasetRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise problems.from_validation(error) from None
    for name, content in wanted.files.items():
        async with upload.file(name) as incoming:
            await incoming.write(content.content() if isinstance(content, File) else _encoded(content))
    return DatasetWish.model_validate(wanted.model_dump(exclude={"files"}))


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidFieldError(f"'{name}' is not JSON.", field=name) from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidFieldError(
            "A file holds half of a surrogate pair; send its bytes as base64.", field="files"
        ) from None


async def show_all(request: Request) -> Response:
    """The datasets the caller may use."""
    return await _told(request, lambda app, _, caller: app.datasets.list(caller))


async def show(request: Request) -> Response:
    """One dataset: its tables, their columns and how they belong together."""
    return await _told(request, lambda app, name, caller: app.datasets.get(name, caller))


async def schema(request: Request) -> Response:
    """The same with the first rows of each table."""
    return await _told(request, lambda app, name, caller: app.datasets.schema(name, caller))


async def report(request: Request) -> Response:
    """How its files were read: types, conflicts, skipped lines, encoding."""
    return await _told(request, lambda app, name, caller: app.datasets.report(name, caller))


async def delete(request: Request) -> Response:
    """Forget one; its file goes when no run uses it."""
    return await _told(request, lambda app, name, caller: app.datasets.delete(name, caller))


async def _told(request: Request, ask: Callable[[App, str, Caller], Any]) -> Response:
    name = str(request.path_params.get("dataset_id", ""))
    return _json(await ask(_app(request), name, caller_of(request)))


def _app(request: Request) -> App:
    app: App = request.app.state.holdfast
    return app


def _json(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


_ONE = "/datasets/{dataset_id}"
_EXAMPLE = {"name": "Rain", "files": {"rain.csv": "day,mm\n2026-02-01,3.5\n2026-02-02,0\n"}}
_FINDING = (*WITH_KEY, 404, 422, 507)
_BINARY = {"type": "array", "items": {"type": "string", "format": "binary"}}


def _adding() -> dict[str, Any]:
    row = documented("IngestReport", status=201, refusals=RUNNING, body="DatasetRequest", example=_EXAMPLE)
    text = {"type": "string"}
    fields = {name: text for name in (*DatasetWish.model_fields,)} | {"files": _BINARY}
    row["requestBody"]["content"][FORM] = {"schema": {"type": "object", "properties": fields, "required": ["files"]}}
    return row


def _found(model: str) -> dict[str, Any]:
    return documented(model, refusals=_FINDING, parameters=[in_path("dataset_id")])


ROUTES: tuple[tuple[str, Callable[..., Any], str, dict[str, Any]], ...] = (
    ("/datasets", add, "POST", _adding()),
    ("/datasets", show_all, "GET", documented("Datasets", refusals=(*WITH_KEY, 507))),
    (_ONE, show, "GET", _found("Dataset")),
    (f"{_ONE}/schema", schema, "GET", _found("DatasetSchema")),
    (f"{_ONE}/report", report, "GET", _found("IngestReport")),
    (_ONE, delete, "DELETE", _found("DatasetDeleted")),
)
ASKED = (DatasetRequest,)
ANSWERED = (Dataset, Datasets, DatasetSchema, DatasetDeleted, IngestReport)
