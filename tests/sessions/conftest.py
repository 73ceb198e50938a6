"""The real application on the local engine: sessions need a cell and the interpreter of the programs' environment."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from holdfast.app import App, open_app
from holdfast.settings import load_settings
from tests.conftest import ABSENT, absent

Json = dict[str, Any]


class Client:
    """One caller of the HTTP surface."""

    def __init__(self, app: App, key: str | None = None) -> None:
        self.app = app
        transport = httpx.ASGITransport(create_api(app), raise_app_exceptions=False)
        headers = {"X-API-Key": key} if key else {}
        self.http = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", headers=headers, timeout=60
        )

    async def new(self, **body: Any) -> str:
        """A session."""
        answer = await self.http.post("/sessions", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["session_id"])

    async def run(self, session: str, code: str, **body: Any) -> Json:
        """What a run answered."""
        answer = await self.http.post(f"/sessions/{session}/run", json={"code": code, **body})
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()
        return result

    async def value(self, session: str, code: str) -> str:
        """The text of the value of the last expression."""
        result = await self.run(session, code)
        assert result["status"] == "succeeded", result["stderr"]
        return str(result["displays"][-1]["data"]["text/plain"])

    async def refused(self, session: str, code: str = "1") -> tuple[int, str, str]:
        """Status, code and sentence of a run that is refused."""
        answer = await self.http.post(f"/sessions/{session}/run", json={"code": code})
        problem = answer.json()
        return answer.status_code, problem["code"], problem["detail"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Open an application: `client = await serving(max_sessions=1)`; each closes in turn at the end of the test."""
    async with AsyncExitStack() as stack:

        async def make(**overrides: Any) -> Client:
            usual = load_settings()
            chosen = {
                "state_dir": tmp_path,
                "pool_size": 0,
                "guest_env": usual.guest_environment,
                "languages_dir": usual.toolchains,
            }
            try:
                app = await stack.enter_async_context(open_app(load_settings({**chosen, **overrides})))
            except ABSENT as error:
                absent("local", error)
            await stack.enter_async_context(app.sessions.open())
            client = Client(app)
            stack.push_async_callback(client.http.aclose)
            return client

        yield make


@pytest.fixture
async def client(serving: Callable[..., Any]) -> Client:
    client: Client = await serving()
    return client
