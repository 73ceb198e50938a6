"""Agents over servers that speak as providers do, and that fail: each way ends in an answer or in a sentence."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web

from holdfast.agents.loop import AgentLoop
from holdfast.agents.model import ModelChoice, close_model, open_model, talking
from holdfast.agents.model.talking import Conversation
from holdfast.tasks import TaskFailedError
from holdfast.testing.agents import TableOfTools, WrittenRun
from tests.agents.scripted import asked, fine
from tests.agents.speaking import Speak, as_anthropic, as_openai

pytestmark = pytest.mark.anyio
Fault = Callable[[web.Request, list[bytes]], Awaitable[web.StreamResponse]]
SPEAKS: dict[str, tuple[str, Speak]] = {
    "openai": ("/v1/chat/completions", as_openai),
    "anthropic": ("/v1/messages", as_anthropic),
}
TURNS = [("I look.", "shell", {"command": "ls"}), ("All is well.", None, None)]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(talking, "LONGEST_PAUSE_SECONDS", 0.01)


def status(code: int) -> Fault:
    async def fault(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
        told = {"type": "error", "error": {"type": "x", "message": "sk-secret of somebody"}}
        return web.json_response(told, status=code, headers={"retry-after-ms": "1"})

    return fault


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def cut(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """Half of the answer, and the connection is gone."""
    response = await _begun(request)
    for piece in pieces[: len(pieces) // 2]:
        await response.write(piece)
    assert request.transport is not None
    request.transport.abort()
    return response


async def ended(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """Half of the answer, and a proper end of the connection, as a proxy that gives up makes it."""
    response = await _begun(request)
    for piece in pieces[: len(pieces) // 2]:
        await response.write(piece)
    return response


async def silent(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """It never answers."""
    await anyio.sleep(60)
    raise AssertionError


async def stalled(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """The first piece, and then nothing."""
    response = await _begun(request)
    await response.write(pieces[0])
    await anyio.sleep(60)
    return response


async def gibberish(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """What is no event, where one should be."""
    response = await _begun(request)
    await response.write(b"data: {{{\n\n")
    return response


PASSING: dict[str, Fault] = {
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "529": status(529),
    "cut": cut,
    "ended early": ended,
    "silent": silent,
    "stalled": stalled,
}


@asynccontextmanager
async def provider(kind: str, faults: list[Fault]) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that fails so often in these ways, and then says its turns; and what it was asked."""
    path, speak = SPEAKS[kind]
    turns, seen = [*TURNS], []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(await request.text())
        pieces = [*speak(*turns[0])]
        if faults:
            return await faults.pop(0)(request, pieces)
        turns.pop(0)
        response = await _begun(request)
        for piece in pieces:
            await response.write(piece)
        return response

    app = web.Application()
    app.router.add_post(path, handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def run(kind: str, url: str, key: str = "key") -> tuple[WrittenRun, TaskFailedError | None]:
    """An agent on a model of this provider, which is given up after half a second."""
    base = f"{url}/v1" if kind == "openai" else url
    model = open_model(ModelChoice(kind, "m", "X", key, base, 0.5))  # type: ignore[arg-type]
    written, talk = WrittenRun(asked()), Conversation.begin(model, [("user", "Mend it.")], None, 1000)
    try:
        await AgentLoop(written, asked(), talk, TableOfTools({"shell": fine})).run()
    except TaskFailedError as error:
        return written, error
    finally:
        await close_model(model)
    return written, None


@pytest.mark.parametrize("kind", SPEAKS)
@pytest.mark.parametrize("way", PASSING)
async def test_what_passes_is_asked_again_and_the_agent_goes_on(kind: str, way: str) -> None:
    # The client of a provider tries three times by itself before the agent hears of an error of HTTP.
    faults = [PASSING[way]] * (3 if way.isdigit() or way == "silent" else 1)
    async with provider(kind, faults) as (url, _):
        written, failure = await run(kind, url)
    assert failure is None, failure and failure.message
    assert [event.level for event in written.of("log")] == ["warning"]
    last = written.of("token")[-1].message_id
    assert "".join(event.text for event in written.of("token") if event.message_id == last).strip() == "All is well."
    assert [event.tool_state for event in written.of("tool_end")] == ["success"]


@pytest.mark.parametrize("kind", SPEAKS)
async def test_a_server_that_speaks_as_a_provider_does_needs_no_key(kind: str) -> None:
    async with provider(kind, []) as (url, _):
        _, failure = await run(kind, url, key="")
    assert failure is None, failure and failure.message


@pytest.mark.parametrize("kind", SPEAKS)
@pytest.mark.parametrize(
    ("fault", "said"), [(status(401), "key"), (status(404), "HOLDFAST_AGENT_MODELS"), (status(400), "does not take")]
)
async def test_what_does_not_pass_ends_the_agent_with_a_sentence_that_helps(kind: str, fault: Fault, said: str) -> None:
    async with provider(kind, [fault] * 9) as (url, seen):
        written, failure = await run(kind, url)
    assert failure is not None and failure.code == "provider_error" and said in failure.message
    assert len(seen) == 1
    assert "sk-secret" not in failure.message + "".join(event.model_dump_json() for event in written.events)


REASONS = {
    "openai": {"length": "length", "content_filter": "refused"},
    "anthropic": {"max_tokens": "length", "refusal": "refused"},
}


@pytest.mark.parametrize(
    ("kind", "reason"), [(kind, reason) for kind, reasons in REASONS.items() for reason in reasons]
)
async def test_an_answer_that_is_too_long_or_refused_ends_the_agent_as_that(kind: str, reason: str) -> None:
    async def stops(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
        response = await _begun(request)
        for piece in pieces:
            for usual in (b'"tool_calls"}', b'"tool_use",', b'"end_turn",'):
                piece = piece.replace(b'_reason": ' + usual, b'_reason": "' + reason.encode() + b'"' + usual[-1:])
            await response.write(piece)
        return response

    async with provider(kind, [stops]) as (url, _):
        written, failure = await run(kind, url)
    assert failure is not None and failure.code == {"length": "truncated", "refused": "refused"}[REASONS[kind][reason]]
    assert written.of("tool_start") == [], "what it asked for by then is not done"


@pytest.mark.parametrize("kind", SPEAKS)
async def test_what_cannot_be_understood_ends_the_agent_and_is_no_crash(kind: str) -> None:
    async with provider(kind, [gibberish] * 20) as (url, _):
        _, failure = await run(kind, url)
    assert failure is not None and failure.code == "provider_error"
