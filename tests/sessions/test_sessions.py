"""Making, owning and filling sessions, in whatever language."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from holdfast.types import Caller, SessionRunRequest, StartedEvent
from tests.conftest import needs_language
from tests.sessions.conftest import Client
from tests.sessions.test_python import until_busy

pytestmark = pytest.mark.anyio

Serving = Callable[..., Any]
NOBODY = "ses-" + "0" * 32
HUNDRED = 100
SLOW = """#![allow(long_running_const_eval)]
trait T { const N: u64; }
struct S<const A: u64>;
impl<const A: u64> T for S<A> {
    const N: u64 = { let mut i = 0u64; while i < 4_000_000_000 { i += 1; } i + A };
}
fn main() { println!("{}", S::<1>::N) }
"""
"""Rust works this out while it compiles."""


async def test_a_session_of_bash_keeps_its_files_and_each_run_is_fresh(client: Client) -> None:
    session = await client.new(image="bash", files={"given": "here"}, environment={"SET": "yes"})
    first = await client.run(session, "X=1; cat given; echo kept > file")
    second = await client.run(session, 'echo "[$X] $SET"; cat file; exit 3')
    assert (first["stdout"], second["stdout"], second["exit_code"]) == ("here", "[] yes\nkept\n", 3)


async def test_a_session_of_a_compiled_language_compiles_each_run_and_keeps_its_files(client: Client) -> None:
    needs_language(client.app.executor.runtimes, "go")
    session = await client.new(image="go", files={"given": "here"})
    code = """package main
import ("fmt"; "os")
func main() { b, _ := os.ReadFile("given"); fmt.Print(string(b)); os.WriteFile("given", []byte("changed"), 0644) }
"""
    first, second = await client.run(session, code), await client.run(session, code)
    assert (first["stdout"], second["stdout"], second["compile"]["cached"]) == ("here", "changed", True)
    broken = await client.run(session, "package main\nfunc main() { undeclared() }")
    assert (broken["status"], broken["phase"], broken["session_id"]) == ("compile_failed", "compile", session)
    assert "undeclared" in broken["compile"]["stderr"]
    assert (await client.run(session, code))["stdout"] == "changed"


async def test_the_metadata_of_a_run_is_not_that_of_the_run_before(client: Client) -> None:
    session = await client.new(image="bash")
    assert (await client.run(session, "mkdir .holdfast; echo 1 > .holdfast/metadata.json"))["metadata"] == 1
    assert (await client.run(session, "true"))["metadata"] is None


async def test_an_interrupt_ends_the_compiler_too(client: Client) -> None:
    needs_language(client.app.executor.runtimes, "rust")
    session = await client.new(image="rust", files={"f": "kept"})
    results: list[Any] = []

    async def run() -> None:
        results.append(await client.run(session, SLOW))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until_busy(client, session)
        answer = await client.http.post(f"/sessions/{session}/interrupt")
        assert answer.status_code == 200
    result = results[0]
    assert (result["status"], result["exit_code"], result["phase"]) == ("cancelled", 130, "compile")
    assert client.app.executor.admission.running == 0
    code = 'fn main() { print!("{}", std::fs::read_to_string("f").unwrap()); }'
    assert (await client.run(session, code))["stdout"] == "kept"


async def test_a_session_that_is_deleted_while_its_code_is_compiled_answers_at_once(client: Client) -> None:
    needs_language(client.app.executor.runtimes, "rust")
    session = await client.new(image="rust")
    answers: list[Any] = []

    async def run() -> None:
        answers.append(await client.http.post(f"/sessions/{session}/run", json={"code": SLOW}))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await until_busy(client, session)
            assert (await client.http.delete(f"/sessions/{session}")).status_code == 204
    assert (answers[0].status_code, answers[0].json()["code"]) == (410, "session_lost")
    assert client.app.executor.admission.running == 0


@pytest.mark.parametrize("image", ["python", "bash"])
async def test_an_interrupt_of_a_run_that_waits_for_its_place_is_heeded(serving: Serving, image: str) -> None:
    client = await serving(concurrency=1)
    first, second = await client.new(image="bash"), await client.new(image=image)
    results: list[Any] = []

    async def run() -> None:
        results.append(await client.run(second, "print('x')" if image == "python" else "echo x > made"))

    async with anyio.create_task_group() as group:
        group.start_soon(client.run, first, "sleep 100")
        await until_busy(client, first)
        group.start_soon(run)
        await until_busy(client, second)
        await client.http.post(f"/sessions/{second}/interrupt")
        await client.http.post(f"/sessions/{first}/interrupt")
    assert (results[0]["status"], results[0]["exit_code"], results[0]["stdout"]) == ("cancelled", 130, "")
    assert (await client.http.get(f"/sessions/{second}/files")).json()["files"] == []


async def test_a_timeout_spares_a_session_without_an_interpreter(client: Client) -> None:
    session = await client.new(image="bash")
    assert (await client.run(session, "echo 1 > f; sleep 20", timeout=0.5))["status"] == "timed_out"
    assert (await client.run(session, "cat f"))["stdout"] == "1\n"


async def test_limits_hold_for_the_whole_session(client: Client) -> None:
    session = await client.new(image="bash", disk_limit="1m", timeout=1)
    for _ in range(2):
        result = await client.run(session, "head -c 700000 /dev/zero >> f && echo fits")
    assert (result["stdout"], result["limits"]["disk_bytes"], result["limits"]["wall_seconds"]) == ("", 1 << 20, 1.0)


async def test_what_a_session_is_says_what_holds_it(client: Client) -> None:
    answer = await client.http.post("/sessions", json={"language": "bash", "idle_seconds": 5, "lifetime_seconds": 50})
    made = answer.json()
    assert (made["image"], made["status"], made["idle_seconds"], made["lifetime_seconds"]) == ("bash", "idle", 5, 50)
    assert made["isolation"]["engine"] == "local" and made["isolation"]["seccomp"] == "filter"
    listed = (await client.http.get("/sessions")).json()["sessions"]
    assert listed == [made] == [(await client.http.get(f"/sessions/{made['session_id']}")).json()]


async def test_a_deleted_session_is_gone(client: Client) -> None:
    session = await client.new(image="bash")
    assert (await client.http.delete(f"/sessions/{session}")).status_code == 204
    assert (await client.refused(session))[:2] == (404, "not_found")
    assert (await client.http.get("/sessions")).json() == {"sessions": []}
    assert not list((client.app.settings.state_dir / "sessions").iterdir())


async def test_a_session_deleted_while_it_runs_answers_its_run(client: Client) -> None:
    session = await client.new()
    answers = []

    async def run() -> None:
        answers.append(await client.refused(session, "import time; time.sleep(50)"))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until_busy(client, session)
        assert (await client.http.delete(f"/sessions/{session}")).status_code == 204
    assert answers[0][:2] == (410, "session_lost")


async def test_one_thing_runs_at_a_time(client: Client) -> None:
    session = await client.new()
    async with anyio.create_task_group() as group:
        group.start_soon(client.run, session, "import time; time.sleep(50)")
        await until_busy(client, session)
        assert (await client.refused(session))[:2] == (409, "session_busy")
        await client.http.post(f"/sessions/{session}/interrupt")


@pytest.mark.parametrize("image", ["python", "bash"])
async def test_a_client_that_leaves_interrupts_its_run_and_keeps_its_session(client: Client, image: str) -> None:
    session = await client.new(image=image)
    code = {"python": "import time; time.sleep(50)", "bash": "sleep 50"}[image]
    stream = client.app.sessions.stream(session, SessionRunRequest(code=code), Caller())
    async with aclosing(stream) as events:
        assert isinstance(await anext(events), StartedEvent)
        await anyio.sleep(0.3)
    assert client.app.executor.admission.running == 0
    after = await client.run(session, {"python": "print(1)", "bash": "echo 1"}[image])
    assert after["stdout"] == "1\n"


async def test_a_cancelled_run_is_interrupted_and_gives_its_place_back(client: Client) -> None:
    session = await client.new()
    with anyio.move_on_after(0.5):
        await client.app.sessions.run(session, SessionRunRequest(code="x = 1\nwhile True: pass"), Caller())
    assert client.app.executor.admission.running == 0
    assert await client.value(session, "x") == "1"


async def test_a_session_holds_a_place_only_while_it_runs(serving: Serving) -> None:
    client = await serving(concurrency=1, queue=0)
    one, two = await client.new(image="bash"), await client.new(image="bash")
    async with anyio.create_task_group() as group:
        group.start_soon(client.run, one, "sleep 1")
        await until_busy(client, one)
        assert (await client.refused(two, "echo 1"))[:2] == (429, "queue_full")
    assert (await client.run(two, "echo 1"))["stdout"] == "1\n"


async def test_files_go_up_and_down(client: Client) -> None:
    session = await client.new(files={"a.txt": "text", "d/b": {"base64": "AAE="}})
    files = f"/sessions/{session}/files"
    assert (await client.http.put(f"{files}/deep/er/c.bin", content=b"\xff\0")).status_code == 204
    await client.run(session, "open('made', 'w').write(open('a.txt').read() * 2)")
    listed = (await client.http.get(files)).json()["files"]
    assert {file["path"]: file["size_bytes"] for file in listed} == {
        "a.txt": 4,
        "d/b": 2,
        "deep/er/c.bin": 2,
        "made": 8,
    }
    answer = await client.http.get(f"{files}/made")
    assert (answer.content, answer.headers["content-type"]) == (b"texttext", "application/octet-stream")
    assert (await client.http.delete(f"{files}/made")).status_code == 204
    assert (await client.http.get(f"{files}/made")).status_code == 404
    assert (await client.http.delete(f"{files}/made")).status_code == 404


async def test_files_can_be_had_while_code_runs(client: Client) -> None:
    session = await client.new()
    async with anyio.create_task_group() as group:
        group.start_soon(client.run, session, "open('now', 'w').write('x')\nimport time; time.sleep(50)")
        await until_busy(client, session)
        assert (await client.http.get(f"/sessions/{session}/files/now")).content == b"x"
        await client.http.post(f"/sessions/{session}/interrupt")


@pytest.mark.parametrize("name", ["..%2Fup", "a%2F..%2F..%2Fup", "%2Fetc%2Fpasswd", "a%00b", "a%5Cb", "x" * 300])
async def test_bad_file_names_are_refused(client: Client, name: str) -> None:
    session = await client.new(image="bash")
    for method in ("GET", "PUT", "DELETE"):
        answer = await client.http.request(method, f"/sessions/{session}/files/{name}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_file_name"), method


async def test_a_name_that_leads_to_no_file_is_answered_with_what_to_do(client: Client) -> None:
    session = await client.new(image="bash", files={"d/f": "x"})
    files = f"/sessions/{session}/files"
    for answer, sentence in (
        (await client.http.get(f"{files}/no"), "'no': there is no such file; list the files to see what there is."),
        (await client.http.delete(f"{files}/no"), "'no': there is no such file; list the files to see what there is."),
        (
            await client.http.get(f"{files}/d/f/g"),
            "'d/f/g': a part of it is a file and no directory; choose another name.",
        ),
        (await client.http.put(f"{files}/d", content=b""), "'d': it is a directory; name a file in it."),
    ):
        assert answer.json()["detail"] == sentence


async def test_links_lead_nowhere(client: Client) -> None:
    session = await client.new(image="bash")
    await client.run(session, "ln -s /etc/passwd link; ln -s / root; mkfifo pipe")
    for name in ("link", "root/etc/passwd", "pipe"):
        assert (await client.http.get(f"/sessions/{session}/files/{name}")).status_code == 400
    assert (await client.http.get(f"/sessions/{session}/files")).json()["files"] == [
        {"path": "main.sh", "size_bytes": len("ln -s /etc/passwd link; ln -s / root; mkfifo pipe")}
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image": "cobol"}, 404, "unknown_language"),
        ({"mem_limit": "900g"}, 422, "over_ceiling"),
        ({"timeout": 100_000}, 422, "over_ceiling"),
        ({"idle_seconds": 100_000}, 422, "over_ceiling"),
        ({"lifetime_seconds": 10_000_000}, 422, "over_ceiling"),
        ({"lifetime_seconds": 0.1}, 422, "invalid_field"),
        ({"lifetime_seconds": -1}, 422, "invalid_field"),
        ({"nonsense": 1}, 422, "invalid_field"),
        ({"environment": {"LD_PRELOAD": "x"}}, 422, "invalid_field"),
        ({"files": {"../x": ""}}, 400, "invalid_file_name"),
        ({"files": {"x": "x" * (9 << 20)}}, 413, "too_large"),
    ],
)
async def test_bad_requests_for_a_session_are_refused(client: Client, body: Any, status: int, code: str) -> None:
    answer = await client.http.post("/sessions", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await client.http.get("/sessions")).json() == {"sessions": []}


async def test_bad_requests_for_a_run_are_refused(client: Client) -> None:
    session = await client.new(image="bash")
    for body, status, code in (
        ({"code": "#" * 1_048_577}, 413, "too_large"),
        ({"code": "1", "timeout": 100_000}, 422, "over_ceiling"),
        ({"code": ""}, 422, "invalid_field"),
        ({"code": "1", "nonsense": 1}, 422, "invalid_field"),
        ({}, 422, "invalid_field"),
    ):
        answer = await client.http.post(f"/sessions/{session}/run", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    raw = await client.http.post(f"/sessions/{session}/run", content="{", headers={"content-type": "application/json"})
    assert (raw.status_code, raw.json()["code"]) == (400, "malformed_request")
    large = await client.http.put(f"/sessions/{session}/files/x", content=bytes((8 << 20) + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


async def test_code_of_exactly_one_mebibyte_runs(client: Client) -> None:
    session = await client.new()
    code = "x = 1\n#" + "x" * (1_048_576 - 7)
    assert (await client.run(session, code))["status"] == "succeeded"
    assert await client.value(session, "x") == "1"


async def routes(client: Client, session: str) -> dict[str, int]:
    """What each route about one session answers."""
    place = f"/sessions/{session}"
    answers = {}
    for method, path in (
        ("GET", place),
        ("POST", f"{place}/run"),
        ("POST", f"{place}/run/stream"),
        ("POST", f"{place}/interrupt"),
        ("GET", f"{place}/files"),
        ("GET", f"{place}/files/f"),
        ("PUT", f"{place}/files/f"),
        ("DELETE", f"{place}/files/f"),
        ("DELETE", place),
    ):
        body = json.dumps({"code": "1"}) if method in ("POST", "PUT") else ""
        answer = await client.http.request(
            method, path, content=body, headers={"content-type": "application/json"} if body else {}
        )
        answers[f"{method} {path.removeprefix(place)}"] = answer.status_code
    return answers


async def test_an_unknown_session_is_404_on_every_route(client: Client) -> None:
    for name in (NOBODY, "x", "ses-..%2F..%2Fkeys.json"):
        assert set((await routes(client, name)).values()) == {404}


async def test_a_session_of_another_key_is_404_on_every_route_and_admin_sees_all(serving: Serving) -> None:
    client = await serving()
    keys = client.app.keys
    one, two = Client(client.app, keys.add("one")), Client(client.app, keys.add("two"))
    admin = Client(client.app, keys.add("boss", "admin"))
    session = await one.new(image="bash", files={"f": "x"})
    assert set((await routes(two, session)).values()) == {404}
    assert (await two.http.get("/sessions")).json() == {"sessions": []}
    assert [found["session_id"] for found in (await admin.http.get("/sessions")).json()["sessions"]] == [session]
    assert (await admin.http.get(f"/sessions/{session}/files/f")).content == b"x"
    assert set((await routes(one, session)).values()) == {200, 204}
    for each in (one, two, admin):
        await each.http.aclose()


async def test_a_key_has_a_quota_and_the_server_a_bound(serving: Serving) -> None:
    client = await serving(max_sessions=3, max_sessions_per_key=2)
    keys = client.app.keys
    one, two = Client(client.app, keys.add("one")), Client(client.app, keys.add("two"))
    made = [await one.new(image="bash") for _ in range(2)]
    answer = await one.http.post("/sessions", json={"image": "bash"})
    assert (answer.status_code, answer.json()["code"]) == (429, "quota")
    assert "delete one" in answer.json()["detail"]
    await two.new(image="bash")
    answer = await two.http.post("/sessions", json={"image": "bash"})
    assert (answer.status_code, answer.json()["code"]) == (429, "quota")
    await one.http.delete(f"/sessions/{made[0]}")
    await two.new(image="bash")
    for each in (one, two):
        await each.http.aclose()


async def test_a_session_that_cannot_start_leaves_nothing(serving: Serving) -> None:
    client = await serving()
    answer = await client.http.post("/sessions", json={"mem_limit": "16m"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_field", "mem_limit")
    assert answer.json()["detail"] == "The interpreter needs more memory than 'mem_limit' gives it; ask for more."
    assert (await client.http.get("/sessions")).json() == {"sessions": []}


async def test_a_hundred_sessions_at_once_all_keep_their_own_state(serving: Serving) -> None:
    client = await serving(pool_size=4, max_sessions=HUNDRED, queue=2 * HUNDRED)

    async def live(number: int) -> str:
        session: str = await client.new(files={"mine": str(number)})
        await client.run(session, f"state = [{number}]")
        return session

    sessions = await asyncio.gather(*(live(number) for number in range(HUNDRED)))
    for again in range(3):
        code = f"state.append(state[-1] + 1000); state[0], len(state) == {again + 2}, open('mine').read()"
        values = await asyncio.gather(*(client.value(session, code) for session in sessions))
        assert values == [f"({number}, True, '{number}')" for number in range(HUNDRED)]
    listed = (await client.http.get("/sessions")).json()["sessions"]
    assert {found["session_id"] for found in listed} == set(sessions)
    assert (await client.http.post("/sessions", json={})).status_code == 429
