"""Sessions on an engine whose programs have no IPython."""

import importlib.util

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_an_interpreter_that_is_missing_is_503_with_the_command_that_mends_it(client: httpx.AsyncClient) -> None:
    if importlib.util.find_spec("IPython"):
        pytest.skip("IPython is installed beside the server")
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
