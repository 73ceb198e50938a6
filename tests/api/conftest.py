"""The real application around the shipped engine without isolation: these tests are about the HTTP surface."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import App, assemble
from holdfast.settings import Settings, load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.tasks import small_handlers
from holdfast.testing.unisolated import UnisolatedEngine

RUNTIMES = {"python": "3.11", "bash": "5.2", "node": None}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    def make(**overrides: Any) -> Settings:
        return load_settings({"state_dir": tmp_path, "log_level": "error", **overrides}, environ={}, directory=tmp_path)

    return make


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[App]:
    async with aclosing(UnisolatedEngine()) as engine:
        app = assemble(settings, engine, RUNTIMES, Metrics(), small_handlers)
        async with app.store.open(), app.sessions.open(), app.tasks.open():
            yield app


def client_of(app: App, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", **options)


@pytest.fixture
async def app(settings_of: Callable[..., Settings]) -> AsyncIterator[App]:
    async with opened(settings_of()) as app:
        yield app


@pytest.fixture
async def client(app: App) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def serving(settings_of: Callable[..., Settings]) -> AsyncIterator[Callable[..., Any]]:
    """Make a client of an application with other settings: `client, app = await serving(queue=0)`."""
    async with AsyncExitStack() as stack:

        async def make(**overrides: Any) -> tuple[httpx.AsyncClient, App]:
            app = await stack.enter_async_context(opened(settings_of(**overrides)))
            return await stack.enter_async_context(client_of(app)), app

        yield make
