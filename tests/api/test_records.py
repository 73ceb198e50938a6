"""`/runs`: every run leaves a row, and a row says nothing of what was run."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from holdfast.app import App
from holdfast.errors import EngineError

pytestmark = pytest.mark.anyio

SECRET = "a8f1-only-in-the-program"


async def test_every_run_leaves_a_row_of_its_kind(client: httpx.AsyncClient) -> None:
    ran = (await client.post("/run", json={"code": "print(1)"})).json()
    async with client.stream("POST", "/run/stream", json={"code": "exit(3)"}) as stream:
        await stream.aread()
    tests = [{"type": "output", "expected": "1"}]
    graded = (await client.post("/run", json={"code": "print(1)", "tests": tests})).json()
    await client.post("/pyquest/run", json={"code": "print(1)"})
    rows = (await client.get("/runs")).json()["runs"]
    assert [row["kind"] for row in rows] == ["grade", "grade", "run", "run"]
    assert [row["status"] for row in rows] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert rows[1]["run_id"] == graded["run_id"]
    assert (rows[3]["run_id"], rows[3]["image"], rows[3]["key"]) == (ran["run_id"], "python", None)
    assert (rows[3]["usage"], rows[3]["isolation"]) == (ran["usage"], ran["isolation"])
    assert rows[3]["created_at"] <= rows[3]["ended_at"]
    grades = (await client.get("/runs", params={"kind": "grade", "limit": 1})).json()
    assert [row["kind"] for row in grades["runs"]] == ["grade"]
    assert grades["next"] == rows[0]["run_id"]
    assert (await client.get(f"/runs/{ran['run_id']}")).json() == rows[3]


async def test_a_row_holds_nothing_of_what_was_run(client: httpx.AsyncClient, app: App, tmp_path: Path) -> None:
    body = {"code": f"print('{SECRET}')", "stdin": SECRET, "environment": {"A": SECRET}, "files": {SECRET: SECRET}}
    assert SECRET in (await client.post("/run", json=body)).json()["stdout"]
    await app.store.flush()
    written = [file.read_bytes() for file in files_of(tmp_path)]
    assert b"succeeded" in b"".join(written)
    assert SECRET.encode() not in b"".join(written)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("holdfast.db*"))


async def test_a_refused_request_leaves_no_row(client: httpx.AsyncClient) -> None:
    assert (await client.post("/run", json={"code": "1", "timeout": 10_000})).status_code == 422
    assert (await client.get("/runs")).json() == {"runs": [], "next": None}


async def test_our_own_failure_is_a_row_with_its_code(client: httpx.AsyncClient, app: App) -> None:
    async def fail(_spec: object) -> None:
        raise EngineError("The launcher is gone.")

    app.executor.engine.create = fail  # type: ignore[assignment,method-assign]
    assert (await client.post("/run", json={"code": "1"})).status_code == 503
    row = (await client.get("/runs")).json()["runs"][0]
    assert (row["status"], row["code"], row["usage"]) == ("failed", "engine_error", None)


async def test_a_run_whose_client_left_is_a_cancelled_row(client: httpx.AsyncClient, app: App) -> None:
    with anyio.move_on_after(0.5):
        await client.post("/run", json={"code": "import time; time.sleep(60)"})
    row = (await client.get("/runs")).json()["runs"][0]
    assert (row["status"], row["exit_code"], row["code"]) == ("cancelled", None, None)
    assert row["isolation"] is not None


async def test_runs_belong_to_the_key_that_made_them(serving: Any) -> None:
    client, app = await serving()
    one, two, admin = ({"X-API-Key": app.keys.add(name)} for name in ("one", "two", "three"))
    admin = {"X-API-Key": app.keys.add("boss", "admin")}
    run_id = (await client.post("/run", json={"code": "1"}, headers=one)).json()["run_id"]
    assert (await client.get("/runs", headers=one)).json()["runs"][0]["key"] == "one"
    assert (await client.get("/runs", headers=admin)).json()["runs"][0]["key"] == "one"
    assert (await client.get("/runs", headers=two)).json()["runs"] == []
    for method, path in (("GET", f"/runs/{run_id}"), ("DELETE", f"/runs/{run_id}"), ("GET", f"/runs?before={run_id}")):
        assert (await client.request(method, path, headers=two)).status_code == 404
    assert (await client.delete(f"/runs/{run_id}", headers=one)).status_code == 204
    assert (await client.get(f"/runs/{run_id}", headers=admin)).status_code == 404


@pytest.mark.parametrize("query", ["kind=other", "limit=0", "limit=1001", "limit=x", "colour=red"])
async def test_a_query_that_makes_no_sense_is_422_naming_the_field(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/runs?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])
