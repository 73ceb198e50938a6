"""The product on this host, with datasets of its own, and a way to ask them inside a sandbox."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import App
from holdfast.engines import Command, Exited, Sandbox, SandboxSpec
from holdfast.languages import DATA_PROFILE
from holdfast.settings import load_settings
from holdfast.types import OPERATOR, Caller, DatasetWish, IngestReport
from tests.conftest import local_app

_ASK = """
import duckdb, json, sys
connection = duckdb.connect("/data/data.duckdb", read_only=True)
print(json.dumps(connection.execute(sys.stdin.read()).fetchall(), default=str))
"""


class Shelf:
    """An application, and short ways to make datasets and to ask them."""

    def __init__(self, app: App) -> None:
        self.app = app

    @property
    def directories(self) -> list[str]:
        """What is where datasets are kept, finished or not."""
        return sorted(path.name for path in (self.app.settings.state_dir / "datasets").glob("*"))

    async def add(self, files: Mapping[str, bytes], caller: Caller = OPERATOR, **wish: Any) -> IngestReport:
        async with self.app.datasets.receiving() as upload:
            for name, data in files.items():
                async with upload.file(name) as incoming:
                    await incoming.write(data)
            return await self.app.datasets.add(upload, DatasetWish.model_validate(wish), caller)

    def spec(self, digest: str) -> SandboxSpec:
        return SandboxSpec("python", self.app.executor.bounds.defaults, profile=DATA_PROFILE, data=digest)

    async def ask(self, digest: str, sql: str) -> list[list[Any]]:
        """The rows of a query, asked where programs ask."""
        async with self.app.executor.sandbox(self.spec(digest)) as sandbox:
            code, text = await said(sandbox, "python", "main.py", files={"main.py": _ASK.encode()}, stdin=sql.encode())
        assert code == 0, text
        rows: list[list[Any]] = json.loads(text)
        return rows

    async def shell(self, digest: str, script: str) -> tuple[int | None, str]:
        """A script in a sandbox that is shown this dataset."""
        async with self.app.executor.sandbox(self.spec(digest)) as sandbox:
            return await said(sandbox, "sh", "-c", script)

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(create_api(self.app), raise_app_exceptions=False)
        headers = {"X-API-Key": key} if key else {}
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers, timeout=60)


async def said(sandbox: Sandbox, *argv: str, **given: Any) -> tuple[int | None, str]:
    """Exit code and output of a command."""
    text = b""
    code = None
    async with sandbox.exec(Command(argv=argv, wall_seconds=30, **given)) as process:
        async for event in process:
            if isinstance(event, Exited):
                code = event.exit_code
            else:
                text += event.data
    return code, text.decode()


@asynccontextmanager
async def opened(folder: Path, **overrides: Any) -> AsyncIterator[Shelf]:
    usual = load_settings()
    here = {"state_dir": folder, "guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with local_app(**{**here, "pool_size": 0, **overrides}) as app, app.datasets.open():
        yield Shelf(app)


@pytest.fixture(scope="module")
async def shelf(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shelf]:
    """One for all tests of a module, which leave each other's datasets alone."""
    async with opened(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture
async def shelf_with(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """One of its own, with other settings: `shelf = await shelf_with(dataset_count=1)`."""
    async with AsyncExitStack() as stack:

        async def make(**overrides: Any) -> Shelf:
            return await stack.enter_async_context(opened(tmp_path, **overrides))

        yield make
