"""Small things that do tasks, for tests of the queue, of runners and of callbacks: real ones in all but their skill."""

from collections.abc import Mapping

import anyio

from holdfast.data.runs import DataRuns
from holdfast.errors import InvalidFieldError
from holdfast.execution import Executor
from holdfast.settings import Settings
from holdfast.tasks import TaskFailedError, TaskHandler, TaskRun
from holdfast.types import (
    AgentTask,
    ExitedEvent,
    LogEvent,
    OutputEvent,
    RunRequest,
    Status,
    StepEndEvent,
    StepStartEvent,
    TokenEvent,
    ToolEndEvent,
    ToolStartEvent,
    WorkflowTask,
)


class ScriptHandler:
    """Runs the `run` of each step in a sandbox of its own; every line is a log. The secrets are in its environment."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Raises InvalidFieldError."""
        for index, step in enumerate(_steps(request)):
            if not isinstance(step, dict) or not isinstance(step.get("run"), str):
                raise InvalidFieldError(f"steps.{index}: it has no text to run.", field=f"steps.{index}")

    async def run(self, task: TaskRun) -> None:
        """Do the steps in order. Raises TaskFailedError."""
        for index, step in enumerate(_steps(task.request)):
            name = str(step.get("name", f"step-{index}"))
            await task.emit(StepStartEvent(step_name=name, step_index=index))
            succeeded = await self._step(task, index, step["run"])
            state = "success" if succeeded else "failure"
            await task.emit(
                StepEndEvent(step_name=name, step_index=index, step_state=state), state={"steps": index + 1}
            )
            if not succeeded:
                raise TaskFailedError("step_failed", f"The step '{name}' has failed.")
        if isinstance(task.request, WorkflowTask) and "artifact" in task.request.document:
            await task.keep("result.txt", str(task.request.document["artifact"]).encode())

    async def _step(self, task: TaskRun, index: int, script: str) -> bool:
        request = RunRequest(image="bash", code=script, environment=dict(task.secrets))
        async for event in self._executor.stream(request):
            if isinstance(event, OutputEvent):
                for line in event.text.splitlines():
                    await task.emit(LogEvent(level=event.stream, message=line, step_index=index))
            if isinstance(event, ExitedEvent):
                return event.result.status is Status.SUCCEEDED
        return False


class SpeakingHandler:
    """Says the last message again, word by word, with a pause before each, and uses a tool that does nothing."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self._pause_seconds = pause_seconds

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Takes everything."""

    async def run(self, task: TaskRun) -> None:
        """Say it."""
        assert isinstance(task.request, AgentTask)
        words = str(task.request.messages[-1].content).split()
        for index, word in enumerate(words):
            await anyio.sleep(self._pause_seconds)
            await task.emit(TokenEvent(message_id="msg_1", text=f"{word} ", token_index=index))
        await task.emit(ToolStartEvent(message_id="msg_1", tool_id="tool_1", tool_name="nothing"))
        await task.emit(ToolEndEvent(tool_id="tool_1", tool_state="success"), state={"words": len(words)})


def small_handlers(settings: Settings, executor: Executor, data: DataRuns) -> Mapping[str, TaskHandler]:
    """One for each type of task, as `assemble` takes them."""
    del settings
    return {"workflow": ScriptHandler(executor), "agent": SpeakingHandler()}


def _steps(request: AgentTask | WorkflowTask) -> list[dict[str, str]]:
    return request.steps or [] if isinstance(request, WorkflowTask) else []
