"""A conversation with a language model that may use tools: one turn at a time, told piece by piece.

It is loaded by the first agent that speaks to a model.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import structlog
from pydantic_ai import direct
from pydantic_ai import messages as wire
from pydantic_ai.exceptions import ModelAPIError, ModelConnectionError, UnexpectedModelBehavior, UserError
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from holdfast.agents.model.prices import Prices, own_cost
from holdfast.agents.model.troubles import PASSING, Trouble, sentence_of, trouble_of
from holdfast.agents.model.turns import Finish, ModelTroubleError, ToolAnswer, ToolCall, ToolOffer, Turn

TRIES = 4
"""How often one turn is asked for when the provider cannot answer just now."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
_SETTING, _KEY = "'model', or change HOLDFAST_AGENT_MODELS", "the key of the provider in the settings"


class Conversation:
    """What was said so far. `dump` and `restore` carry it over a restart."""

    def __init__(
        self,
        model: Model,
        said: list[wire.ModelMessage],
        instructions: str | None,
        max_tokens: int,
        prices: Prices | None = None,
    ) -> None:
        self._model = model
        self._prices = prices or {}
        self._said = said
        self._instructions = instructions
        self._settings = ModelSettings(max_tokens=max_tokens)

    @classmethod
    def begin(
        cls,
        model: Model,
        said: Sequence[tuple[str, str]],
        instructions: str | None,
        max_tokens: int,
        prices: Prices | None = None,
    ) -> "Conversation":
        """From what user and assistant have said, in turn."""
        return cls(model, [_message(role, text) for role, text in said], instructions, max_tokens, prices)

    @classmethod
    def restore(
        cls, model: Model, dumped: Any, instructions: str | None, max_tokens: int, prices: Prices | None = None
    ) -> "Conversation":
        """From what `dump` gave. Raises pydantic.ValidationError."""
        said = wire.ModelMessagesTypeAdapter.validate_python(dumped)
        return cls(model, said, instructions, max_tokens, prices)

    def dump(self) -> Any:
        """All that was said, as JSON."""
        return wire.ModelMessagesTypeAdapter.dump_python(self._said, mode="json")

    async def turn(
        self,
        offers: Sequence[ToolOffer],
        hear: Callable[[str], Awaitable[None]],
        again: Callable[[str, float], Awaitable[None]],
    ) -> Turn:
        """Ask for the next turn; `hear` gets its text as it comes.

        When the provider cannot answer now, or stops in the middle, `again` is told why, and after how many seconds it
        is asked once more; what was heard by then does not count. Raises ModelTroubleError.
        """
        for tried in range(1, TRIES + 1):
            try:
                response = await self._ask(offers, hear)
            except (ModelAPIError, UnexpectedModelBehavior, UserError) as error:
                trouble = trouble_of(error)
                if trouble is Trouble.FILTERED:
                    return Turn("", (), "refused", 0, 0)
                why = self._why(trouble)
                if trouble not in PASSING:
                    raise ModelTroubleError(trouble, why) from error
                if tried == TRIES:
                    raise ModelTroubleError(trouble, f"{why} It was asked {TRIES} times; try again later.") from error
                pause = _pause(error, tried)
                await again(why, pause)
                await anyio.sleep(pause)
            else:
                self._said.append(response)
                used = response.usage
                own = own_cost(self._model.model_name, used.input_tokens, used.output_tokens, self._prices)
                return turn_of(response, _cost(response) if own is None else float(own))
        raise AssertionError("the last try returns or raises")

    async def _ask(self, offers: Sequence[ToolOffer], hear: Callable[[str], Awaitable[None]]) -> wire.ModelResponse:
        asked = ModelRequestParameters(
            function_tools=defined(offers),
            allow_text_output=True,
            instruction_parts=[wire.InstructionPart(content=self._instructions)] if self._instructions else None,
        )
        async with direct.model_request_stream(
            self._model, self._said, model_settings=self._settings, model_request_parameters=asked
        ) as stream:
            async for event in stream:
                text = _text_of(event)
                if text:
                    await hear(text)
            response = stream.get()
        if _is_cut(response):
            raise ModelConnectionError(self._model.model_name, "The answer ended before its end.", phase="read")
        return response

    def _why(self, trouble: Trouble) -> str:
        structlog.get_logger().warning("a model could not be asked", trouble=trouble.value)
        return sentence_of(trouble, self._model.model_name, _SETTING, _KEY)

    def answer(self, answers: Sequence[ToolAnswer]) -> None:
        """Tell what its calls came to."""
        parts = [
            wire.ToolReturnPart(
                tool_name=answer.call.name,
                content=answer.text,
                tool_call_id=answer.call.id,
                outcome="success" if answer.ok else "failed",
            )
            for answer in answers
        ]
        self._said.append(wire.ModelRequest(parts=parts))


def _message(role: str, text: str) -> wire.ModelMessage:
    if role == "assistant":
        return wire.ModelResponse(parts=[wire.TextPart(content=text)])
    return wire.ModelRequest(parts=[wire.UserPromptPart(content=text)])


def _is_cut(response: wire.ModelResponse) -> bool:
    """Whether a provider never said that it is done: a connection that ends well may still have ended too early."""
    told = response.finish_reason == "content_filter" or (response.provider_details or {}).get("finish_reason")
    return response.provider_name is not None and not told


def _text_of(event: Any) -> str:
    if isinstance(event, wire.PartStartEvent) and isinstance(event.part, wire.TextPart):
        return event.part.content
    if isinstance(event, wire.PartDeltaEvent) and isinstance(event.delta, wire.TextPartDelta):
        return event.delta.content_delta
    return ""


def defined(offers: Sequence[ToolOffer]) -> list[ToolDefinition]:
    """Tools, in the library's own words."""
    return [
        ToolDefinition(name=offer.name, description=offer.description, parameters_json_schema=offer.schema)
        for offer in offers
    ]


def turn_of(response: wire.ModelResponse, cost_usd: float | None = None) -> Turn:
    """What a model has answered, in ours."""
    calls = tuple(_call(part) for part in response.parts if isinstance(part, wire.ToolCallPart))
    text = "".join(part.content for part in response.parts if isinstance(part, wire.TextPart))
    usage = response.usage
    return Turn(text, calls, _finish(response, calls), usage.input_tokens, usage.output_tokens, cost_usd)


def _call(part: wire.ToolCallPart) -> ToolCall:
    try:
        arguments: dict[str, Any] | None = part.args_as_dict(raise_if_invalid=True)
    except (ValueError, AssertionError):
        arguments = None
    return ToolCall(part.tool_call_id, part.tool_name, arguments)


def _finish(response: wire.ModelResponse, calls: Sequence[ToolCall]) -> Finish:
    if response.finish_reason == "content_filter":
        return "refused"
    if response.finish_reason == "length":
        return "length"
    return "calls" if calls else "said"


def _cost(response: wire.ModelResponse) -> float | None:
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None


def _pause(error: Exception, tried: int) -> float:
    if isinstance(error, ModelAPIError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_PAUSE_SECONDS)
    return float(min(FIRST_PAUSE_SECONDS * 2**tried * random.uniform(0.75, 1.25), LONGEST_PAUSE_SECONDS))  # noqa: S311
