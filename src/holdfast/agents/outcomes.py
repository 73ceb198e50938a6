"""What is asked in a turn, who is told of it, and what it comes to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from holdfast.agents import prose
from holdfast.agents.model.prices import Prices
from holdfast.agents.profiles import Profile
from holdfast.agents.simple import Choice, Unclear
from holdfast.types import (
    Caller,
    Capsule,
    CapsuleError,
    CapsuleStatus,
    ChatError,
    ChatStatus,
    Clarification,
    ClarificationOption,
    Dataset,
    DatasetSchema,
    Message,
    ModelUsage,
    NumberCheck,
    Planner,
    Privacy,
    Stage,
    StopReason,
)

_STATUS = {
    CapsuleStatus.SUCCEEDED: ChatStatus.SUCCEEDED,
    CapsuleStatus.REJECTED: ChatStatus.REJECTED,
    CapsuleStatus.TIMED_OUT: ChatStatus.TIMED_OUT,
    CapsuleStatus.CANCELLED: ChatStatus.CANCELLED,
}
_STOPS = {ChatStatus.SUCCEEDED: StopReason.ANSWERED, ChatStatus.CANCELLED: StopReason.CANCELLED}


@dataclass(frozen=True, slots=True)
class ChatBounds:
    """What a turn may use of a language model, and what it may tell it."""

    seconds: float
    attempts: int
    tokens: int
    cost_usd: float
    history: int
    privacy: Privacy
    prices: Prices = field(default_factory=dict)


@dataclass(slots=True)
class Question:
    """What is asked, of what, and what was said before."""

    text: str
    dataset: Dataset
    schema: DatasetSchema | None
    profile: Callable[[], Awaitable[Profile]]
    caller: Caller
    history: Sequence[Message] = ()
    state: dict[str, Any] = field(default_factory=dict)
    privacy: Privacy = Privacy.STATISTICS
    max_rows: int | None = None


@dataclass(slots=True)
class Outcome:
    """What a turn came to."""

    status: ChatStatus
    stop: StopReason
    message: str
    planner: Planner | None = None
    capsule: Capsule | None = None
    error: ChatError | None = None
    clarification: Clarification | None = None
    explanation: str = ""
    attempts: int = 1
    usage: ModelUsage | None = None
    checks: tuple[NumberCheck, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)


class Teller(Protocol):
    """Who is told what a turn is doing, as it begins to."""

    async def stage(self, stage: Stage, detail: str = "") -> None:
        """A stage begins."""

    async def calls(self, name: str, given: dict[str, Any]) -> str:
        """A query is about to run; the id of the call."""
        ...

    async def called(self, call_id: str, name: str, output: dict[str, Any]) -> None:
        """It ran."""


def told(capsule: Capsule, planner: Planner) -> Outcome:
    """What a run came to, in words."""
    status = _STATUS.get(capsule.status, ChatStatus.FAILED)
    return Outcome(
        status=status,
        stop=_STOPS.get(status, StopReason.QUERY_FAILED),
        message=prose.said_of(capsule),
        planner=planner,
        capsule=capsule,
        error=None if capsule.error is None else error_of(capsule.error),
    )


def error_of(error: CapsuleError) -> ChatError:
    """The same error, under both its names."""
    return ChatError(type=error.code, **error.model_dump())


def refused(
    planner: Planner, code: str, sentence: str, stop: StopReason, status: ChatStatus = ChatStatus.REJECTED
) -> Outcome:
    error = error_of(CapsuleError(code=code, message=sentence))
    return Outcome(status=status, stop=stop, message=sentence, planner=planner, error=error)


def asking(text: str, chosen: dict[str, Choice], unclear: Unclear) -> Outcome:
    labels = [choice.label for choice in unclear.choices]
    question = f"What does '{unclear.word}' mean?"
    clarification = Clarification(
        question=question,
        options=tuple(ClarificationOption(id=str(n), label=label) for n, label in enumerate(labels, 1)),
    )
    before = {word: [each.label, each.table, each.column] for word, each in chosen.items()}
    options = [[each.label, each.table, each.column] for each in unclear.choices]
    pending = {"question": text, "word": unclear.word, "choices": options, "chosen": before}
    message = f"{question} " + "; ".join(f"{n}) {label}" for n, label in enumerate(labels, 1))
    return Outcome(
        status=ChatStatus.CLARIFICATION,
        stop=StopReason.CLARIFICATION,
        message=message,
        planner=Planner.SIMPLE,
        clarification=clarification,
        state={"pending": pending},
    )


def option_chosen(text: str, pending: dict[str, Any]) -> dict[str, Choice] | None:
    """What the user chose, if this is the answer to a question of the rules."""
    said = text.strip().lower().rstrip(".")
    for number, (label, table, column) in enumerate(pending.get("choices", ()), 1):
        if said in (str(number), label.lower()):
            before = {word: Choice(*each) for word, each in pending["chosen"].items()}
            return {**before, pending["word"]: Choice(label, table, column)}
    return None


def query_text(capsule: Capsule) -> str:
    return capsule.compiled_sql or capsule.python_code or ""


def last_run(capsule: Capsule, privacy: Privacy) -> dict[str, Any]:
    """What the next turn is told of this one: the query, and the shape of its result."""
    del privacy
    table = capsule.result
    shape = {} if table is None else {"columns": table.columns, "types": table.column_types}
    return {"run_id": capsule.run_id, "query": query_text(capsule)[:4000], "status": str(capsule.status), **shape}
