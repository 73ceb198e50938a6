"""Sessions in prebuilt environments."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from holdfast.types import OPERATOR, Caller, PrebuildRequest
from tests.conftest import needs_language
from tests.prebuilds.wheels import wheel
from tests.sessions.conftest import Client

pytestmark = pytest.mark.anyio


async def build(client: Client, tag: str, script: str, caller: Caller = OPERATOR, **given: Any) -> None:
    await client.app.prebuilds.build(PrebuildRequest(tag=tag, setup_script=script, **given), caller)


@pytest.mark.parametrize("warm", [0, 4], ids=["cold", "warm"])
async def test_an_interpreter_finds_what_was_installed(serving: Callable[..., Any], warm: int) -> None:
    client = await serving(pool_size=warm)
    name, content = wheel("tinypkg", "1.0", "value = 42\n", command="tiny")
    await build(client, "tiny", "pip install --no-index --find-links /workspace tinypkg", files={name: content})
    for image in ("tiny", "prebuilt-tiny"):
        answer = await client.http.post("/sessions", json={"image": image})
        assert answer.status_code == 201, answer.text
        assert answer.json()["image"] == "prebuilt-tiny"
        session = answer.json()["session_id"]
        assert await client.value(session, "import tinypkg; kept = tinypkg.value; kept") == "42"
        assert await client.value(session, "kept + 1") == "43"
    plain = await client.new()
    assert (await client.run(plain, "import tinypkg"))["error"]["name"] == "ModuleNotFoundError"


async def test_a_session_reads_the_layer_and_cannot_change_it(client: Client) -> None:
    await build(client, "data", "echo treasure > file", base_image="bash")
    session = await client.new(image="data")
    result = await client.run(session, "cat /opt/holdfast/layer/file; echo x > /opt/holdfast/layer/file")
    assert result["stdout"] == "treasure\n"
    assert "Read-only file system" in result["stderr"]
    assert (await client.run(session, "cat /opt/holdfast/layer/file"))["stdout"] == "treasure\n"


async def test_code_of_a_session_is_compiled_with_the_layer(client: Client) -> None:
    needs_language(client.app.executor.runtimes, "rust")
    await build(client, "words", "echo '\"from the layer\"' > word.in", base_image="rust")
    session = await client.new(image="words")
    code = 'fn main() { println!("{}", include!("/opt/holdfast/layer/word.in")); }'
    assert (await client.run(session, code))["stdout"] == "from the layer\n"


async def test_the_files_of_a_layer_stay_as_long_as_a_session_uses_them(client: Client) -> None:
    layers = client.app.settings.state_dir / "prebuilds" / "layers"
    async with client.app.prebuilds.open():
        await build(client, "data", "echo treasure > file", base_image="bash")
        session = await client.new(image="data")
        assert (await client.http.delete("/prebuilds/data")).status_code == 200
        await anyio.sleep(0.3)
        assert (await client.run(session, "cat /opt/holdfast/layer/file"))["stdout"] == "treasure\n"
        assert (await client.http.post("/sessions", json={"image": "data"})).status_code == 404
        await client.http.delete(f"/sessions/{session}")
        with anyio.fail_after(15):
            while list(layers.glob("*")):  # noqa: ASYNC110  # it is told to nobody
                await anyio.sleep(0.05)


async def test_an_environment_of_another_key_does_not_exist_for_a_session(serving: Callable[..., Any]) -> None:
    client = await serving()
    own, other = (client.app.keys.add(name, "run") for name in ("own", "other"))
    owner = next(key.sha256 for key in client.app.keys.all() if key.name == "own")
    await build(client, "data", "echo treasure > file", Caller(owner=owner, sees_all=True), base_image="bash")
    statuses = [
        (await client.http.post("/sessions", json={"image": "data"}, headers={"X-API-Key": key})).status_code
        for key in (own, other)
    ]
    assert statuses == [201, 404]


async def test_a_session_can_bring_what_its_environment_is_made_of(client: Client) -> None:
    spec = {"base_image": "bash", "setup_script": "head -c 8 /dev/urandom | base64 > stamp"}
    unnamed = [await client.new(prebuild_spec=spec) for _ in range(2)]
    named = await client.new(image="prebuilt-by-name", prebuild_spec=spec)
    first, again, other = [
        (await client.run(session, "cat /opt/holdfast/layer/stamp"))["stdout"] for session in (*unnamed, named)
    ]
    assert first == again != other
    images = [(await client.http.get(f"/sessions/{session}")).json()["image"] for session in (*unnamed, named)]
    assert images[0] == images[1] == "prebuilt-spec-" + images[0].rpartition("-")[2]
    assert images[2] == "prebuilt-by-name"
    known = [each["tag"] for each in (await client.http.get("/prebuilds")).json()["prebuilds"]]
    assert known == sorted({*images})
    run = {"code": "cat /opt/holdfast/layer/stamp", "prebuild_spec": spec}
    assert (await client.http.post("/run", json=run)).json()["stdout"] == first, "it is that of a run, too"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"image": "python", "prebuild_spec": {"base_image": "bash", "setup_script": "true"}}, 422, "image"),
        ({"prebuild_spec": {"base_image": "cobol", "setup_script": "true"}}, 404, "base_image"),
        ({"prebuild_spec": {"setup_script": "exit 3"}}, 400, None),
        ({"prebuild_spec": {}}, 422, "prebuild_spec.setup_script"),
        ({"prebuild_spec": {"setup_script": "true", "tag": "x"}}, 422, "prebuild_spec.tag"),
        ({"image": "No Tag", "prebuild_spec": {"setup_script": "true"}}, 422, "tag"),
    ],
)
async def test_an_environment_that_cannot_be_made_makes_no_session(
    client: Client, body: dict[str, Any], status: int, field: str | None
) -> None:
    answer = await client.http.post("/sessions", json=body)
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    run = await client.http.post("/run", json={**body, "code": "1"})
    assert (run.status_code, run.json().get("field")) == (status, field), "as it is for a run"
    assert (await client.http.get("/sessions")).json()["sessions"] == []


async def test_to_bring_an_environment_that_is_not_there_needs_the_scope_admin(serving: Callable[..., Any]) -> None:
    client = await serving()
    admin, user = (client.app.keys.add(scope, scope) for scope in ("admin", "run"))
    body = {"prebuild_spec": {"base_image": "bash", "setup_script": "true"}}
    statuses = [
        (await client.http.post("/sessions", json=body, headers={"X-API-Key": key})).status_code
        for key in (user, admin, user)
    ]
    assert statuses == [403, 201, 403]
    shared = {"tag": "for-all", "shared": True, **body["prebuild_spec"]}
    await client.http.post("/prebuild", json=shared, headers={"X-API-Key": admin})
    named = await client.http.post("/sessions", json={**body, "image": "for-all"}, headers={"X-API-Key": user})
    assert named.status_code == 201, "what is there and shared is used, not made"
