"""An agent in a real sandbox, whose files cannot be kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic_ai.models import Model

from holdfast.agents.handler import AgentHandler, AgentRules
from holdfast.agents.model import ModelChoice
from holdfast.errors import StorageFullError
from holdfast.tasks import TaskFailedError
from holdfast.testing.agents import WrittenRun
from tests.agents.scripted import Script, Uses, asked
from tests.conftest import local_app

pytestmark = pytest.mark.anyio


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
    @asynccontextmanager
    async def scripted(choice: ModelChoice) -> AsyncIterator[Model]:
        yield Script(Uses("shell", '{"command": "echo x > y"}'), "Done.").model()

    async with local_app(pool_size=0) as app:
        rules = AgentRules(["scripted"], "scripted")
        handler = AgentHandler(app.executor, rules, lambda name: ModelChoice("openai", name, "X"), scripted)
        run = FullDisk(asked(max_turns=turns))
        with pytest.raises(failure[0], match=failure[1]):
            await handler.run(run)
    assert "EXIT CODE: 0" in run.of("tool_end")[0].output
