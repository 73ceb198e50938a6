"""The routes of prebuilt environments: whom they belong to, what they answer, and how they refuse."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from holdfast.api import create_api
from tests.prebuilds.conftest import Workshop

pytestmark = pytest.mark.anyio

NODE = {"tag": "my-tools", "base_image": "bash", "setup_script": "echo treasure > file"}


@pytest.fixture
async def client(workshop: Workshop) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_api(workshop.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
        yield client


@pytest.fixture
async def client_of(workshop: Workshop) -> AsyncIterator[Callable[..., Any]]:
    """A client with a key of its own: `await client_of("alice", "run")`."""
    async with AsyncExitStack() as stack:

        async def make(name: str, scope: Any) -> httpx.AsyncClient:
            headers = {"X-API-Key": workshop.app.keys.add(name, scope)}
            transport = httpx.ASGITransport(create_api(workshop.app), raise_app_exceptions=False)
            client = httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8000", headers=headers, timeout=60
            )
            return await stack.enter_async_context(client)

        yield make


async def test_the_life_of_a_prebuilt_environment(client: httpx.AsyncClient) -> None:
    made = (await client.post("/prebuild", json=NODE)).json()
    expected = {"tag": "prebuilt-my-tools", "base_image": "bash", "status": "ready"}
    assert expected.items() <= made.items()
    assert made["size_bytes"] == made["layer_size_bytes"] > 0
    assert (await client.get("/prebuilds")).json()["prebuilds"] == [made]
    for tag in ("my-tools", "prebuilt-my-tools"):
        assert (await client.get(f"/prebuilds/{tag}")).json() == made
        answer = await client.post("/run", json={"code": "cat /opt/holdfast/layer/file", "image": tag})
        assert answer.json()["stdout"] == "treasure\n"
    deleted = await client.delete("/prebuilds/my-tools")
    assert deleted.json() == {"status": "deleted", "tag": "prebuilt-my-tools"}
    assert (await client.get("/prebuilds/my-tools")).status_code == 404
    assert (await client.delete("/prebuilds/my-tools")).status_code == 404
    assert (await client.post("/run", json={"code": "1", "image": "my-tools"})).status_code == 404


async def test_a_failed_build_is_400_as_in_the_seed_with_the_log_beside_the_sentence(client: httpx.AsyncClient) -> None:
    answer = await client.post("/prebuild", json={**NODE, "setup_script": "echo doing; exit 3"})
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["detail"].startswith("Build failed: the setup script ended with exit code 3")
    assert (problem["code"], problem["log"]) == ("build_failed", "doing\n")


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"tag": "Bad Tag"}, 422, "tag"),
        ({"tag": "python"}, 422, "tag"),
        ({"tag": 5}, 422, "tag"),
        ({"base_image": "cobol"}, 404, "base_image"),
        ({"setup_script": "x" * 65_537}, 413, "setup_script"),
        ({"setup_script": None}, 422, "setup_script"),
        ({"allow_network": True}, 422, "allow_network"),
        ({"surprise": 1}, 422, "surprise"),
        ({"files": {"/etc/x": "y"}}, 400, "files"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_field_and_reason(
    client: httpx.AsyncClient, given: dict[str, Any], status: int, field: str
) -> None:
    answer = await client.post("/prebuild", json={**NODE, **given})
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert answer.json()["detail"].endswith(".")


async def test_the_log_is_a_stream_of_events(client: httpx.AsyncClient) -> None:
    answer = await client.post("/prebuild/stream", json={**NODE, "setup_script": "echo one; echo two >&2"})
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert events[0] == "started" and events[-1] == "built" and "output" in events
    failed = await client.post("/prebuild/stream", json={**NODE, "setup_script": "echo one; false"})
    last = failed.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert json.loads(last.partition("data: ")[2])["code"] == "build_failed"


async def test_cleaning_up_takes_an_age_and_needs_no_body(client: httpx.AsyncClient) -> None:
    await client.post("/prebuild", json=NODE)
    assert (await client.post("/prebuilds/cleanup")).json() == {"removed": [], "count": 0}
    for bad in ("-1", "soon", "nan", "1e99"):
        answer = await client.post("/prebuilds/cleanup", params={"max_age_days": bad})
        assert (answer.status_code, answer.json()["field"]) == (422, "max_age_days")
    form = await client.post("/prebuilds/cleanup?max_age_days=0", data={"a": "b"})
    assert form.status_code == 415
    answer = await client.post("/prebuilds/cleanup?max_age_days=0", json={})
    assert answer.json() == {"removed": ["prebuilt-my-tools"], "count": 1}


async def test_a_run_can_bring_what_its_environment_is_made_of(client: httpx.AsyncClient) -> None:
    spec = {"base_image": "bash", "setup_script": "echo brought > file"}
    body = {"code": "cat /opt/holdfast/layer/file", "image": "brought-along", "prebuild_spec": spec}
    assert (await client.post("/run", json=body)).json()["stdout"] == "brought\n"
    streamed = await client.post("/run/stream", json=body)
    assert "brought" in streamed.text
    assert [each["tag"] for each in (await client.get("/prebuilds")).json()["prebuilds"]] == ["prebuilt-brought-along"]


async def test_a_submission_is_graded_in_a_prebuilt_environment(client: httpx.AsyncClient) -> None:
    spec = {"setup_script": "echo 'value = 42' > $(echo lib/python3*)/site-packages/tinymod.py"}
    tests = [{"type": "variable_value", "variable": "x", "expected": 42}]
    body = {"code": "import tinymod\nx = tinymod.value", "prebuild_spec": spec, "tests": tests}
    answer = (await client.post("/run", json=body)).json()
    assert answer["allPassed"] is True, answer


async def test_building_and_removing_need_the_scope_admin(client_of: Callable[..., Any]) -> None:
    admin, user = await client_of("admin", "admin"), await client_of("user", "run")
    shared = await admin.post("/prebuild", json={**NODE, "tag": "shared", "shared": True})
    assert shared.status_code == 200
    for refused in (
        await user.post("/prebuild", json=NODE),
        await user.post("/prebuild/stream", json=NODE),
        await user.post("/prebuilds/cleanup?max_age_days=0"),
        await user.delete("/prebuilds/shared"),
        await user.post("/run", json={"code": "1", "image": "new-one", "prebuild_spec": {"setup_script": "true"}}),
    ):
        assert refused.status_code == 403, refused.text
        assert "admin" in refused.json()["detail"]


async def test_one_belongs_to_the_key_that_made_it_unless_it_is_shared(client_of: Callable[..., Any]) -> None:
    admin, other, user = [await client_of(*who) for who in (("a", "admin"), ("b", "admin"), ("c", "run"))]
    await admin.post("/prebuild", json={**NODE, "tag": "private"})
    await admin.post("/prebuild", json={**NODE, "tag": "shared", "shared": True})
    tags = [each["tag"] for each in (await user.get("/prebuilds")).json()["prebuilds"]]
    assert tags == ["prebuilt-shared"]
    run = {"code": "cat /opt/holdfast/layer/file"}
    spec = {"base_image": "bash", "setup_script": "true"}
    for hidden in (
        await user.get("/prebuilds/private"),
        await user.delete("/prebuilds/private"),
        await user.post("/run", json={**run, "image": "private"}),
        await user.post("/run/stream", json={**run, "image": "prebuilt-private"}),
    ):
        assert hidden.status_code == 404, hidden.text
    assert (await user.post("/run", json={**run, "image": "private", "prebuild_spec": spec})).status_code == 403
    assert (await user.post("/run", json={**run, "image": "shared"})).json()["stdout"] == "treasure\n"
    assert (await other.get("/prebuilds/private")).status_code == 200
    assert (await other.delete("/prebuilds/private")).status_code == 200
