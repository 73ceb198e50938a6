"""The whole product on each engine in turn; nothing but the setting is another."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import open_app
from holdfast.settings import load_settings
from tests.conftest import ABSENT, KIND, absent

ENGINES: Mapping[str, Mapping[str, str]] = {
    "local": {"engine": "local"},
    "docker": {"engine": "docker"},
    "docker+runsc": {"engine": "docker", "docker_runtime": "runsc"},
    "gvisor": {"engine": "gvisor"},
}


@asynccontextmanager
async def serving(name: str, folder: Path, **overrides: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server on this engine; skips where there is none, unless `HOLDFAST_EXPECT` names it."""
    usual = load_settings()
    here = {"state_dir": folder, "guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with AsyncExitStack() as stack:
        try:
            settings = load_settings({**here, "pool_size": 0, **ENGINES[name], **overrides})
            app = await stack.enter_async_context(open_app(settings))
        except ABSENT as error:
            absent(KIND[name], error)
        parts = (app.store, app.prebuilds, app.sessions, app.datasets, app.data, app.tasks, app.chat)
        for part in parts:
            await stack.enter_async_context(part.open())
        transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=120)
        )


@pytest.fixture(scope="module", params=[*ENGINES])
async def server(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """The name of an engine, and a client of a server on it."""
    async with serving(request.param, tmp_path_factory.mktemp("state")) as client:
        yield request.param, client
