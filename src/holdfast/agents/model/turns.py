"""What is said to a model and by it, in words of no provider."""

from dataclasses import dataclass
from typing import Any, Literal

from holdfast.agents.model.troubles import Trouble

Finish = Literal["said", "calls", "length", "refused"]


class ModelTroubleError(Exception):
    """A model gave no answer. `sentence` says what to do about it, without anything of what was asked."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as a model is told of it, with the JSON schema of what it needs."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asks for; `arguments` is `None` when they were not a JSON object."""

    id: str
    name: str
    arguments: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a model is told that a call came to."""

    call: ToolCall
    text: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A part of a conversation with a model. A tool's answer has the id and the name of its call."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of a model, and what that used. `cost_usd` is `None` when its price is not known or not asked for."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: Finish
    input_tokens: int
    output_tokens: int
    cost_usd: float | None = None
