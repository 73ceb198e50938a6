"""An agent in a real sandbox, whose files cannot be kept."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic_ai.models import Model

from holdfast.agents.handler import AgentHandler, AgentRules
from holdfast.agents.model import ModelChoice
from holdfast.errors import InvalidFieldError, RequestError, StorageFullError, TooLargeError
from holdfast.settings import load_settings
from holdfast.tasks import TaskFailedError
from holdfast.testing.agents import WrittenRun
from tests.agents.scripted import Script, Uses, asked
from tests.conftest import local_app

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def handling(script: Script) -> AsyncIterator[AgentHandler]:
    """A handler whose model says this."""

    @asynccontextmanager
    async def scripted(choice: ModelChoice) -> AsyncIterator[Model]:
        yield script.model()

    async with local_app(pool_size=0) as app:
        rules = AgentRules(["scripted"], "scripted")
        yield AgentHandler(app.executor, rules, lambda name: ModelChoice("openai", name, "X"), scripted)


class FullDisk(WrittenRun):
    """A task of which nothing can be kept."""

    async def keep(self, name: str, data: bytes) -> None:
        raise StorageFullError("The disk of the server is full.")


@pytest.mark.parametrize(
    ("turns", "failure"), [(1, (TaskFailedError, "turns")), (5, (StorageFullError, "disk of the server"))]
)
async def test_the_first_failure_is_told_also_when_the_files_cannot_be_kept(
    turns: int, failure: tuple[type[Exception], str]
) -> None:
    async with handling(Script(Uses("shell", '{"command": "echo x > y"}'), "Done.")) as handler:
        run = FullDisk(asked(max_turns=turns))
        with pytest.raises(failure[0], match=failure[1]):
            await handler.run(run)
    assert "EXIT CODE: 0" in run.of("tool_end")[0].output


class SmallDisk(WrittenRun):
    """A task of which hardly anything can be kept."""

    async def keep(self, name: str, data: bytes) -> None:
        raise TooLargeError("The files of a task may have 5 bytes together.")


@pytest.mark.parametrize(
    ("kind", "command", "reason"),
    [(SmallDisk, "echo x > y", "5 bytes"), (WrittenRun, "head -c 80000000 /dev/zero > y", "67,108,864 bytes")],
)
async def test_a_workspace_that_is_too_large_to_be_kept_is_a_warning_and_no_failure(
    kind: type[WrittenRun], command: str, reason: str
) -> None:
    async with handling(Script(Uses("shell", json.dumps({"command": command})), "Done.")) as handler:
        run = kind(asked())
        await handler.run(run)
    assert run.files == {}
    assert [event.level for event in run.of("log") if reason in event.message] == ["warning"]


@pytest.mark.parametrize("model", ["gpt-4", "claude-sonnet-5-5 ", "", "../x"])
async def test_a_model_that_the_operator_does_not_list_is_refused(model: str) -> None:
    async with handling(Script()) as handler:
        with pytest.raises(InvalidFieldError, match="HOLDFAST_AGENT_MODELS allows scripted"):
            handler.check(asked(model=model))
        handler.check(asked(model="scripted"))
        handler.check(asked())


def test_the_models_of_the_runner_that_is_replaced_are_allowed_and_the_operator_may_list_others() -> None:
    seeds = {
        *("claude-sonnet-4-20250514", "claude-3-5-sonnet-20241022"),
        *("claude-3-5-haiku-20241022", "claude-3-opus-20240229"),
    }
    assert seeds < {*load_settings(environ={}).agent_models}
    assert load_settings(environ={"HOLDFAST_AGENT_MODELS": "one,two"}).agent_models == ("one", "two")


async def test_an_agent_gets_no_secrets_and_its_messages_are_text() -> None:
    async with handling(Script()) as handler:
        for fields, field in (
            ({"secrets": {"A": "x"}}, "secrets"),
            ({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]}, "messages"),
        ):
            with pytest.raises(RequestError) as refused:
                handler.check(asked(**fields))
            assert refused.value.field == field
        handler.check(asked(messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]))
