"""Does the tasks of the type `agent`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from holdfast.agents.loop import AgentLoop
from holdfast.agents.model import ModelChoice, ToolOffer
from holdfast.agents.model.prices import Prices
from holdfast.agents.tools import Query, Tool, ToolContext, ToolError, enabled, use
from holdfast.agents.workflow.handler import WORKSPACE_FILE, check_workspace, keep_workspace, workspace_tar
from holdfast.agents.workplace import Workplace, check_network, open_workplace
from holdfast.errors import InvalidFieldError, TooLargeError, UnsupportedError, WorkspaceError
from holdfast.execution import Executor
from holdfast.tasks import TaskRun, TaskWaitsError
from holdfast.types import AgentMessage, AgentTask, Caller, LogEvent, WorkflowTask

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from holdfast.agents.model.talking import Conversation

BEFORE_FILE = "before.tar"
"""The workspace as it was at first, kept while a task waits."""


@dataclass(frozen=True, slots=True)
class AgentRules:
    """Which models may be used, the one that is when none is named, and how long an answer of one may be."""

    models: Collection[str]
    default: str
    max_tokens: int = 4096
    prices: Prices = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentHandler:
    """Does agents on one engine. `choose` raises UnsupportedError where the provider of a model has no key."""

    executor: Executor
    rules: AgentRules
    choose: Callable[[str], ModelChoice]
    open_model: Callable[[ModelChoice], AbstractAsyncContextManager["Model"]]
    query_of: Callable[[Caller], Query] | None = None

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Refuse what cannot be done as asked. Raises RequestError."""
        assert isinstance(request, AgentTask)
        self._check_model(request.model)
        if request.secrets:
            raise UnsupportedError("secrets: an agent gets none; a workflow's steps can name them.", field="secrets")
        for message in request.messages:
            _text_of(message)
        check_workspace(request.workspace, self.executor)
        if request.network:
            check_network(self.executor)

    def _check_model(self, name: str | None) -> None:
        if name is not None and name not in self.rules.models:
            known = ", ".join(self.rules.models)
            raise InvalidFieldError(
                f"Invalid or disallowed model: {name[:100]}; HOLDFAST_AGENT_MODELS allows {known}.", field="model"
            )
        self.choose(name or self.rules.default)

    async def run(self, task: TaskRun) -> None:
        """Do it. Raises TaskFailedError, TaskWaitsError, HoldfastError."""
        request = task.request
        assert isinstance(request, AgentTask)
        state: Mapping[str, Any] = task.state or {}
        # Only who waits has kept something; one whose worker died begins with the workspace it was given.
        before, now = await self._workspaces(task, request, waited=bool(state))
        async with (
            self.open_model(self.choose(request.model or self.rules.default)) as model,
            open_workplace(self.executor, network=request.network) as place,
        ):
            if now:
                await place.unpack(now)
            tools = SandboxTools(task, place, enabled(request.tools), self._context(place, task.caller), before)
            loop = AgentLoop(task, request, self._talk(model, request, state), tools)
            if state:
                loop.restore(state["kept"], state["decided"])
            try:
                await loop.run()
            except TaskWaitsError:
                raise
            except Exception:
                await self._leave_after_failure(task, tools)
                raise
            await tools.leave(self.executor)

    async def _leave_after_failure(self, task: TaskRun, tools: "SandboxTools") -> None:
        """Keep what there is. If that fails as well, it is the first failure that is told."""
        try:
            await tools.leave(self.executor)
        except Exception as error:
            structlog.get_logger().warning(
                "the workspace of a failed agent was not kept", task=task.id, error=type(error).__name__
            )

    async def _workspaces(self, task: TaskRun, request: AgentTask, *, waited: bool) -> tuple[bytes, bytes]:
        """What it was at first, and what it is now, each as a tar."""
        if waited:
            return await task.kept(BEFORE_FILE), await task.kept(WORKSPACE_FILE)
        first = await workspace_tar(request.workspace, self.executor)
        return first, first

    def _context(self, place: Workplace, caller: Caller) -> ToolContext:
        return ToolContext(place, None if self.query_of is None else self.query_of(caller))

    def _talk(self, model: "Model", request: AgentTask, state: Mapping[str, Any]) -> "Conversation":
        # The library is loaded by the first who needs it, and by now not on the event loop.
        from holdfast.agents.model.talking import Conversation

        rules = self.rules
        if state:
            talk = state["kept"]["talk"]
            return Conversation.restore(model, talk, request.system_prompt, rules.max_tokens, rules.prices)
        said = [(message.role, _text_of(message)) for message in request.messages]
        return Conversation.begin(model, said, request.system_prompt, rules.max_tokens, rules.prices)


class SandboxTools:
    """The tools that a task has enabled, in its sandbox."""

    def __init__(
        self, task: TaskRun, place: Workplace, tools: Sequence[Tool], context: ToolContext, before: bytes
    ) -> None:
        self._task = task
        self._place = place
        self._tools = tools
        self._context = context
        self._before = before

    @property
    def offers(self) -> Sequence[ToolOffer]:
        """What the model may use."""
        return [ToolOffer(tool.name, tool.description, tool.schema) for tool in self._tools]

    async def use(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """What came of it, and whether it worked. Raises EngineError, SessionLostError."""
        try:
            return await use(self._tools, name, arguments, self._context), True
        except ToolError as error:
            return str(error), False

    async def pack(self) -> None:
        """Keep the workspace, to go on later. Raises WorkspaceError, TooLargeError, EngineError."""
        await self._task.keep(BEFORE_FILE, self._before)
        await self._task.keep(WORKSPACE_FILE, await self._place.pack())

    async def leave(self, executor: Executor) -> None:
        """Keep what it left in the workspace, and what changed."""
        if self._place.lost:
            return
        try:
            after = await self._place.pack()
        except (WorkspaceError, TooLargeError) as error:
            told = f"The workspace was not kept: {error.detail}"
            return await self._task.emit(LogEvent(level="warning", message=told))
        await keep_workspace(self._task, executor, self._before, after, lambda text: text)


def _text_of(message: AgentMessage) -> str:
    """The text of a message, which providers also write as parts. Raises InvalidFieldError."""
    if isinstance(message.content, str):
        return message.content
    texts = [part.get("text") for part in message.content if part.get("type", "text") == "text"]
    if len(texts) < len(message.content) or not all(isinstance(text, str) for text in texts):
        raise InvalidFieldError(
            "messages: the content of a message is text, or parts of the type text.", field="messages"
        )
    return "\n".join(map(str, texts))
