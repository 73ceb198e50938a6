"""The chat over servers that speak as OpenAI's and as Anthropic's do, and with models that know less."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from aiohttp import web

from holdfast.agents.model import ModelChoice, ProviderModel
from holdfast.app import conversations
from holdfast.app.chat import model_choice
from holdfast.errors import ConfigurationError
from holdfast.settings import load_settings
from holdfast.types import OPERATOR, ChatRequest, ChatResponse
from tests.data_runs.conftest import Desk

pytestmark = pytest.mark.anyio

SQL = "SELECT city, count(*) AS n FROM sales GROUP BY city ORDER BY city"
Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@asynccontextmanager
async def provider(path: str, answer: Answer, delay_seconds: float = 0.0) -> AsyncIterator[tuple[str, list[Any]]]:
    """The address of a server that answers so, and what it was asked."""
    asked: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body)
        await anyio.sleep(delay_seconds)
        status, told = answer(body)
        return web.json_response(told, status=status)

    app = web.Application()
    app.router.add_post(path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def completion(content: str | None, call: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if call is not None:
        function = {"name": "answer", "arguments": json.dumps(call)}
        message["tool_calls"] = [{"id": "call-1", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
    usage = {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930}
    return 200, {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-6-luna",
        "choices": [choice],
        "usage": usage,
    }


async def ask(desk: Desk, choice: ModelChoice, message: str = "How many per city?", **settings: Any) -> ChatResponse:
    app = desk.app
    chosen = app.settings.model_copy(update=settings)
    chat = conversations(chosen, app.executor, app.data, app.datasets, app.store, ProviderModel(choice))
    async with chat.open():
        return await chat.ask(ChatRequest(dataset_id="sales", message=message), OPERATOR)


def openai(url: str, seconds: float = 20) -> ModelChoice:
    return ModelChoice("openai", "gpt-6-luna", "OPENAI_MODEL", "key", f"{url}/v1", seconds)


async def test_a_tool_call_over_the_wire_of_openai(desk: Desk) -> None:
    async with provider("/v1/chat/completions", lambda _: completion(None, {"kind": "sql", "sql": SQL})) as (
        url,
        asked,
    ):
        said = await ask(desk, openai(url))
    assert said.status == "succeeded" and said.result.total_rows == 3
    assert said.usage is not None and said.usage.input_tokens == 900 and (said.usage.cost_usd or 0) > 0
    assert asked[0]["tools"][0]["function"]["name"] == "answer"


async def test_a_server_without_tools_is_asked_for_json(desk: Desk) -> None:
    def without_tools(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "tools" in body:
            return 400, {"error": {"message": "tools are not supported", "type": "invalid_request_error"}}
        return completion(f"```json\n{json.dumps({'kind': 'sql', 'sql': SQL})}\n```")

    async with provider("/v1/chat/completions", without_tools) as (url, asked):
        said = await ask(desk, openai(url))
    assert said.status == "succeeded"
    assert "JSON object" in json.dumps(asked[-1]["messages"])


async def test_a_model_that_only_chatters_is_asked_for_sql_alone(desk: Desk) -> None:
    def chatters(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return completion(SQL if "nothing else: no words" in json.dumps(body) else "I would group them.")

    async with provider("/v1/chat/completions", chatters) as (url, _):
        said = await ask(desk, openai(url))
    assert said.status == "succeeded" and said.details.attempts == 2


@pytest.mark.parametrize(("status", "code"), [(401, "model_key"), (404, "model_not_found"), (500, "model_unavailable")])
async def test_an_error_of_the_provider_is_told(desk: Desk, status: int, code: str) -> None:
    told = {"error": {"message": "no", "type": "x", "code": "model_not_found" if status == 404 else None}}
    async with provider("/v1/chat/completions", lambda _: (status, told)) as (url, _):
        said = await ask(desk, openai(url))
    assert said.result.error is not None and said.result.error.code == code
    assert said.details.stop_reason == "provider_error"


async def test_a_provider_that_hangs_is_given_up(desk: Desk) -> None:
    async with provider("/v1/chat/completions", lambda _: completion("late"), delay_seconds=30) as (url, _):
        said = await ask(desk, openai(url), chat_timeout=1.0)
    assert said.details.stop_reason == "wall_clock"


async def test_a_tool_call_over_the_wire_of_anthropic(desk: Desk) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": {"kind": "sql", "sql": SQL}}
    told = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [use],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 800, "output_tokens": 40},
    }
    async with provider("/v1/messages", lambda _: (200, told)) as (url, _):
        said = await ask(desk, ModelChoice("anthropic", "claude-haiku-5-5", "ANTHROPIC_MODEL", "key", url, 20))
    assert said.status == "succeeded" and said.usage is not None and said.usage.output_tokens == 40


async def test_health_answers_while_a_model_is_slow(desk: Desk) -> None:
    slow = {"kind": "sql", "sql": SQL}
    said: list[ChatResponse] = []

    async def slowly() -> None:
        said.append(await ask(desk, openai(url)))

    async with (
        provider("/v1/chat/completions", lambda _: completion(None, slow), delay_seconds=1.0) as (url, asked),
        anyio.create_task_group() as group,
    ):
        group.start_soon(slowly)
        answered_meanwhile = 0
        while not said:
            assert (await desk.http.get("/health")).status_code == 200
            answered_meanwhile += bool(asked)
            await anyio.sleep(0.02)
    assert answered_meanwhile > 5


def test_the_library_of_models_is_not_loaded_before_the_first_question() -> None:
    libraries = ("pydantic_ai", "openai", "anthropic", "vl_convert", "genai_prices")
    code = f"import sys, holdfast.api, holdfast.app; print([name for name in {libraries} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}, ("openai", "OPENAI_MODEL")),
        ({"ANTHROPIC_API_KEY": "b"}, ("anthropic", "ANTHROPIC_MODEL")),
        (
            {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b", "LLM_PROVIDER": "Anthropic"},
            ("anthropic", "ANTHROPIC_MODEL"),
        ),
        ({"HOLDFAST_OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, ("openai", "OPENAI_MODEL")),
        ({"OPENAI_API_KEY": "a", "LLM_PROVIDER": "off"}, None),
    ],
)
def test_the_settings_name_the_model(environ: dict[str, str], chosen: tuple[str, str] | None, tmp_path: Any) -> None:
    choice = model_choice(load_settings(environ=environ, directory=tmp_path))
    assert (None if choice is None else (choice.provider, choice.setting)) == chosen


def test_a_provider_without_its_key_refuses_to_start(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        model_choice(load_settings(environ={"LLM_PROVIDER": "openai"}, directory=tmp_path))


async def test_the_operator_says_what_a_model_costs_that_nobody_knows(desk: Desk) -> None:
    answer = completion(None, {"kind": "sql", "sql": SQL})
    known = load_settings(environ={"HOLDFAST_MODEL_PRICES": "other=9/9, home-made=2/10"}).model_prices
    async with provider("/v1/chat/completions", lambda _: answer) as (url, _):
        choice = replace(openai(url), name="home-made")
        without = await ask(desk, choice)
        said = await ask(desk, choice, model_prices=known)
        dear = await ask(desk, choice, model_prices=known, chat_cost=0.0001, chat_attempts=3)
    assert without.usage is not None and without.usage.cost_usd is None
    assert said.usage is not None and said.usage.cost_usd is not None
    spent = said.usage.input_tokens * 2 + said.usage.output_tokens * 10
    assert said.usage.cost_usd == pytest.approx(spent / 1_000_000)
    assert dear.usage is not None and (dear.usage.cost_usd or 0) > 0.0001


@pytest.mark.parametrize("price", ["cheap", "model=1", "=1/2", "model=a/b", "model=-1/2"])
def test_a_price_that_makes_no_sense_is_refused(price: str) -> None:
    with pytest.raises(ConfigurationError, match="model_prices"):
        load_settings(environ={"HOLDFAST_MODEL_PRICES": price})


async def test_a_key_is_never_shown(desk: Desk) -> None:
    assert "key" not in repr(openai("http://x")).replace("key=", "")
