"""`/tasks` over HTTP."""

import io
import json
import tarfile
from typing import Any

import httpx
import pytest

from holdfast.tasks import registry

pytestmark = pytest.mark.anyio

SAY = {"messages": [{"role": "user", "content": "one two"}]}


def numbers(text: str) -> list[int]:
    return [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]


async def test_events_can_be_read_again_from_any_number(client: httpx.AsyncClient) -> None:
    answer = await client.post("/tasks", json=SAY)
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued" and answer.json()["id"] in answer.json()["events_url"]
    url = answer.json()["events_url"]
    first = await client.get(url)
    assert first.headers["content-type"].startswith("text/event-stream")
    last = numbers(first.text)[-1]
    assert numbers(first.text) == [*range(1, last + 1)]
    assert "event: done" in first.text
    for after in range(last + 1):
        again = await client.get(url, headers={"Last-Event-ID": str(after)})
        assert numbers(again.text) == [*range(after + 1, last + 1)]
        assert numbers((await client.get(f"{url}?after={after}")).text) == [*range(after + 1, last + 1)]


def packed(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


async def test_a_form_carries_the_archive_of_a_workspace(serving: Any) -> None:
    client, app = await serving(workers=0)
    archive = packed("a.txt", b"hello")
    answer = await client.post("/tasks", data={"task": json.dumps(SAY)}, files={"workspace": ("w.tgz", archive)})
    assert answer.status_code == 202, answer.text
    claimed = await app.tasks.queue.claim(["agent"], "runner-1", 1)
    assert claimed is not None and claimed.task_id == answer.json()["id"]
    assert claimed.request.workspace.archive.content() == archive


@pytest.mark.parametrize(
    ("fields", "files", "status", "reason"),
    [
        ({"task": json.dumps(SAY)}, {"other": ("w.tgz", b"x")}, 422, "one file 'workspace'"),
        ({"task": json.dumps(SAY), "more": "x"}, {"workspace": ("w.tgz", b"x")}, 422, "one field 'task'"),
        ({}, {"workspace": ("w.tgz", b"x")}, 422, "one field 'task'"),
        ({"task": "{"}, {"workspace": ("w.tgz", b"x")}, 400, "JSON"),
        ({"task": "{}"}, {"workspace": ("w.tgz", b"x")}, 422, "messages"),
        (
            {"task": json.dumps({**SAY, "workspace": {"files": {"a": "b"}}})},
            {"workspace": ("w.tgz", b"x")},
            422,
            "send one of them",
        ),
        ({"task": json.dumps(SAY)}, {"workspace": ("w.tgz", bytes(17 << 20))}, 413, "larger than"),
        ({"task": " " * (300 << 10)}, {"workspace": ("w.tgz", b"x")}, 413, "larger than"),
    ],
)
async def test_a_form_that_is_no_task_says_what_is_wrong(
    client: httpx.AsyncClient, fields: dict[str, str], files: Any, status: int, reason: str
) -> None:
    answer = await client.post("/tasks", data=fields, files=files)
    assert (answer.status_code, reason in answer.json()["detail"]) == (status, True), answer.text
    assert (await client.get("/tasks")).json()["tasks"] == []


async def test_tasks_of_another_key_do_not_exist_on_any_route(serving: Any) -> None:
    mine = "m" * 32
    client, app = await serving(api_keys=(mine,))
    task_id = (await client.post("/tasks", json=SAY, headers={"X-API-Key": mine})).json()["id"]
    stranger = {"X-API-Key": app.keys.add("stranger", "run")}
    routes = [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/redeliver"), ("DELETE", "")]
    for method, path in [*routes, ("GET", "/artifacts/a")]:
        answer = await client.request(method, f"/tasks/{task_id}{path}", headers=stranger)
        assert answer.status_code == 404, path
    assert (await client.get("/tasks", headers=stranger)).json() == {"tasks": [], "next": None}
    for path in ("/runners", "/runners/register"):
        answer = await client.request("GET" if path == "/runners" else "POST", path, json={}, headers=stranger)
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"type": "other"}, "agent or workflow"),
        ({"type": "workflow"}, "either steps or jobs"),
        ({"messages": []}, "messages"),
        ({**SAY, "tools": ["rm"]}, "Disallowed tool: rm"),
        ({**SAY, "max_turns": True}, "max_turns"),
        ({**SAY, "max_turns": 101}, "max_turns"),
        ({**SAY, "max_turns": 0}, "max_turns"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user"}]}, "content"),
        ({**SAY, "secrets": {"1": "x"}}, "secrets"),
        ({**SAY, "secrets": {"A": "x" * 40_000, "B": "x" * 40_000}}, "65,536 characters together"),
        ({**SAY, "secrets": {f"A{n}": "x" for n in range(101)}}, "100 secrets"),
        ({**SAY, "timeout": 1e9}, "timeout"),
        ({**SAY, "callback_url": "http://10.0.0.1/"}, "HOLDFAST_ALLOW_PRIVATE_CALLBACKS"),
        ({**SAY, "workspace": {"files": {}, "git": {"url": "x"}}}, "one of files, archive and git"),
        ({"steps": [{"run": 1}]}, "no text to run"),
    ],
)
async def test_a_task_that_cannot_be_done_is_refused_with_what_is_wrong(
    client: httpx.AsyncClient, body: dict[str, Any], reason: str
) -> None:
    answer = await client.post("/tasks", json=body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
    assert (await client.get("/tasks")).json()["tasks"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"steps": [{"run": "true"}], "timeout": "soon"}, "timeout"),
        ({**SAY, "max_turns": 0}, "max_turns"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({**SAY, "workspace": {"files": {"a.txt": 5}}}, "workspace.files.a.txt"),
        ({**SAY, "workspace": {"files": {"a.txt": {"base64": "!"}}}}, "workspace.files.a.txt.base64"),
        ({"type": "workflow"}, None),
    ],
)
async def test_a_field_is_called_as_it_was_written(
    client: httpx.AsyncClient, body: dict[str, Any], field: str | None
) -> None:
    problem = (await client.post("/tasks", json=body)).json()
    assert problem.get("field") == field
    assert problem["detail"].startswith(f"{field or 'The body'}: ")


async def test_all_fields_that_are_wrong_are_counted(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/tasks", json={**SAY, "timeout": "soon", "max_turns": 0})).json()
    assert problem["detail"].endswith(", and 1 more field is wrong.")


async def test_metrics_say_how_many_runners_would_be_of_use(serving: Any) -> None:
    client, app = await serving(workers=0)
    for _ in range(3):
        await client.post("/tasks", json=SAY)
    given = (await client.post("/runners/register", json={"pod_name": "p"})).json()
    assert given["task"] is not None
    await app.tasks._count()
    told = dict(line.rsplit(" ", 1) for line in (await client.get("/metrics")).text.splitlines() if line[0] != "#")
    assert (told["holdfast_tasks_queued"], told["holdfast_runners_wanted"]) == ("2.0", "3.0")
    assert told['holdfast_runners{state="busy"}'] == "1.0"


async def test_a_runner_that_is_not_heard_of_is_stale_and_then_forgotten(
    serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, app = await serving(workers=0)
    await client.post("/runners/register", json={"pod_name": "p"})
    states = []
    for seconds, forgotten in ((60.0, 600.0), (-1.0, 600.0), (-1.0, -1.0)):
        monkeypatch.setattr(registry, "STALE_SECONDS", seconds)
        monkeypatch.setattr(registry, "FORGOTTEN_SECONDS", forgotten)
        app.tasks.runners.sweep()
        states.append([runner["state"] for runner in (await client.get("/runners")).json()["runners"]])
    assert states == [["idle"], ["stale"], []]


async def test_a_bad_last_event_id_is_refused(client: httpx.AsyncClient) -> None:
    url = (await client.post("/tasks", json=SAY)).json()["events_url"]
    for given in ("x", "-1", "9" * 30):
        assert (await client.get(url, headers={"Last-Event-ID": given})).status_code == 422


async def test_a_task_is_listed_shown_and_forgotten(client: httpx.AsyncClient) -> None:
    first, second = [(await client.post("/tasks", json=SAY)).json()["id"] for _ in range(2)]
    page = (await client.get("/tasks?limit=1")).json()
    assert [task["id"] for task in page["tasks"]] == [second]
    older = (await client.get(f"/tasks?before={page['next']}")).json()
    assert [task["id"] for task in older["tasks"]] == [first]
    assert (await client.delete(f"/tasks/{first}")).status_code == 204
    assert (await client.get(f"/tasks/{first}")).status_code == 404
    assert json.loads((await client.get(f"/tasks/{second}")).text)["request"]["messages"] == SAY["messages"]
