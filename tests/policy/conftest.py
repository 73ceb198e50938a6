"""The policy as the product has it: its parser is in a cell of the local engine."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.data.policy import SqlPolicy
from holdfast.testing.engines import open_engine
from tests.conftest import ABSENT, absent


@pytest.fixture(scope="module")
async def policy(anyio_backend: str) -> AsyncIterator[SqlPolicy]:
    opening = open_engine("local")
    try:
        engine = await opening.__aenter__()
    except ABSENT as error:
        absent("local", error)
    try:
        async with SqlPolicy(engine).open() as opened:
            yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)
