"""Servers that an agent and its task speak to."""

from collections.abc import Iterator

import pytest

from tests.agents.speaking import TURNS, Model, as_anthropic, as_openai
from tests.tasks.conftest import Receiver


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model(TURNS, as_openai, "/v1/chat/completions")
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def claude() -> Iterator[Model]:
    made = Model(TURNS, as_anthropic, "/v1/messages")
    yield made
    made.close()
