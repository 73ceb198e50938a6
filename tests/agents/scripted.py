"""A model that says what a script tells it to, and the runs of agents on one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from holdfast.agents.loop import AgentLoop
from holdfast.agents.model.prices import Prices
from holdfast.agents.model.talking import Conversation
from holdfast.tasks import TaskFailedError, TaskWaitsError
from holdfast.testing.agents import TableOfTools, WrittenRun
from holdfast.types import AgentTask


@dataclass(frozen=True)
class Uses:
    """The model asks for a tool; `arguments` is JSON as it writes it."""

    name: str
    arguments: str = "{}"
    id: str = "call-1"


@dataclass(frozen=True)
class Breaks:
    """The provider fails, after the model has said something."""

    error: Exception
    said: str = ""


Step = str | Uses | Breaks | tuple["str | Uses", ...]


class Script:
    """Steps of a model, one for each time it is asked, and what it was asked with."""

    def __init__(self, *steps: Step) -> None:
        self._steps = [*steps]
        self.asked: list[list[ModelMessage]] = []
        self.tools: list[list[str]] = []
        self.instructions: list[str | None] = []

    def model(self) -> FunctionModel:
        """It, as the library wants it."""
        return FunctionModel(stream_function=self._speak, model_name="scripted")

    async def _speak(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        self.asked.append([*messages])
        self.tools.append([tool.name for tool in info.function_tools])
        self.instructions.append(info.instructions)
        assert self._steps, "the model was asked more often than its script is long"
        step = self._steps.pop(0)
        for index, part in enumerate(step if isinstance(step, tuple) else (step,)):
            async for piece in _pieces(part, index):
                yield piece
        if isinstance(step, Breaks):
            raise step.error

    @property
    def left(self) -> int:
        """Steps that were not asked for."""
        return len(self._steps)

    def told(self) -> list[str]:
        """What its last request told it of its calls."""
        return [part.content for part in self.asked[-1][-1].parts if isinstance(part, ToolReturnPart)]  # type: ignore[misc]

    def heard(self) -> list[str]:
        """What users said to it, in its last request."""
        parts = [part for message in self.asked[-1] for part in message.parts]
        return [str(part.content) for part in parts if isinstance(part, UserPromptPart)]


async def _pieces(part: str | Uses | Breaks, index: int) -> AsyncIterator[str | DeltaToolCalls]:
    if isinstance(part, Uses):
        yield {index: DeltaToolCall(name=part.name, json_args=part.arguments, tool_call_id=part.id)}
        return
    for piece in (part.said if isinstance(part, Breaks) else part).split(" "):
        yield piece + " "


async def fine(_: Mapping[str, Any]) -> tuple[str, bool]:
    """A tool that works."""
    return "fine", True


async def broken(_: Mapping[str, Any]) -> tuple[str, bool]:
    """A tool that cannot do what it was asked."""
    return "There is no such file.", False


def asked(**fields: Any) -> AgentTask:
    """A task, with these fields."""
    return AgentTask.model_validate(
        {"messages": [{"role": "user", "content": "Mend it."}], "tools": ["shell", "read_file"], **fields}
    )


@dataclass
class Outcome:
    """How an agent ended: `code` is `None` when it was done, and `waits` when it waits."""

    run: WrittenRun
    tools: TableOfTools
    script: Script
    code: str | None = None
    message: str = ""
    waits: TaskWaitsError | None = None
    extra: dict[str, Any] = field(default_factory=dict)


Use = Callable[[Mapping[str, Any]], Awaitable[tuple[str, bool]]]


async def agent(
    script: Script,
    request: AgentTask | None = None,
    uses: Mapping[str, Use] | None = None,
    *,
    before: TaskWaitsError | None = None,
    decided: Mapping[str, bool] | None = None,
    prices: Prices | None = None,
) -> Outcome:
    """Run one, from its beginning or from where it waited."""
    request = request or asked()
    run = WrittenRun(request)
    tools = TableOfTools({"shell": fine, "read_file": fine} if uses is None else uses)
    said = [(message.role, str(message.content)) for message in request.messages]
    model = script.model()
    if before is None:
        talk = Conversation.begin(model, said, request.system_prompt, 1000, prices)
    else:
        talk = Conversation.restore(model, before.kept["talk"], request.system_prompt, 1000, prices)
    loop = AgentLoop(run, request, talk, tools)
    if before is not None:
        loop.restore(before.kept, decided or {})
    outcome = Outcome(run, tools, script)
    try:
        await loop.run()
    except TaskFailedError as error:
        outcome.code, outcome.message = error.code, error.message
    except TaskWaitsError as error:
        outcome.code, outcome.waits = "waits", error
    return outcome


def responses(messages: Sequence[ModelMessage]) -> int:
    """How many answers of a model are among them."""
    return sum(isinstance(message, ModelResponse) for message in messages)
