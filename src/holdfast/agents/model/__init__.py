"""Language models, behind one small interface. This package alone knows the library they are called with.

The library is loaded with the first question: a server that nobody asks one does not pay for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

from holdfast.agents.model.prices import Prices, cost_of
from holdfast.agents.model.troubles import PASSING, Trouble, sentence_of, trouble_of
from holdfast.agents.model.turns import ModelTroubleError, Said, ToolAnswer, ToolCall, ToolOffer, Turn
from holdfast.types import ModelUsage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

__all__ = [
    "LanguageModel",
    "Meter",
    "ModelChoice",
    "ModelTroubleError",
    "ProviderModel",
    "Said",
    "ToolAnswer",
    "ToolCall",
    "ToolOffer",
    "Trouble",
    "Turn",
    "close_model",
    "open_model",
]

MAX_TOKENS = 4096
_RETRIES = 2


class LanguageModel(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """What its provider calls it."""
        ...

    @property
    def provider(self) -> str:
        """Who has it."""
        ...

    async def ask(self, instructions: str, said: Sequence[Said], tools: Sequence[ToolOffer] = ()) -> Turn:
        """Raises ModelTroubleError."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model, and how it is reached. `setting` is what names it."""

    provider: Literal["openai", "anthropic"]
    name: str
    setting: str
    api_key: str = field(default="", repr=False)
    base_url: str | None = None
    request_seconds: float = 60.0


class ProviderModel:
    """A model of a provider, or of any server that speaks the language of OpenAI's."""

    def __init__(self, choice: ModelChoice, model: "Model | None" = None) -> None:
        self.name = choice.name
        self.provider = choice.provider
        self._choice = choice
        self._model = model

    async def ask(self, instructions: str, said: Sequence[Said], tools: Sequence[ToolOffer] = ()) -> Turn:
        """One request. Raises ModelTroubleError."""
        from anyio.to_thread import run_sync

        if self._model is None:
            # Loading it takes a second, in which the event loop answers others.
            self._model = await run_sync(open_model, self._choice)
        return await _asked(self._model, self._choice, instructions, said, tools)

    async def aclose(self) -> None:
        """Close its connections; it can be asked again."""
        if self._model is not None:
            await close_model(self._model)
            self._model = None


def load_library(choice: ModelChoice) -> None:
    """Load what a model is asked with: a second or two, with moments in which the interpreter does nothing else."""
    for name in ("direct", f"models.{choice.provider}", f"providers.{choice.provider}"):
        import_module(f"pydantic_ai.{name}")
    import_module("holdfast.agents.model.talking")
    open_model(choice)  # The first one sets up what is there once, such as certificates.


def open_model(choice: ModelChoice) -> "Model":
    """The model, in the library's own words; loading that takes a second."""
    if choice.provider == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(
            api_key=choice.api_key or "none",
            base_url=choice.base_url,
            timeout=choice.request_seconds,
            max_retries=_RETRIES,
        )
        return AnthropicModel(choice.name, provider=AnthropicProvider(anthropic_client=client))
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    asked = AsyncOpenAI(
        api_key=choice.api_key or "none",
        base_url=choice.base_url,
        timeout=choice.request_seconds,
        max_retries=_RETRIES,
    )
    return OpenAIChatModel(choice.name, provider=OpenAIProvider(openai_client=asked))


async def close_model(model: Any) -> None:
    """Close the connections of a model; one that a script speaks for has none."""
    client = getattr(model, "client", None)
    if client is not None:
        await client.close()


async def _asked(
    model: "Model", choice: ModelChoice, instructions: str, said: Sequence[Said], tools: Sequence[ToolOffer]
) -> Turn:
    from pydantic_ai.direct import model_request
    from pydantic_ai.exceptions import AgentRunError, ContentFilterError, UserError
    from pydantic_ai.models import ModelRequestParameters

    from holdfast.agents.model.talking import defined, turn_of

    parameters = ModelRequestParameters(function_tools=defined(tools), allow_text_output=True)
    settings: Any = {"max_tokens": MAX_TOKENS}
    try:
        response = await model_request(
            model, _messages(instructions, said), model_settings=settings, model_request_parameters=parameters
        )
        turn = turn_of(response)
        if turn.finish == "refused" and not turn.text and not turn.calls:
            raise ContentFilterError("The answer was filtered.")
    except (AgentRunError, UserError, ValueError, TimeoutError) as error:
        raise _trouble(error, choice) from error
    return turn


def _messages(instructions: str, said: Sequence[Said]) -> "list[ModelMessage]":
    from pydantic_ai import messages as m

    found: list[Any] = []
    for turn in said:
        if turn.role == "assistant":
            calls = [m.ToolCallPart(call.name, call.arguments, call.id) for call in turn.calls]
            parts: list[Any] = [*([m.TextPart(turn.text)] if turn.text else []), *calls]
            found.append(m.ModelResponse(parts=parts))
            continue
        part = (
            m.ToolReturnPart(turn.name, turn.text, turn.call_id) if turn.role == "tool" else m.UserPromptPart(turn.text)
        )
        found.append(m.ModelRequest(parts=[part], instructions=instructions))
    return found


def _trouble(error: Exception, choice: ModelChoice) -> ModelTroubleError:
    trouble = trouble_of(error)
    sentence = sentence_of(trouble, choice.name, choice.setting, _KEYS[choice.provider])
    return ModelTroubleError(trouble, f"{sentence} Try again later." if trouble in PASSING else sentence)


_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


class Meter:
    """Counts what a model uses, and what that costs as far as its price is known."""

    def __init__(self, model: LanguageModel, prices: Prices) -> None:
        self._model = model
        self._prices = prices
        self.requests = 0
        self.input_tokens = 0
        self.output_tokens = 0

    def count(self, turn: Turn) -> None:
        """Add what an answer has used."""
        self.requests += 1
        self.input_tokens += turn.input_tokens
        self.output_tokens += turn.output_tokens

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens

    @property
    def usage(self) -> ModelUsage:
        """What was used until now."""
        cost = self.cost_usd
        return ModelUsage(
            model=self._model.name,
            provider=self._model.provider,
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=None if cost is None else float(cost),
        )

    @property
    def cost_usd(self) -> Decimal | None:
        """What it costs; `None` for a model whose price nobody knows."""
        model = self._model
        return cost_of(model.name, model.provider, self.input_tokens, self.output_tokens, self._prices)
