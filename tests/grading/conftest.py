"""The real grader on the real engine: what is promised here is about isolation as much as about judging."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.app import App, open_app
from holdfast.settings import load_settings
from tests.conftest import ABSENT, absent


@pytest.fixture(scope="module")
async def app(anyio_backend: str) -> AsyncIterator[App]:
    opening = open_app(load_settings({"pool_size": 4}))
    try:
        opened = await opening.__aenter__()
    except ABSENT as error:
        absent("local", error)
    try:
        yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)
