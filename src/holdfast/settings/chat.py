"""The settings of the chat."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveInt, SecretStr

from holdfast.settings.kinds import Listed, Lowered, Positive, Priced, described


class ChatSettings(BaseModel):
    """What an operator can choose of the chat, and of the language models that answer in it."""

    llm_provider: Annotated[Literal["auto", "openai", "anthropic", "off"], Lowered] = described(
        "auto", "Who answers questions in the chat; `auto` is whoever there is a key for, `off` is no language model."
    )
    openai_api_key: SecretStr | None = described(None, "The key of OpenAI, or of the server at `openai_base_url`.")
    openai_model: str = described("gpt-6.1-terra", "The model of OpenAI, or of the server at `openai_base_url`.")
    openai_base_url: str | None = described(
        None, "Another server that speaks as OpenAI's does (Ollama, vLLM), such as `http://127.0.0.1:11434/v1`."
    )
    anthropic_api_key: SecretStr | None = described(None, "The key of Anthropic.")
    anthropic_model: str = described("claude-sonnet-5-5", "The model of Anthropic.")
    anthropic_base_url: str | None = described(None, "Another server that speaks as Anthropic's does.")
    chat_privacy: Annotated[Literal["schema", "statistics", "rows"], Lowered] = described(
        "statistics",
        "What a language model is told: names and types; also ranges and frequent values; also rows and results.",
    )
    thread_history_window: PositiveInt = described(12, "Messages of a thread that a language model is told.")
    chat_timeout: Positive = described(120.0, "Seconds a language model may take for one question in all.")
    chat_request_timeout: Positive = described(60.0, "Seconds it may take for one of its requests.")
    chat_attempts: Annotated[int, Field(ge=1, le=20)] = described(4, "Queries it may try for one question.")
    chat_tokens: PositiveInt = described(60_000, "Tokens it may use for one question.")
    chat_cost: Positive = described(0.5, "Dollars it may cost for one question, where its price is known.")
    model_prices: Annotated[tuple[Priced, ...], Listed] = described(
        (),
        "What models cost in dollars for a million tokens of input and output, such as `my-model=0.5/1.5`: where that "
        "is not known, or instead.",
    )
    chat_grace: Positive = described(30.0, "Seconds that a streamed answer goes on when nobody reads it.")
