"""Data runs of servers with settings and keys of their own."""

from typing import Any

import pytest

from tests.data_runs.conftest import SALES

pytestmark = pytest.mark.anyio


async def test_python_can_be_switched_off(desk_with: Any) -> None:
    desk = await desk_with(enable_python_execution=False)
    problem = await desk.refused(422, python="1")
    assert (problem["code"], problem["field"]) == ("unsupported", "python")
    assert (await desk.ask(sql="SELECT 1"))["status"] == "succeeded"


async def test_data_runs_belong_to_the_key_that_made_them(desk_with: Any) -> None:
    desk = await desk_with()
    one, two = ({"X-API-Key": desk.app.keys.add(name)} for name in ("one", "two"))
    admin = {"X-API-Key": desk.app.keys.add("boss", "admin")}
    await desk.put(SALES, "mine", headers=one)
    body = {"dataset_id": "mine", "sql": "SELECT 1"}
    capsule = (await desk.http.post("/runs", json=body, headers=one)).json()
    assert capsule["key"] == "one"
    assert (await desk.refused(404, headers=two, dataset_id="mine", sql="SELECT 1"))["code"] == "not_found"
    at = f"/runs/{capsule['run_id']}"
    for method, path in (
        *(("GET", at), ("GET", f"{at}/status"), ("POST", f"{at}/cancel"), ("POST", f"{at}/replay")),
        *(("GET", f"{at}/export/{kind}") for kind in ("csv", "parquet", "json", "ipynb", "sql")),
        ("DELETE", at),
    ):
        answer = await desk.http.request(method, path, headers=two, json={} if method == "POST" else None)
        assert answer.status_code == 404, path
    assert (await desk.http.get("/runs", headers=two)).json()["runs"] == []
    assert (await desk.http.get(at, headers=admin)).json() == capsule
