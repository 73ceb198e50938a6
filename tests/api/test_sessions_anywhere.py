"""Sessions on an engine whose programs have no IPython."""

import importlib.util

import httpx
import pytest

from tests.conftest import lacks

pytestmark = pytest.mark.anyio


async def test_an_interpreter_that_is_missing_is_503_with_the_command_that_mends_it(client: httpx.AsyncClient) -> None:
    if importlib.util.find_spec("IPython"):
        lacks("local", "IPython is installed beside the server, so nothing is missing")
    answer = await client.post("/sessions", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "runtime_not_available")
    assert "holdfast setup" in answer.json()["detail"]
    assert (await client.get("/sessions")).json() == {"sessions": []}


async def test_a_language_that_is_missing_is_503(client: httpx.AsyncClient) -> None:
    answer = await client.post("/sessions", json={"image": "node"})
    assert (answer.status_code, answer.json()["code"]) == (503, "runtime_not_available")


async def test_other_languages_need_no_interpreter(client: httpx.AsyncClient) -> None:
    session = (await client.post("/sessions", json={"image": "bash"})).json()["session_id"]
    answer = await client.post(f"/sessions/{session}/run", json={"code": "echo $((6 * 7))"})
    assert answer.json()["stdout"] == "42\n"


@pytest.mark.parametrize("field", ["mem_limit", "disk_limit"])
async def test_a_size_that_is_none_is_422_naming_the_field(client: httpx.AsyncClient, field: str) -> None:
    answer = await client.post("/sessions", json={"image": "bash", field: "ウ"})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_run_in_a_session_leaves_a_row_of_its_own_kind(client: httpx.AsyncClient) -> None:
    session = (await client.post("/sessions", json={"image": "bash"})).json()["session_id"]
    ran = (await client.post(f"/sessions/{session}/run", json={"code": "exit 3"})).json()
    row = (await client.get("/runs")).json()["runs"][0]
    assert (row["run_id"], row["kind"], row["image"]) == (ran["run_id"], "session", "bash")
    assert (row["status"], row["exit_code"]) == ("failed", 3)
