"""Who answers in the chat: the language model that the settings name, or none."""

from typing import Literal

from pydantic import SecretStr

from holdfast.agents.conversations import Conversations
from holdfast.agents.model import LanguageModel, ModelChoice, ProviderModel
from holdfast.agents.outcomes import ChatBounds
from holdfast.agents.profiles import Profiles
from holdfast.agents.turn import Turns
from holdfast.data.datasets import DatasetLibrary
from holdfast.data.runs import DataRuns
from holdfast.errors import ConfigurationError
from holdfast.execution import Executor
from holdfast.settings import Settings
from holdfast.store import Store
from holdfast.types import ModelPrice, Privacy


def conversations(
    settings: Settings,
    executor: Executor,
    data: DataRuns,
    datasets: DatasetLibrary,
    store: Store,
    model: LanguageModel | None = None,
) -> Conversations:
    """The conversations of a server, not opened yet; without a `model`, with that of the settings.

    Raises ConfigurationError.
    """
    return Conversations(
        Turns(data, model or language_model(settings), chat_bounds(settings)),
        datasets,
        store,
        Profiles(executor),
        python=settings.enable_python_execution,
        grace_seconds=settings.chat_grace,
    )


def chat_bounds(settings: Settings) -> ChatBounds:
    """What one question may use of a language model."""
    return ChatBounds(
        seconds=settings.chat_timeout,
        attempts=settings.chat_attempts,
        tokens=settings.chat_tokens,
        cost_usd=settings.chat_cost,
        history=settings.thread_history_window,
        privacy=Privacy(settings.chat_privacy),
        prices=model_prices(settings),
    )


def model_prices(settings: Settings) -> dict[str, ModelPrice]:
    """What the operator says that models cost."""
    return {price.model: price for price in settings.model_prices}


def language_model(settings: Settings) -> LanguageModel | None:
    """The model that is asked; `None` without one. Raises ConfigurationError."""
    choice = model_choice(settings)
    return None if choice is None else ProviderModel(choice)


def model_choice(settings: Settings) -> ModelChoice | None:
    """Which model the settings name; with `auto`, OpenAI's comes first. Raises ConfigurationError."""
    provider = settings.llm_provider
    if provider == "auto":
        provider = _whoever_there_is_a_key_for(settings)
    if provider == "off":
        return None
    key = settings.openai_api_key if provider == "openai" else settings.anthropic_api_key
    base_url = settings.openai_base_url if provider == "openai" else settings.anthropic_base_url
    if key is None and base_url is None:
        raise ConfigurationError(
            f"LLM_PROVIDER is {provider}, but there is no {provider.upper()}_API_KEY; set it, or LLM_PROVIDER=auto."
        )
    return ModelChoice(
        provider=provider,
        name=settings.openai_model if provider == "openai" else settings.anthropic_model,
        setting=f"{provider.upper()}_MODEL",
        api_key=_text(key),
        base_url=base_url,
        request_seconds=settings.chat_request_timeout,
    )


def _whoever_there_is_a_key_for(settings: Settings) -> Literal["openai", "anthropic", "off"]:
    if settings.openai_api_key or settings.openai_base_url:
        return "openai"
    return "anthropic" if settings.anthropic_api_key or settings.anthropic_base_url else "off"


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
