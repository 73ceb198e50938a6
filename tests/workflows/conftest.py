"""A server without its HTTP, whose executor the tests give to workplaces and workflows."""

from collections.abc import AsyncIterator

import pytest

from holdfast.execution import Executor
from tests.conftest import local_app


@pytest.fixture(scope="module")
async def executor(anyio_backend: str) -> AsyncIterator[Executor]:
    async with local_app(pool_size=0) as app:
        yield app.executor
