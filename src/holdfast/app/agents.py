"""Who does the tasks of agents: which models they may use, and how one is had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import anyio
from anyio.to_thread import run_sync

from holdfast.agents.handler import AgentHandler, AgentRules
from holdfast.agents.model import ModelChoice, close_model, open_model
from holdfast.agents.tools import Query
from holdfast.app.chat import model_prices
from holdfast.data.runs import DataRuns
from holdfast.errors import EngineError, StoreUnavailableError, UnsupportedError
from holdfast.execution import Executor
from holdfast.settings import Settings
from holdfast.types import Caller, Capsule, DataRunRequest

if TYPE_CHECKING:
    from pydantic_ai.models import Model

ROWS = 100
_ANTHROPIC = "claude-"


def agent_handler(settings: Settings, executor: Executor, data: DataRuns) -> AgentHandler:
    """Does agents; the libraries of models are loaded by the first task that needs one."""
    prices = model_prices(settings)
    rules = AgentRules(settings.agent_models, settings.agent_model, settings.agent_tokens, prices)

    def choose(name: str) -> ModelChoice:
        return chosen_model(settings, name)

    return AgentHandler(executor, rules, choose, _opened, lambda caller: _query(data, caller))


@asynccontextmanager
async def _opened(choice: ModelChoice) -> AsyncIterator["Model"]:
    # Loading the libraries takes a second, in which the event loop answers others.
    model = await run_sync(open_model, choice)
    try:
        yield model
    finally:
        with anyio.CancelScope(shield=True):
            await close_model(model)


def chosen_model(settings: Settings, name: str) -> ModelChoice:
    """How a model of this name is reached. Raises UnsupportedError without a key for its provider."""
    provider: Literal["anthropic", "openai"] = "anthropic" if name.startswith(_ANTHROPIC) else "openai"
    key = settings.anthropic_api_key if provider == "anthropic" else settings.openai_api_key
    base_url = settings.anthropic_base_url if provider == "anthropic" else settings.openai_base_url
    if key is None and base_url is None:
        raise UnsupportedError(
            f"model: there is no key for '{name}'; the operator sets {provider.upper()}_API_KEY, or the base URL of a "
            "server that speaks the same.",
            field="model",
        )
    return ModelChoice(
        provider=provider,
        name=name,
        setting="HOLDFAST_AGENT_MODEL",
        api_key=key.get_secret_value() if key else "",
        base_url=base_url,
        request_seconds=settings.chat_request_timeout,
    )


def _query(data: DataRuns, caller: Caller) -> Query:
    async def query(dataset_id: str, sql: str) -> str:
        request = DataRunRequest(dataset_id=dataset_id, sql=sql, max_rows=ROWS)
        try:
            return _told(await data.run(request, caller))
        except (StoreUnavailableError, EngineError):
            raise UnsupportedError("Datasets cannot be asked just now.", field="dataset_id") from None

    return query


def _told(capsule: Capsule) -> str:
    """A result as lines with tabs, or why there is none."""
    if capsule.result is None:
        reason = capsule.error.message if capsule.error else f"The query was {capsule.status}."
        raise UnsupportedError(reason, field="sql")
    lines = ["\t".join(capsule.result.columns)]
    lines += ["\t".join("" if value is None else str(value) for value in row) for row in capsule.result.rows]
    if capsule.result.truncated:
        lines.append(f"... {capsule.result.row_count} of {capsule.result.total_rows} rows")
    return "\n".join(lines)
