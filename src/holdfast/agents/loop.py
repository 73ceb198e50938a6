"""An agent: a model is asked, its calls are done in a sandbox, it is told what came of them, and so on.

The loop is outside of the sandbox, with the key of the provider; only the tools act inside. A tool that is not offered
is not done. Whoever waits for a person holds neither a worker nor a sandbox: all that is needed to go on is kept.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from pydantic import TypeAdapter

from holdfast.agents.approvals import ACTING, approval_id
from holdfast.agents.ledger import Ledger
from holdfast.agents.model import ModelTroubleError, ToolAnswer, ToolCall, ToolOffer, Turn
from holdfast.tasks import TaskFailedError, TaskRun, TaskWaitsError
from holdfast.types import (
    AgentStop,
    AgentTask,
    ApprovalEvent,
    LogEvent,
    TokenEvent,
    ToolEndEvent,
    ToolStartEvent,
)

if TYPE_CHECKING:
    from holdfast.agents.model.talking import Conversation

_STOPPED: dict[str, tuple[AgentStop, str]] = {
    "length": (AgentStop.TRUNCATED, "The model's answer was cut off at its longest (HOLDFAST_AGENT_MAX_TOKENS)."),
    "refused": (AgentStop.REFUSED, "The model has refused to answer."),
}
_calls: TypeAdapter[list[ToolCall]] = TypeAdapter(list[ToolCall])
_answers: TypeAdapter[list[ToolAnswer]] = TypeAdapter(list[ToolAnswer])


class Toolbox(Protocol):
    """The tools of one task, in its sandbox."""

    @property
    def offers(self) -> Sequence[ToolOffer]:
        """What the model may use; nothing else is done."""
        ...

    async def use(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """What came of it, and whether it worked. Raises EngineError, SessionLostError."""
        ...

    async def pack(self) -> None:
        """Keep the workspace as a file of the task, for its reader and for going on later."""
        ...


@dataclass(slots=True)
class Unfinished:
    """The calls of a turn, and the answers there are."""

    calls: Sequence[ToolCall]
    answers: list[ToolAnswer]


class AgentLoop:
    """One agent at work on one task."""

    def __init__(self, task: TaskRun, asked: AgentTask, talk: "Conversation", tools: Toolbox) -> None:
        self._task = task
        self._asked = asked
        self._talk = talk
        self._tools = tools
        self._ledger = Ledger()
        self._unfinished: Unfinished | None = None
        self._decided: Mapping[str, Any] = {}
        self._message_id = ""
        self._token_index = 0

    def restore(self, kept: Mapping[str, Any], decided: Mapping[str, Any]) -> None:
        """Go on where an agent has waited."""
        self._ledger = Ledger.restore(kept["ledger"])
        self._unfinished = Unfinished(_calls.validate_python(kept["calls"]), _answers.validate_python(kept["answers"]))
        self._decided = decided

    async def run(self) -> None:
        """Work until the model has nothing more to do. Raises TaskFailedError, TaskWaitsError, EngineError."""
        self._ledger.begin()
        left = self._ledger.seconds_left(self._asked)
        with anyio.move_on_after(left) as scope:
            await self._work()
        if scope.cancelled_caught:
            limit = self._asked.budget.working_seconds
            raise TaskFailedError(AgentStop.WORKING_TIME.value, f"The agent has worked for {limit:g} seconds.")

    async def _work(self) -> None:
        if self._unfinished is not None:
            await self._do(self._unfinished)
        while True:
            self._ledger.before_turn(self._asked)
            turn = await self._turn()
            self._ledger.after_turn(self._asked, turn)
            if turn.finish == "said":
                return
            if turn.finish in _STOPPED:
                stop, message = _STOPPED[turn.finish]
                raise TaskFailedError(stop.value, message)
            await self._do(Unfinished(turn.calls, []))

    async def _turn(self) -> Turn:
        self._new_message()
        try:
            return await self._talk.turn(self._tools.offers, self._hear, self._again)
        except ModelTroubleError as error:
            raise TaskFailedError(AgentStop.PROVIDER_ERROR.value, error.sentence) from error

    def _new_message(self) -> None:
        self._message_id = f"msg_{secrets.token_hex(6)}"
        self._token_index = 0

    async def _hear(self, text: str) -> None:
        await self._task.emit(TokenEvent(message_id=self._message_id, text=text, token_index=self._token_index))
        self._token_index += 1

    async def _again(self, why: str, seconds: float) -> None:
        self._new_message()
        await self._task.emit(LogEvent(level="warning", message=f"{why} It is asked again in {seconds:.1f} seconds."))

    async def _do(self, unfinished: Unfinished) -> None:
        """The calls of a turn, in their order."""
        for call in unfinished.calls[len(unfinished.answers) :]:
            approval = approval_id(self._task.id, (self._ledger.turns, len(unfinished.answers)), call)
            allowed = self._decided.get(approval) if self._asks(call) else True
            if allowed is None:
                await self._wait_for(approval, call, unfinished)
            unfinished.answers.append(await self._answer_to(call, allowed=bool(allowed)))
        self._unfinished = None
        self._talk.answer(unfinished.answers)
        self._ledger.after_calls(unfinished.answers)

    def _asks(self, call: ToolCall) -> bool:
        return self._asked.approvals == "ask" and call.name in ACTING and call.name in self._asked.tools

    async def _wait_for(self, approval: str, call: ToolCall, unfinished: Unfinished) -> None:
        """Give everything back until somebody has decided. Raises TaskWaitsError."""
        await self._tools.pack()
        kept = {
            "talk": self._talk.dump(),
            "ledger": self._ledger.dump(),
            "calls": _calls.dump_python(list(unfinished.calls), mode="json"),
            "answers": _answers.dump_python(unfinished.answers, mode="json"),
        }
        asked = ApprovalEvent(approval_id=approval, state="asked", tool_name=call.name, args=call.arguments or {})
        raise TaskWaitsError(kept, asked)

    async def _answer_to(self, call: ToolCall, *, allowed: bool) -> ToolAnswer:
        self._ledger.before_call(self._asked)
        started = ToolStartEvent(
            message_id=self._message_id, tool_id=call.id, tool_name=call.name, args=call.arguments or None
        )
        await self._task.emit(started)
        text, ok = await self._outcome(call, allowed=allowed)
        ended = ToolEndEvent(tool_id=call.id, tool_state="success" if ok else "error", output=text or None)
        await self._task.emit(ended)
        return ToolAnswer(call, text, ok)

    async def _outcome(self, call: ToolCall, *, allowed: bool) -> tuple[str, bool]:
        names = [offer.name for offer in self._tools.offers]
        if call.name not in names:
            return f"There is no tool {call.name[:60]!r} here; there are: {', '.join(names) or 'none'}.", False
        if call.arguments is None:
            return "The arguments are not a JSON object; send them again.", False
        if not allowed:
            return "This call was not allowed. Do without it, or say why it is needed.", False
        return await self._tools.use(call.name, call.arguments)
