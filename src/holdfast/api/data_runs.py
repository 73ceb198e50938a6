"""`/runs` where data are asked: run, look, cancel, replay, export. A client that leaves ends its run."""

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from holdfast.api.documentation import RUNNING, WITH_KEY, Row, documented, in_path
from holdfast.api.runs import CLIENT_LEFT, answer, caller_of, unless_the_client_leaves
from holdfast.app import App
from holdfast.data.exports import MEDIA_TYPES, Export, export
from holdfast.errors import InvalidFieldError
from holdfast.types import Capsule, CapsuleState, DataRunRequest, Replay

ASKED = (DataRunRequest,)
ANSWERED = (Capsule, CapsuleState, Replay)
_QUESTION = {"dataset_id": "ecommerce", "sql": "SELECT count(*) AS orders FROM orders"}
_ONE = "/runs/{run_id}"
_FINDING = (*WITH_KEY, 404)
_BYTES = {"schema": {"type": "string", "format": "binary"}}


async def run(request: Request) -> Response:
    """Ask a dataset with a plan, SQL or Python. Whatever that does is a capsule, also what the policy denies."""
    caller = caller_of(request)

    async def work(app: App, wanted: DataRunRequest) -> Capsule:
        return await app.data.run(wanted, caller)

    return await answer(request, DataRunRequest.model_validate_json, work)


async def show(request: Request) -> Response:
    """One run of the caller: the capsule of a data run, the row of any other."""
    app, run_id, caller = _asked(request)
    return _json(await app.data.find(run_id, caller) or await app.store.run(run_id, caller))


async def status(request: Request) -> Response:
    """How a run went, or where it is."""
    app, run_id, caller = _asked(request)
    found = await app.data.find(run_id, caller) or await app.store.run(run_id, caller)
    return _json(CapsuleState(run_id=run_id, status=found.status))


async def forget(request: Request) -> Response:
    """Forget one run of the caller; a data run that goes on is ended first."""
    app, run_id, caller = _asked(request)
    await app.data.forget(run_id, caller)
    return Response(status_code=204)


async def cancel(request: Request) -> Response:
    """End a data run; one that has ended already is answered as it is."""
    app, run_id, caller = _asked(request)
    return _json(await app.data.cancel(run_id, caller))


async def replay(request: Request) -> Response:
    """Run again what a capsule is the record of, in a fresh sandbox, and say whether it comes to the same."""
    app, run_id, caller = _asked(request)
    told = await unless_the_client_leaves(request, lambda: app.data.replay(run_id, caller))
    return Response(status_code=CLIENT_LEFT) if told is None else _json(told)


async def download(request: Request) -> Response:
    """A data run as a file: its result as `csv`, `parquet` or `json`, the run as `ipynb`, its SQL as `sql`."""
    app, run_id, caller = _asked(request)
    name = request.path_params["format"]
    if name not in MEDIA_TYPES:
        raise InvalidFieldError(f"There is no such format; choose one of {', '.join(MEDIA_TYPES)}.", field="format")
    kind = Export(name)
    capsule = await app.data.get(run_id, caller)
    content = await unless_the_client_leaves(request, lambda: export(app.executor, capsule, kind))
    if content is None:
        return Response(status_code=CLIENT_LEFT)
    headers = {"Content-Disposition": f'attachment; filename="{run_id}.{kind}"'}
    if capsule.result is not None:
        headers |= {"X-Total-Rows": str(capsule.result.total_rows), "X-Row-Count": str(capsule.result.row_count)}
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)


def _asked(request: Request) -> tuple[App, str, Any]:
    return request.app.state.holdfast, request.path_params["run_id"], caller_of(request)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def _exported() -> dict[str, Any]:
    kinds = {"name": "format", "in": "path", "required": True, "schema": {"type": "string", "enum": [*Export]}}
    row = documented(refusals=(*_FINDING, 422, 507), parameters=[in_path("run_id"), kinds])
    row["responses"]["200"]["content"] = {kind.partition(";")[0]: _BYTES for kind in MEDIA_TYPES.values()}
    return row


_RUN = [in_path("run_id")]
ROUTES: tuple[Row, ...] = (
    ("/runs", run, "POST", documented("Capsule", refusals=RUNNING, body="DataRunRequest", example=_QUESTION)),
    (_ONE, show, "GET", documented("Capsule", "RunRecord", refusals=_FINDING, parameters=_RUN)),
    (_ONE, forget, "DELETE", documented(status=204, refusals=_FINDING, parameters=_RUN)),
    (f"{_ONE}/status", status, "GET", documented("CapsuleState", refusals=_FINDING, parameters=_RUN)),
    (f"{_ONE}/cancel", cancel, "POST", documented("Capsule", refusals=RUNNING, parameters=_RUN)),
    (f"{_ONE}/replay", replay, "POST", documented("Replay", refusals=RUNNING, parameters=_RUN)),
    (f"{_ONE}/export/{{format}}", download, "GET", _exported()),
)
