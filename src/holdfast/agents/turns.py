"""What a model and an agent say to each other in one turn, in words of no provider."""

from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["said", "calls", "length", "refused"]


class ModelFailedError(Exception):
    """The provider has refused, or could not be had. The message says what to do, without what was said to it."""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as a model is told of it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


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
class Turn:
    """One answer of a model. `cost_usd` is `None` when its price is not known."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: Finish
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
