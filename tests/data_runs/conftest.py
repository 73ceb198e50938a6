"""The product on this host, with datasets; asked over HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import App
from holdfast.settings import load_settings
from tests.conftest import local_app
from tests.postgres import cluster


class Desk:
    """An application and an HTTP client of it."""

    def __init__(self, app: App, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http

    async def ask(self, dataset: str = "sales", **body: Any) -> Any:
        """The capsule of a data run."""
        answer = await self.http.post("/runs", json={"dataset_id": dataset, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, status: int, headers: Any = None, **body: Any) -> Any:
        """The problem that such a request is answered with."""
        answer = await self.http.post("/runs", json={"dataset_id": "sales", **body}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, content: str, dataset: str = "sales", headers: Any = None) -> None:
        """Let the dataset have one table, `sales`."""
        body = {"id": dataset, "files": {"sales.csv": content}}
        answer = await self.http.post("/datasets", json=body, headers=headers)
        assert answer.status_code == 201, answer.text


SALES = "id,city,amount\n1,Oslo,10.5\n2,Bergen,20\n3,Oslo,\n4,Tromsø,5.25\n"


@asynccontextmanager
async def opened(folder: Path, **overrides: Any) -> AsyncIterator[Desk]:
    usual = load_settings()
    here = {"state_dir": folder, "guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with (
        local_app(**{**here, "pool_size": 0, **overrides}) as app,
        app.store.open(),
        app.datasets.open(),
        app.data.open(),
        app.chat.open(),
    ):
        transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield Desk(app, http)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def desk(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """One for all tests of a module, with the dataset `sales`, over each kind of database."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(cluster()).database() if request.param == "postgresql" else "sqlite"
        made = await stack.enter_async_context(opened(tmp_path_factory.mktemp("state"), store=store))
        await made.put(SALES)
        yield made


@pytest.fixture
async def desk_with(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """One with other settings: `desk = await desk_with(max_data_rows=10)`."""
    async with AsyncExitStack() as stack:

        async def make(**overrides: Any) -> Desk:
            made = await stack.enter_async_context(opened(tmp_path, **overrides))
            await made.put(SALES)
            return made

        yield make
