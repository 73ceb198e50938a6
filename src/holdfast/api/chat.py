"""`/chat` and `/threads`: questions in words, and the conversations they are part of; and charts of what they find.

A client that leaves `POST /chat` ends its turn. A stream may be left and taken up again: its turn goes on for a while.
"""

from typing import Annotated, Any, Literal, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from holdfast.api import problems
from holdfast.api.documentation import EVENTS, RUNNING, WITH_KEY, Row, documented, in_path, query_of
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, EventStream, answer, caller_of, read, unless_the_client_leaves
from holdfast.app import App
from holdfast.data.charting import chosen, specification
from holdfast.data.drawing import draw
from holdfast.errors import InvalidFieldError, NotFoundError
from holdfast.types import (
    Channel,
    Chart,
    ChartChoice,
    ChatAbout,
    ChatDoneEvent,
    ChatErrorEvent,
    ChatRequest,
    ChatResponse,
    ChatTokenEvent,
    Mark,
    Messages,
    ResultEvent,
    StageEvent,
    Thread,
    Threads,
    ToolCallEvent,
    ToolResultEvent,
)

ASKED = (ChatRequest,)
_TOLD = (StageEvent, ChatTokenEvent, ToolCallEvent, ToolResultEvent, ResultEvent, ChatDoneEvent, ChatErrorEvent)
ANSWERED = (ChatResponse, ChatAbout, Thread, Threads, Messages, Chart, *_TOLD)
LONGEST_TURN_SECONDS = 3600.0
_QUESTION = {"dataset_id": "ecommerce", "message": "How many orders were cancelled?"}
_FINDING = (*WITH_KEY, 404, 422)
Q = TypeVar("Q", bound=BaseModel)
_ONE = "/threads/{thread_id}"
_THREAD = [in_path("thread_id")]
_PICTURES = {"png": "image/png", "svg": "image/svg+xml"}
_NO_PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Latest(BaseModel):
    """Which messages to show."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, description="The last so many; at most 200.")


class ThreadPage(BaseModel):
    """Which threads to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200, description="At most so many.")] = 50
    before: str | None = Field(default=None, description="Only threads used before this: `next` of the page before.")


class After(BaseModel):
    """From where on to follow."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The events after this one; the header `Last-Event-ID` says the same, and wins."
    )


class Wanted(BaseModel):
    """Which chart, as what. Without `mark` it is the one that suits the result."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "png", "svg"] = Field(default="json", description="The specification, or a picture of it.")
    mark: Mark | None = Field(default=None, description="What is drawn.")
    x: str | None = Field(default=None, description="The column that goes to the right.")
    y: str | None = Field(default=None, description="The column that goes up.")
    color: str | None = Field(default=None, description="The column that colours tell apart.")
    title: Annotated[str, Field(max_length=200, description="What is written above it.")] = ""


async def about(request: Request) -> Response:
    """Who answers questions here."""
    return json_of(app_of(request).chat.about)


async def ask(request: Request) -> Response:
    """Answer a message about a dataset; also what is refused or fails is an answer, and says so."""
    caller = caller_of(request)

    async def work(app: App, wanted: ChatRequest) -> ChatResponse:
        return await app.chat.ask(wanted, caller)

    return await answer(request, ChatRequest.model_validate_json, work)


async def stream(request: Request) -> Response:
    """The same as server-sent events: `status`, `tool_call`, `tool_result`, `token`, `result` and `done`."""
    app = app_of(request)
    wanted = await read(request, ChatRequest.model_validate_json)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    return EventStream(app, app.chat.stream(wanted, caller_of(request)), LONGEST_TURN_SECONDS)


async def threads(request: Request) -> Response:
    """The threads of the caller, the one that was used last first."""
    page = _query(request, ThreadPage)
    return json_of(await app_of(request).chat.threads(caller_of(request), page.limit, page.before))


async def thread(request: Request) -> Response:
    """One thread of the caller."""
    return json_of(await app_of(request).chat.thread(*_asked(request)))


async def messages(request: Request) -> Response:
    """The last messages of a thread, oldest first."""
    limit = max(1, min(200, _query(request, Latest).limit))
    return json_of(await app_of(request).chat.messages(*_asked(request), limit))


async def events(request: Request) -> Response:
    """The events of a thread after one, as server-sent events, until the turn that goes on is done."""
    app, (thread_id, caller) = app_of(request), _asked(request)
    after = _query(request, After).after
    if last := request.headers.get("last-event-id"):
        if not last.isascii() or not last.isdigit() or len(last) > 18:
            raise InvalidFieldError("'Last-Event-ID' is the number of an event.", field="Last-Event-ID")
        after = int(last)
    return _Followed(app, app.chat.follow(thread_id, after, caller), LONGEST_TURN_SECONDS)


class _Followed(EventStream):
    """A stream that may have nothing to say."""

    async def write_to(self, writer: Any) -> None:
        try:
            await super().write_to(writer)
        except StopAsyncIteration:
            await writer.open()


async def cancel(request: Request) -> Response:
    """End the turn of a thread, and its cell; the thread, when that is done."""
    return json_of(await app_of(request).chat.cancel(*_asked(request)))


async def forget(request: Request) -> Response:
    """Forget a thread; a turn that goes on is ended first. Its runs stay."""
    await app_of(request).chat.forget(*_asked(request))
    return Response(status_code=204)


async def chart(request: Request) -> Response:
    """A chart of the result of a data run: its Vega-Lite specification, or a picture of it."""
    app, wanted = app_of(request), _query(request, Wanted)
    capsule = await app.data.get(request.path_params["run_id"], caller_of(request))
    if capsule.result is None:
        raise NotFoundError("The run has no result that could be drawn.")
    choice = _choice(wanted) or await anyio.to_thread.run_sync(chosen, capsule.result)
    if choice is None:
        raise NotFoundError("No chart suits this result; choose one with 'mark', 'x' and 'y'.")
    spec = await anyio.to_thread.run_sync(specification, choice, capsule.result)
    if wanted.format == "json":
        return json_of(Chart(run_id=capsule.run_id, choice=choice, spec=spec))
    kind = wanted.format
    picture = await unless_the_client_leaves(request, lambda: draw(spec, kind))
    if picture is None:
        return Response(status_code=CLIENT_LEFT)
    return Response(picture, media_type=_PICTURES[kind], headers=_NO_PAGE)


def _choice(wanted: Wanted) -> ChartChoice | None:
    if wanted.mark is None:
        return None
    channels = {name: Channel(column=column) for name in "xy" if (column := getattr(wanted, name))}
    color = Channel(column=wanted.color) if wanted.color else None
    return ChartChoice(mark=wanted.mark, color=color, title=wanted.title, **channels)


def _asked(request: Request) -> tuple[str, Any]:
    return request.path_params["thread_id"], caller_of(request)


def _query(request: Request, model: type[Q]) -> Q:
    """Raises InvalidFieldError."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise problems.from_validation(error) from None


def _drawn() -> dict[str, Any]:
    row = documented("Chart", refusals=(*_FINDING, 507), parameters=[in_path("run_id"), *query_of(Wanted)])
    picture = {"schema": {"type": "string", "format": "binary"}}
    row["responses"]["200"]["content"] |= dict.fromkeys(_PICTURES.values(), picture)
    return row


_EVENTS = [kind.__name__ for kind in _TOLD]
ROUTES: tuple[Row, ...] = (
    ("/chat", about, "GET", documented("ChatAbout")),
    ("/chat", ask, "POST", documented("ChatResponse", refusals=(*RUNNING, 409), body="ChatRequest", example=_QUESTION)),
    (
        "/chat/stream",
        stream,
        "POST",
        documented(*_EVENTS, media_type=EVENTS, refusals=(*RUNNING, 409), body="ChatRequest", example=_QUESTION),
    ),
    ("/threads", threads, "GET", documented("Threads", refusals=_FINDING, parameters=query_of(ThreadPage))),
    (_ONE, thread, "GET", documented("Thread", refusals=_FINDING, parameters=_THREAD)),
    (_ONE, forget, "DELETE", documented(status=204, refusals=_FINDING, parameters=_THREAD)),
    (
        f"{_ONE}/messages",
        messages,
        "GET",
        documented("Messages", refusals=_FINDING, parameters=[*_THREAD, *query_of(Latest)]),
    ),
    (
        f"{_ONE}/events",
        events,
        "GET",
        documented(*_EVENTS, media_type=EVENTS, refusals=_FINDING, parameters=[*_THREAD, *query_of(After)]),
    ),
    (f"{_ONE}/cancel", cancel, "POST", documented("Thread", refusals=RUNNING, parameters=_THREAD)),
    ("/runs/{run_id}/chart", chart, "GET", _drawn()),
)
