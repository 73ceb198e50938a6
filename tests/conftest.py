"""Engines for the suites that run over all of them, and the promise that nothing of it all remains."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from holdfast.engines import Engine
from holdfast.errors import StartupError
from holdfast.testing.engines import open_engine
from tests.remains import Remains

EXPECTED = frozenset(filter(None, os.environ.get("HOLDFAST_EXPECT", "").split(",")))
ABSENT = (ImportError, StartupError)
LAST = "test_nothing_is_left_behind"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["unisolated", "local"])
async def engine(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Engine]:
    """Every engine in turn; one that is absent is skipped, unless `HOLDFAST_EXPECT` names it."""
    opening = open_engine(request.param)
    try:
        opened = await opening.__aenter__()
    except ABSENT as error:
        reason = f"the engine '{request.param}' is absent: {error}"
        if request.param in EXPECTED:
            pytest.fail(f"{reason} (and HOLDFAST_EXPECT names it)")
        pytest.skip(reason)
    try:
        yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)


@pytest.fixture(scope="session", autouse=True)
def remains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remains]:
    """What was there before the first test."""
    yield Remains.now(Path(tmp_path_factory.getbasetemp()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The look around comes when everything else is over and every engine is closed."""
    items.sort(key=lambda item: item.name == LAST)
