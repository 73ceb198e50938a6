"""The real grader on the real engine: what is promised here is about isolation as much as about judging."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.app import App, open_app
from holdfast.settings import load_settings
from tests.conftest import ABSENT, absent


@pytest.fixture(scope="module")
async def app(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    usual = load_settings()
    places = {"guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    opening = open_app(load_settings({"pool_size": 4, "state_dir": tmp_path_factory.mktemp("state"), **places}))
    try:
        opened = await opening.__aenter__()
    except ABSENT as error:
        absent("local", error)
    try:
        yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)
