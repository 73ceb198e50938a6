"""`/tasks`: what is asked for now and done later. A task goes on when its client leaves."""

from contextlib import aclosing
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from holdfast.agents.workflow.handler import DIFF_FILE, WORKSPACE_FILE
from holdfast.api import problems
from holdfast.api.documentation import EVENTS, RUNNING, TEXT, WITH_KEY, Row, documented, in_path, query_of
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, EventWriter, StreamResponse, caller_of, read
from holdfast.api.task_forms import FORM, task_of_form
from holdfast.app import App
from holdfast.errors import InvalidFieldError
from holdfast.keys import ApiKey
from holdfast.tasks import deciding
from holdfast.types import (
    AgentTask,
    ApprovalDecision,
    ApprovalEvent,
    ArtifactEvent,
    Caller,
    DoneEvent,
    ErrorEvent,
    LogEvent,
    StatusEvent,
    StepEndEvent,
    StepStartEvent,
    Task,
    TaskReceipt,
    Tasks,
    TaskStatus,
    TokenEvent,
    ToolEndEvent,
    ToolStartEvent,
    WorkflowTask,
    task_request,
)

TASK_EVENTS = (
    *(TokenEvent, ToolStartEvent, ToolEndEvent, StepStartEvent, StepEndEvent, LogEvent, ArtifactEvent),
    *(ApprovalEvent, StatusEvent, DoneEvent, ErrorEvent),
)
ASKED = (AgentTask, WorkflowTask, ApprovalDecision)
ANSWERED = (Task, Tasks, TaskReceipt, *TASK_EVENTS)
Query = TypeVar("Query", bound=BaseModel)
MAX_LIMIT = 1000
_AS_FILE = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox"}
"""Whatever a task left, no browser is to show it as a page of ours."""

MOST_EVENTS = 2**31 - 1


class TaskPage(BaseModel):
    """Which tasks to list."""

    model_config = ConfigDict(extra="forbid")

    status: TaskStatus | None = Field(default=None, description="Only tasks that are there.")
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="At most so many.")] = 100
    before: str | None = Field(default=None, description="Only tasks older than this one: `next` of the page before.")


class After(BaseModel):
    """Where to begin reading events."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[
        int, Field(ge=0, le=MOST_EVENTS, description="Only events after this one; as `Last-Event-ID`.")
    ] = 0


async def submit(request: Request) -> Response:
    """Take a task for an agent, or a workflow: JSON, or a form with an archive of its workspace. It is queued."""
    if request.headers.get("content-type", "").startswith(FORM):
        wanted = await task_of_form(request)
    else:
        wanted = await read(request, task_request.validate_json)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    state = request.scope["state"]
    key = state.get("key")
    name = key.name if isinstance(key, ApiKey) else None
    receipt = await app_of(request).tasks.queue.submit(wanted, caller_of(request), name, state["request_id"])
    return json_of(receipt, status=202)


async def show_all(request: Request) -> Response:
    """The tasks of the caller, the latest first."""
    page = _query(request, TaskPage)
    queue = app_of(request).tasks.queue
    return json_of(await queue.list(caller_of(request), page.status, page.limit, page.before))


async def show(request: Request) -> Response:
    """One task of the caller, where it is, and what it waits for."""
    app, task_id, caller = _asked(request)
    return json_of(await app.tasks.queue.get(task_id, caller))


async def events(request: Request) -> Response:
    """The events of a task, as server-sent events, from the first or after `Last-Event-ID`, until the last."""
    app, task_id, caller = _asked(request)
    given = request.headers.get("last-event-id", "")
    after = _query(request, After).after
    if given:
        if not (given.isascii() and given.isdigit()) or int(given[:20]) > MOST_EVENTS:
            raise InvalidFieldError("Last-Event-ID: it is the number of an event.", field="Last-Event-ID")
        after = int(given)
    await app.tasks.queue.seen(task_id, caller)
    return TaskStream(app, task_id, caller, after)


class TaskStream(StreamResponse):
    """The events of a task as they come; it is open at once, for the first may be far off."""

    def __init__(self, app: App, task_id: str, caller: Caller, after: int) -> None:
        super().__init__(app)
        self._followed = app.tasks.queue.follow(task_id, caller, after)

    async def write_to(self, writer: EventWriter) -> None:
        """Write them until the last."""
        await writer.open()
        await writer.write([b": open\n\n"])
        async with aclosing(self._followed) as followed:
            async for event in followed:
                data = event.model_dump_json(exclude_none=True)
                await writer.write([f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n".encode()])


async def cancel(request: Request) -> Response:
    """End a task; one that has ended already is answered as it is."""
    app, task_id, caller = _asked(request)
    return json_of(await app.tasks.queue.cancel(task_id, caller))


async def decide(request: Request) -> Response:
    """Allow or deny one use of a tool, with exactly the arguments that were asked for; the task then goes on."""
    decision = await read(request, ApprovalDecision.model_validate_json)
    if decision is None:
        return Response(status_code=CLIENT_LEFT)
    app, task_id, caller = _asked(request)
    return json_of(
        await deciding.decide(app.tasks.queue, task_id, request.path_params["approval_id"], decision, caller)
    )


async def redeliver(request: Request) -> Response:
    """Deliver the events of a task again from where its delivery has died."""
    app, task_id, caller = _asked(request)
    return json_of(await app.tasks.queue.redrive(task_id, caller))


async def forget(request: Request) -> Response:
    """Forget a task and its events and files; one that goes on is cancelled first."""
    app, task_id, caller = _asked(request)
    await app.tasks.queue.forget(task_id, caller)
    return Response(status_code=204)


async def artifact(request: Request) -> Response:
    """A file that a task has left."""
    app, task_id, caller = _asked(request)
    content = await app.tasks.queue.artifact(task_id, request.path_params["name"], caller)
    return Response(content, media_type="application/octet-stream", headers=_AS_FILE)


async def workspace(request: Request) -> Response:
    """What a task left in its workspace, as a tar."""
    app, task_id, caller = _asked(request)
    packed = await app.tasks.queue.artifact(task_id, WORKSPACE_FILE, caller)
    return Response(packed, media_type="application/x-tar", headers=_AS_FILE)


async def difference(request: Request) -> Response:
    """What a task changed in its workspace, as a git patch."""
    app, task_id, caller = _asked(request)
    patch = await app.tasks.queue.artifact(task_id, DIFF_FILE, caller)
    return Response(patch, media_type="text/plain; charset=utf-8", headers=_AS_FILE)


def _asked(request: Request) -> tuple[App, str, Caller]:
    return app_of(request), request.path_params["task_id"], caller_of(request)


def _query(request: Request, kind: type[Query]) -> Query:
    try:
        return kind.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise problems.from_validation(error) from None


def _submitting() -> dict[str, Any]:
    row = documented("TaskReceipt", status=202, refusals=RUNNING)
    schema = {"anyOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in (AgentTask, WorkflowTask)]}
    example = {"type": "workflow", "steps": [{"type": "run", "run": "echo hello"}]}
    text = {"type": "string", "description": "The task, as JSON."}
    archive = {"type": "string", "format": "binary", "description": "A tar or zip."}
    form = {"type": "object", "properties": {"task": text, "workspace": archive}, "required": ["task", "workspace"]}
    content = {"application/json": {"schema": schema, "example": example}, FORM: {"schema": form}}
    row["requestBody"] = {"required": True, "content": content}
    return row


def _binary(parameters: list[dict[str, Any]], media_type: str = "application/octet-stream") -> dict[str, Any]:
    row = documented(refusals=(*_FINDING, 400), parameters=parameters)
    row["responses"]["200"]["content"] = {media_type: {"schema": BYTES}}
    return row


BYTES = {"type": "string", "format": "binary"}
ONE = "/tasks/{task_id}"
_FINDING = (*WITH_KEY, 404, 422)
TASK = [in_path("task_id")]
ROUTES: tuple[Row, ...] = (
    ("/tasks", submit, "POST", _submitting()),
    ("/tasks", show_all, "GET", documented("Tasks", refusals=_FINDING, parameters=query_of(TaskPage))),
    (ONE, show, "GET", documented("Task", refusals=_FINDING, parameters=TASK)),
    (ONE, forget, "DELETE", documented(status=204, refusals=_FINDING, parameters=TASK)),
    (
        f"{ONE}/events",
        events,
        "GET",
        documented(
            *(kind.__name__ for kind in TASK_EVENTS),
            media_type=EVENTS,
            refusals=_FINDING,
            parameters=[*TASK, *query_of(After)],
        ),
    ),
    (f"{ONE}/cancel", cancel, "POST", documented("Task", refusals=RUNNING, parameters=TASK)),
    (
        f"{ONE}/approvals/{{approval_id}}",
        decide,
        "POST",
        documented(
            "Task",
            refusals=(*RUNNING, 404),
            body="ApprovalDecision",
            example={"approved": True},
            parameters=[*TASK, in_path("approval_id")],
        ),
    ),
    (f"{ONE}/redeliver", redeliver, "POST", documented("Task", refusals=RUNNING, parameters=TASK)),
    (f"{ONE}/workspace", workspace, "GET", _binary(TASK, "application/x-tar")),
    (f"{ONE}/diff", difference, "GET", documented(media_type=TEXT, refusals=_FINDING, parameters=TASK)),
    (f"{ONE}/artifacts/{{name}}", artifact, "GET", _binary([*TASK, in_path("name")])),
)
