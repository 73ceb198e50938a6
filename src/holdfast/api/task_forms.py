"""A task that comes as a form: `task` is its JSON, `workspace` the tar or zip that its workspace begins with."""

import base64
from types import TracebackType
from typing import Self

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from holdfast.api import problems
from holdfast.api.multipart import Form
from holdfast.errors import InvalidFieldError
from holdfast.types import AgentTask, File, WorkflowTask, Workspace, task_request

FORM = "multipart/form-data"
_WANTED = "A form has one field 'task', which is the task as JSON, and one file 'workspace', which is a tar or zip."


class _Archive:
    """One file in memory; the body as a whole is bounded. Nobody looks into it here: that is done in a sandbox."""

    def __init__(self) -> None:
        self.data = bytearray()

    def file(self, name: str) -> Self:
        """Whatever it is called."""
        del name
        return self

    async def write(self, data: bytes) -> None:
        """The next piece."""
        self.data += data

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is no more."""


async def task_of_form(request: Request) -> AgentTask | WorkflowTask | None:
    """The task, or `None` when the client left. Raises MalformedRequestError, InvalidFieldError, TooLargeError."""
    archive = _Archive()
    form = Form(request.headers["content-type"], archive)
    try:
        fields = await form.read(request.stream())
        if [*fields] != ["task"] or form.files != ["workspace"]:
            raise InvalidFieldError(_WANTED, field="workspace")
        wanted = task_request.validate_json(fields["task"])
    except ValidationError as error:
        raise problems.from_validation(error) from None
    except ClientDisconnect:
        return None
    if wanted.workspace is not None:
        raise InvalidFieldError("The workspace is in the form and in the task; send one of them.", field="workspace")
    packed = Workspace(archive=File(base64=base64.b64encode(archive.data).decode()))
    return wanted.model_copy(update={"workspace": packed})
