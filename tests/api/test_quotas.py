"""What one key may ask for, and the limits an operator sets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from holdfast.settings import load_settings
from tests.api.conftest import client_of, opened
from tests.conftest import local_app

pytestmark = pytest.mark.anyio


async def test_a_key_above_its_rate_gets_429_with_retry_after_and_a_sentence(serving: Any) -> None:
    client, app = await serving(key_rate="3/hour")
    one, two = ({"X-API-Key": app.keys.add(name)} for name in ("one", "two"))
    statuses = [(await client.get("/runtimes", headers=one)).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = await client.post("/run", json={"code": "1"}, headers=one)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert "3 per 1 hour" in refused.json()["detail"]
    assert (await client.get("/runtimes", headers=two)).status_code == 200


async def test_a_key_may_have_only_so_many_requests_in_progress(serving: Any) -> None:
    client, app = await serving(key_concurrency=1)
    one, two = ({"X-API-Key": app.keys.add(name)} for name in ("one", "two"))
    async with anyio.create_task_group() as group:
        group.start_soon(sleeping, client, one)
        while app.executor.admission.running == 0:  # noqa: ASYNC110 - the server has no event for it
            await anyio.sleep(0.01)
        refused = await client.post("/run", json={"code": "1"}, headers=one)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "1"
        assert (await client.post("/run", json={"code": "1"}, headers=two)).status_code == 200
        group.cancel_scope.cancel()
    assert (await client.post("/run", json={"code": "1"}, headers=one)).status_code == 200


async def test_bodies_in_memory_are_bounded_for_each_key_and_for_all(serving: Any) -> None:
    client, app = await serving(max_body_bytes="1m", key_body_memory="2m", body_memory="3m")
    keys = [{"X-API-Key": app.keys.add(name)} for name in ("one", "two", "three")]
    let_go = anyio.Event()

    async def body(size: int) -> AsyncIterator[bytes]:
        """It never ends by itself: what is counted is what has come, not what was announced."""
        yield b" " * size
        await let_go.wait()

    async def post(size: int, headers: dict[str, str]) -> tuple[int, str, str | None]:
        sent = {**headers, "Content-Type": "application/json"}
        answer = await client.post("/run", content=body(size), headers=sent)
        return answer.status_code, answer.json()["code"], answer.headers.get("retry-after")

    async with anyio.create_task_group() as group:
        for headers in (keys[0], keys[0], keys[1]):
            group.start_soon(post, 900_000, headers)
        await anyio.wait_all_tasks_blocked()
        assert await post(300_000, keys[0]) == (429, "rate_limited", "1")
        assert await post(900_000, keys[2]) == (429, "queue_full", "1")
        let_go.set()
    assert (await post(900_000, keys[0]))[0] == 400
    assert (await client.post("/run", json={"code": "1"}, headers=keys[2])).status_code == 200


async def sleeping(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await client.post("/run", json={"code": "import time; time.sleep(60)"}, headers=headers)


async def test_admin_keys_the_local_user_and_open_paths_have_no_such_limit(serving: Any) -> None:
    client, app = await serving(key_rate="1/hour", key_concurrency=1)
    assert {(await client.get("/runtimes")).status_code for _ in range(3)} == {200}
    admin = {"X-API-Key": app.keys.add("boss", "admin")}
    assert {(await client.get("/runtimes", headers=admin)).status_code for _ in range(3)} == {200}
    assert {(await client.get("/health")).status_code for _ in range(3)} == {200}


async def test_limits_of_keys_can_be_switched_off(serving: Any) -> None:
    client, app = await serving(key_rate="off", key_concurrency=0)
    key = {"X-API-Key": app.keys.add("one")}
    assert {(await client.get("/runtimes", headers=key)).status_code for _ in range(50)} == {200}


@pytest.mark.parametrize(
    ("variable", "value", "over", "under"),
    [
        ("MAX_TIMEOUT", "40", {"timeout": 41}, {"timeout": 39}),
        ("MAX_MEMORY_MB", "600", {"mem_limit": "601m"}, {"mem_limit": "600m"}),
        ("MAX_CPU_CORES", "2", {"cpus": 2.5}, {"cpus": 1}),
        ("MAX_DISK_MB", "600", {"disk_limit": "601m", "mem_limit": "1g"}, {"disk_limit": "512m", "mem_limit": "512m"}),
    ],
)
async def test_the_maxima_under_their_earlier_names_are_enforced(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, over: dict[str, Any], under: dict[str, Any]
) -> None:
    monkeypatch.setenv(variable, value)
    async with local_app(pool_size=0) as app, client_of(app) as client:
        refused = await client.post("/run", json={"code": "1", **over})
        assert (refused.status_code, refused.json()["code"]) == (422, "over_ceiling")
        assert refused.json()["field"] == next(iter(over))
        assert (await client.post("/run", json={"code": "1", **under})).json()["status"] == "succeeded"


async def test_the_defaults_under_their_earlier_names_are_what_a_silent_run_gets(tmp_path: Path) -> None:
    variables = {
        "DEFAULT_TIMEOUT": "7",
        "DEFAULT_MEMORY": "128m",
        "DEFAULT_CPU_SHARES": "256",
        "DEFAULT_DISK": "64m",
        "CODE_RUNNER_API_KEYS": "first, second",
        "AUTH_TOKEN": "third",
    }
    settings = load_settings({"state_dir": tmp_path}, environ=variables, directory=tmp_path)
    async with opened(settings) as app, client_of(app) as client:
        limits = (await client.post("/run", json={"code": "1"}, headers={"X-API-Key": "second"})).json()["limits"]
        assert (limits["wall_seconds"], limits["memory_bytes"]) == (7, 128 << 20)
        assert (limits["cpu_shares"], limits["disk_bytes"]) == (256, 64 << 20)
        bearer = {"Authorization": "Bearer third"}
        assert (await client.get("/runs", headers=bearer)).json()["runs"][0]["key"] == "settings-2"
