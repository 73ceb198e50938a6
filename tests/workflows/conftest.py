"""Workflows on the local engine, without a queue: the handler is given a task that notes what it says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.agents.workflow.document import load_document
from holdfast.agents.workflow.handler import WorkflowHandler
from holdfast.execution import Executor
from holdfast.tasks import TaskFailedError
from holdfast.types import Caller, EmittedEvent, LogEvent, StepEndEvent, WorkflowTask
from tests.conftest import local_app


class Noted:
    """A task whose events and files stay where a test can see them."""

    def __init__(self, request: WorkflowTask, secrets: dict[str, str] | None = None) -> None:
        self.id, self.request, self.caller, self.attempt, self.state = "task-1", request, Caller(), 1, None
        self.secrets = secrets or {}
        self.events: list[EmittedEvent] = []
        self.files: dict[str, bytes] = {}
        self.failure: TaskFailedError | None = None

    async def emit(self, *events: EmittedEvent, state: Any = None) -> None:
        self.events += events

    async def kept(self, name: str) -> bytes:
        """A file that was kept."""
        return self.files[name]

    async def keep(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def logs(self, *levels: str) -> list[str]:
        """The lines of these levels, or all."""
        return [e.message for e in self.events if isinstance(e, LogEvent) and (not levels or e.level in levels)]

    @property
    def out(self) -> list[str]:
        return self.logs("stdout")

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Names of steps and how they ended, in that order."""
        return [(e.step_name, e.step_state) for e in self.events if isinstance(e, StepEndEvent)]

    @property
    def said(self) -> str:
        """Everything anybody could read."""
        failure = self.failure.message if self.failure else ""
        return "\n".join([*(event.model_dump_json() for event in self.events), failure])


class World:
    """Runs workflows."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.handler = WorkflowHandler(executor)

    async def run(
        self, document: str | dict[str, Any], *, secrets: dict[str, str] | None = None, **options: Any
    ) -> Noted:
        """Submit and do it; a failure of the task is noted."""
        body = load_document(document) if isinstance(document, str) else document
        request = WorkflowTask.model_validate({"type": "workflow", **body, **options})
        self.handler.check(request)
        task = Noted(request, secrets)
        try:
            await self.handler.run(task)
        except TaskFailedError as error:
            task.failure = error
        return task


@pytest.fixture(scope="module")
async def executor(anyio_backend: str) -> AsyncIterator[Executor]:
    async with local_app(pool_size=0) as app:
        yield app.executor


@pytest.fixture
def world(executor: Executor) -> World:
    return World(executor)
