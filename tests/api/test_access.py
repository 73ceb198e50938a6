"""Who may call: keys, hosts, origins, and what a browser is made to do."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from holdfast.api import create_api, described
from holdfast.app import App
from holdfast.keys import KeyStore

pytestmark = pytest.mark.anyio

OPEN = ("/", "/health", "/healthz", "/pyquest/health")
LOCKED = ("/runtimes", "/images", "/metrics", "/docs", "/openapi.json")


async def test_without_any_key_a_loopback_server_is_open(client: httpx.AsyncClient) -> None:
    assert (await client.post("/run", json={"code": "pass"})).status_code == 200


async def test_once_a_key_exists_every_route_but_the_health_ones_needs_it(serving: Any) -> None:
    client, app = await serving()
    for path in (*OPEN, *LOCKED):
        assert (await client.get(path)).status_code == 200
    secret = app.keys.add("first")
    for path in OPEN:
        assert (await client.get(path)).status_code == 200
    for path in LOCKED:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"X-API-Key": "wrong"})).status_code == 403
        assert (await client.get(path, headers={"X-API-Key": secret})).status_code == 200
        assert (await client.get(path, headers={"Authorization": f"Bearer {secret}"})).status_code == 200
    assert (await client.get("/health")).json()["auth_enabled"] is True


async def test_no_route_of_the_description_answers_without_a_key(serving: Any) -> None:
    client, app = await serving()
    app.keys.add("first")
    for path, methods in described()["paths"].items():
        for method in methods:
            body = {"code": "pass"} if method == "post" else None
            answer = await client.request(method, path, json=body)
            assert answer.status_code == (200 if path in OPEN else 401), path
            answer = await client.request(method, path, json=body, headers={"X-API-Key": "wrong"})
            assert answer.status_code == (200 if path in OPEN else 403), path


async def test_a_missing_key_is_401_with_a_challenge_and_a_wrong_one_403(serving: Any) -> None:
    client, _ = await serving(auth_token="secret")
    missing = await client.post("/run", json={"code": "pass"})
    assert (missing.status_code, missing.json()["code"]) == (401, "unauthenticated")
    assert missing.headers["www-authenticate"] == "Bearer"
    for name, value in (("X-API-Key", "secre"), ("Authorization", "Bearer secre")):
        wrong = await client.post("/run", json={"code": "pass"}, headers={name: value})
        assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (403, "forbidden", name)
        assert "the operator makes one with: holdfast keys add NAME" in wrong.json()["detail"]


async def test_keys_of_the_settings_work_too(serving: Any) -> None:
    client, _ = await serving(auth_token="token", api_keys="one, two")
    for headers in ({"X-API-Key": "one"}, {"X-API-Key": "two"}, {"Authorization": "Bearer token"}):
        assert (await client.post("/run", json={"code": "pass"}, headers=headers)).status_code == 200
    both = {"X-API-Key": "wrong", "Authorization": "bearer token"}
    assert (await client.post("/run", json={"code": "pass"}, headers=both)).status_code == 200


async def test_a_key_that_is_not_ascii_is_wrong_and_not_our_failure(serving: Any) -> None:
    client, _ = await serving(auth_token="schlüssel")
    for raw in (b"\xff\xfe", "schlüsse".encode(), b"\xc3"):
        answer = await client.post("/run", json={"code": "pass"}, headers={b"X-API-Key": raw})
        assert answer.status_code == 403
    right = await client.post("/run", json={"code": "pass"}, headers={b"X-API-Key": "schlüssel".encode()})
    assert right.status_code == 200


async def test_keys_made_and_revoked_by_another_process_count_at_once(serving: Any, tmp_path: Path) -> None:
    client, _ = await serving(auth_token="mine")
    elsewhere = KeyStore(tmp_path / "keys.json")
    secret = elsewhere.add("other")
    assert (await client.get("/runtimes", headers={"X-API-Key": secret})).status_code == 200
    elsewhere.revoke("other")
    assert (await client.get("/runtimes", headers={"X-API-Key": secret})).status_code == 403


async def test_a_damaged_key_file_locks_the_server_and_tells_nothing(serving: Any, tmp_path: Path) -> None:
    client, _ = await serving()
    (tmp_path / "keys.json").write_text("{")
    answer = await client.post("/run", json={"code": "pass"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "keys.json" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "169.254.169.254", ""])
async def test_dns_rebinding_is_refused(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.post("/run", json={"code": "pass"}, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
async def test_loopback_hosts_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/runtimes", headers={"Host": host})).status_code == 200


async def test_a_configured_host_is_answered(serving: Any) -> None:
    client, _ = await serving(allowed_hosts="run.example.org")
    assert (await client.get("/runtimes", headers={"Host": "run.example.org:443"})).status_code == 200
    assert (await client.get("/runtimes", headers={"Host": "other.example.org"})).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost.evil"])
async def test_csrf_from_a_foreign_page_is_refused(client: httpx.AsyncClient, origin: str, app: App) -> None:
    for path in ("/run", "/run/stream"):
        answer = await client.post(path, json={"code": "pass"}, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "holdfast_runs_total{" not in app.metrics.exposition().decode(), "nothing was run"


async def test_csrf_by_a_plain_form_is_refused_even_without_an_origin(client: httpx.AsyncClient) -> None:
    form = b'{"code": "print(1)", "x": "="}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert (await client.post("/run", content=form, headers={"Content-Type": kind})).status_code == 415


async def test_the_servers_own_page_may_call_it(client: httpx.AsyncClient) -> None:
    headers = {"Origin": "http://127.0.0.1:8000"}
    assert (await client.post("/run", json={"code": "pass"}, headers=headers)).status_code == 200


async def test_no_origin_is_let_in_by_default_and_a_configured_one_is(serving: Any, tmp_path: Path) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    client, _ = await serving()
    assert "access-control-allow-origin" not in (await client.options("/run", headers=preflight)).headers
    client, _ = await serving(cors_origins="https://app.example", auth_token="k", state_dir=tmp_path / "other")
    allowed = await client.options("/run", headers=preflight)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    headers = {"Origin": "https://app.example", "X-API-Key": "k"}
    assert (await client.post("/run", json={"code": "pass"}, headers=headers)).status_code == 200


async def test_a_keyless_server_that_something_else_bound_to_the_network_refuses(app: App) -> None:
    """`uvicorn --host 0.0.0.0 holdfast.asgi:app` chooses the address, so the application looks at it itself."""
    for server, status in ((("192.0.2.1", 8000), 403), (("127.0.0.1", 8000), 200), (("/run/holdfast.sock", None), 200)):
        assert await status_of(app, server) == status
    app.keys.add("first")
    assert await status_of(app, ("192.0.2.1", 8000)) == 401


async def status_of(app: App, server: tuple[str, int | None]) -> int:
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/runtimes",
        "raw_path": b"/runtimes",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": server,
        "http_version": "1.1",
        "scheme": "http",
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await create_api(app)(scope, receive, send)
    return int(sent[0]["status"])
