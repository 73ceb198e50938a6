"""`/sessions`: sandboxes that someone keeps. A session belongs to the key that made it; to others it does not exist."""

from starlette.requests import Request
from starlette.responses import Response

from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, EventStream, answer, caller_of, read
from holdfast.app import App
from holdfast.types import Session, SessionRequest, SessionRunRequest, SessionRunResult, Sessions

BYTES = "application/octet-stream"
_DONE = Response(status_code=204)


async def create(request: Request) -> Response:
    """Make a session."""
    caller = caller_of(request)

    async def work(app: App, wanted: SessionRequest) -> Session:
        return await app.sessions.create(wanted, caller)

    return await answer(request, SessionRequest.model_validate_json, work, status=201)


async def show_all(request: Request) -> Response:
    """The sessions of the caller, also lost ones."""
    return json_of(Sessions(sessions=app_of(request).sessions.list(caller_of(request))))


async def show(request: Request) -> Response:
    """One session, also a lost one."""
    return json_of(app_of(request).sessions.get(_id(request), caller_of(request)))


async def delete(request: Request) -> Response:
    """End a session and forget it."""
    await app_of(request).sessions.delete(_id(request), caller_of(request))
    return _DONE


async def run(request: Request) -> Response:
    """Run code in a session to its end and answer with what it did. A client that leaves interrupts it."""
    session, caller = _id(request), caller_of(request)

    async def work(app: App, wanted: SessionRunRequest) -> SessionRunResult:
        return await app.sessions.run(session, wanted, caller)

    return await answer(request, SessionRunRequest.model_validate_json, work)


async def run_stream(request: Request) -> Response:
    """Run code in a session and send what it does as server-sent events: `started output display exited`."""
    app = app_of(request)
    wanted = await read(request, SessionRunRequest.model_validate_json)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    return EventStream(app, app.sessions.stream(_id(request), wanted, caller_of(request)))


async def interrupt(request: Request) -> Response:
    """Interrupt what a session runs; the run then ends as `cancelled`, and the session keeps its state."""
    return json_of(await app_of(request).sessions.interrupt(_id(request), caller_of(request)))


async def files(request: Request) -> Response:
    """The files of a session, also of a lost one."""
    return json_of(await app_of(request).sessions.files(_id(request), caller_of(request)))


async def get_file(request: Request) -> Response:
    """The bytes of a file of a session, also of a lost one."""
    data = await app_of(request).sessions.read(_id(request), _path(request), caller_of(request))
    # Whatever it is, a browser may neither guess nor show it in our name.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    return Response(data, media_type=BYTES, headers=headers)


async def put_file(request: Request) -> Response:
    """Place a file in a session: the body is its bytes, whatever the content type."""
    data = await read(request, bytes)
    if data is None:
        return Response(status_code=CLIENT_LEFT)
    await app_of(request).sessions.write(_id(request), _path(request), data, caller_of(request))
    return _DONE


async def delete_file(request: Request) -> Response:
    """Remove a file of a session."""
    await app_of(request).sessions.remove(_id(request), _path(request), caller_of(request))
    return _DONE


def _id(request: Request) -> str:
    return str(request.path_params["session_id"])


def _path(request: Request) -> str:
    return str(request.path_params["path"])
