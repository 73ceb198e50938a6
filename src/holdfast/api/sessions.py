"""`/sessions`: sandboxes that someone keeps. A session belongs to the key that made it; to others it does not exist."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from holdfast.api import problems
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, EventStream, caller_of, unless_the_client_leaves
from holdfast.types import SessionRequest, SessionRunRequest, Sessions

M = TypeVar("M", bound=BaseModel)

BYTES = "application/octet-stream"
_DONE = Response(status_code=204)


async def create(request: Request) -> Response:
    """Make a session."""
    wanted = await _read(request, SessionRequest)
    return await _work(request, lambda: app_of(request).sessions.create(wanted, caller_of(request)), status=201)


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
    wanted = await _read(request, SessionRunRequest)
    return await _work(request, lambda: app_of(request).sessions.run(_id(request), wanted, caller_of(request)))


async def run_stream(request: Request) -> Response:
    """Run code in a session and send what it does as server-sent events: `started output display exited`."""
    wanted = await _read(request, SessionRunRequest)
    return EventStream(app_of(request), app_of(request).sessions.stream(_id(request), wanted, caller_of(request)))


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
    try:
        data = await request.body()
    except ClientDisconnect:
        return Response(status_code=CLIENT_LEFT)
    await app_of(request).sessions.write(_id(request), _path(request), data, caller_of(request))
    return _DONE


async def delete_file(request: Request) -> Response:
    """Remove a file of a session."""
    await app_of(request).sessions.remove(_id(request), _path(request), caller_of(request))
    return _DONE


async def _work(request: Request, work: Callable[[], Awaitable[BaseModel]], status: int = 200) -> Response:
    answer = await unless_the_client_leaves(request, work)
    return Response(status_code=CLIENT_LEFT) if answer is None else json_of(answer, status)


async def _read(request: Request, kind: type[M]) -> M:
    """The body. Raises MalformedRequestError, InvalidFieldError, TooLargeError, ClientDisconnect."""
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise problems.from_validation(error) from None


def _id(request: Request) -> str:
    return str(request.path_params["session_id"])


def _path(request: Request) -> str:
    return str(request.path_params["path"])
