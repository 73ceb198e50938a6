"""Runners as processes: one task and out, or the tasks of a server until told to stop."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.tasks.callbacks import CallbackRules, Poster
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.outgoing import Outgoing
from holdfast.tasks.runner import ElsewhereRun
from holdfast.types import OPERATOR, Caller, RunnerRegistration, task_request
from tests.tasks.conftest import SAY, Receiver, service

HERE = Path(__file__).parent
STEPS = {"type": "workflow", "steps": [{"run": "echo hello"}]}
KEY = "k" * 32


@contextmanager
def runner(folder: Path, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    # One that is killed leaves its temporary files where pytest removes them.
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "HOLDFAST_STATE_DIR": str(folder)}
    environ |= {"LOG_LEVEL": "INFO", "HOLDFAST_CALLBACK_BACKOFF": "0.01", **variables}
    command = [sys.executable, str(HERE / "live_runner.py")]
    with subprocess.Popen(
        command, env=environ, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def server(folder: Path, *settings: str) -> Iterator[str]:
    command = [sys.executable, str(HERE.parent / "api" / "live_server.py"), str(folder), *settings]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
        assert found is not None
        try:
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def client(url: str, key: str = "") -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": key} if key else {}, timeout=30)


def until(there: Callable[[], Any], seconds: float = 30) -> Any:
    """What is there in the end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := there():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


def test_an_active_runner_does_its_task_and_leaves_when_all_is_told(tmp_path: Path, receiver: Receiver) -> None:
    variables = {"TASK_ID": "t-1", "CALLBACK_URL": receiver.url, "REQUEST_ID": "req-9"}
    with runner(tmp_path, **variables, TASK_CONFIG=json.dumps(STEPS)) as process:
        assert process.wait(30) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr]
    assert receiver.types == ["status", "step_start", "log", "step_end", "done"]
    assert {body["task_id"] for body in receiver.accepted} == {"t-1"}
    assert [body["seq"] for body in receiver.accepted] == [1, 2, 3, 4, 5]
    assert {(line.get("task_id"), line.get("request_id")) for line in lines} <= {("t-1", "req-9")}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"type": "workflow", "steps": [{"run": "echo xyzzy-1234"}, {"run": "exit 3"}]},
            [
                ("a task begins", None),
                *(("a step begins", 0), ("a step has ended", "success")),
                *(("a step begins", 1), ("a step has ended", "failure")),
                ("a task has ended", "step_failed"),
            ],
        ),
        (
            {"messages": [{"role": "user", "content": "xyzzy-1234"}]},
            [
                ("a task begins", None),
                *(("a tool is used", "unknown"), ("a tool has ended", "success")),
                ("a task has ended", None),
            ],
        ),
    ],
)
def test_a_runner_logs_what_it_does_but_nothing_of_what_was_asked(
    tmp_path: Path, receiver: Receiver, body: dict[str, Any], said: list[tuple[str, Any]]
) -> None:
    told = {"TASK_ID": "t-1", "CALLBACK_URL": receiver.url, "REQUEST_ID": "req-9", "TASK_CONFIG": json.dumps(body)}
    with runner(tmp_path, **told) as process:
        _, err = process.communicate(timeout=30)
    lines = [json.loads(line) for line in err.splitlines()]
    shown = [(line["event"], line.get("code", line.get("state", line.get("step", line.get("tool"))))) for line in lines]
    assert [each for each in shown if each[0].startswith("a ")] == said
    assert {(line["task_id"], line["request_id"]) for line in lines} == {("t-1", "req-9")}
    assert "xyzzy" not in err


def test_a_failed_task_is_one_error_no_done_and_the_exit_code_1(tmp_path: Path, receiver: Receiver) -> None:
    body = {"type": "workflow", "steps": [{"run": "echo $TOKEN; exit 3"}], "secrets": {"TOKEN": "xyzzy-1234"}}
    with runner(tmp_path, TASK_ID="t-1", CALLBACK_URL=receiver.url) as process:
        process.communicate(json.dumps(body), timeout=30)
        assert process.returncode == 1
    assert receiver.types[-1] == "error"
    assert "done" not in receiver.types
    assert b"xyzzy" not in b"".join(receiver.raw)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type": "workflow"}', "either steps or jobs"),
        ('{"messages": [{"role": "user", "content": "x"}], "tools": ["rm"]}', "Disallowed tool: rm"),
        ('{"type": "workflow", "steps": [1]}', "no text to run"),
    ],
)
def test_a_bad_configuration_is_told_to_the_callback_too(
    tmp_path: Path, receiver: Receiver, config: str, reason: str
) -> None:
    with runner(tmp_path, TASK_ID="t-1", CALLBACK_URL=receiver.url, TASK_CONFIG=config) as process:
        assert process.wait(30) == 1
    assert receiver.types == ["error"]
    assert reason in receiver.accepted[0]["message"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("MODE", "idle", "MODE is active or standby."),
        ("HOLDFAST_TASK_LOGS", "many", "task_logs: 'many' is not a size"),
        ("LOG_LEVEL", "LOUD", "log_level"),
    ],
)
def test_settings_that_cannot_be_read_are_told_to_the_callback_too(
    tmp_path: Path, receiver: Receiver, variable: str, value: str, reason: str
) -> None:
    told = {"TASK_ID": "t-1", "CALLBACK_URL": receiver.url, "TASK_CONFIG": json.dumps(STEPS), variable: value}
    with runner(tmp_path, **told) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert reason in process.stderr.read()
    assert [(body["task_id"], body["type"]) for body in receiver.accepted] == [("t-1", "error")]
    assert reason in receiver.accepted[0]["message"]


@pytest.mark.parametrize(
    "variables",
    [
        {"TASK_ID": "t-1", "CALLBACK_URL": "ftp://example.org"},
        {"TASK_ID": "t-1", "CALLBACK_URL": "http://169.254.169.254/latest"},
        {"MODE": "standby", "REGISTER_URL": "server:8000/runners/register"},
    ],
)
def test_an_address_that_can_never_be_one_ends_a_runner_before_it_works(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with runner(tmp_path, **variables, TASK_CONFIG=json.dumps(STEPS)) as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert "_URL: " in process.stderr.read()


def test_a_runner_without_what_it_needs_says_what(tmp_path: Path, receiver: Receiver) -> None:
    for variables, missing in (({}, "CALLBACK_URL"), ({"MODE": "standby"}, "REGISTER_URL")):
        with runner(tmp_path, **variables) as process:
            assert process.wait(30) == 1
            assert process.stderr is not None
            assert missing in process.stderr.read()
    with runner(tmp_path, CALLBACK_URL=receiver.url, TASK_CONFIG="{}") as process:
        assert process.wait(30) == 1
    assert "TASK_ID" in receiver.accepted[0]["message"]


def test_an_active_runner_tries_again_until_the_last_event_is_there(tmp_path: Path, receiver: Receiver) -> None:
    tries: list[str] = []

    def answer(body: dict[str, Any]) -> int:
        tries.append(body["type"])
        return 200 if tries.count(body["type"]) > 2 else 500

    receiver.answer = answer
    with runner(tmp_path, TASK_ID="t-1", CALLBACK_URL=receiver.url, TASK_CONFIG=json.dumps(STEPS)) as process:
        assert process.wait(30) == 0
    assert receiver.types == ["status", "step_start", "log", "step_end", "done"]


def test_an_active_runner_that_is_told_to_stop_says_so_and_leaves(tmp_path: Path, receiver: Receiver) -> None:
    body = {"type": "workflow", "steps": [{"run": "echo begun; sleep 60"}]}
    with runner(tmp_path, TASK_ID="t-1", CALLBACK_URL=receiver.url, TASK_CONFIG=json.dumps(body)) as process:
        until(lambda: "log" in receiver.types)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 1
    assert receiver.accepted[-1]["code"] == "runner_stopped"


def test_a_standby_runner_does_the_tasks_of_a_server_and_stops_when_told(tmp_path: Path) -> None:
    with server(tmp_path, "workers=0", f"api_keys={KEY}") as url, client(url, KEY) as http:
        receipts = [http.post("/tasks", json={**STEPS, "artifact": "kept"}).json()]
        assert "no runner is registered" in http.get(f"/tasks/{receipts[0]['id']}").json()["waiting_for"]
        register = f"{url}/runners/register"
        with runner(tmp_path, MODE="standby", REGISTER_URL=register, POD_NAME="pod-1", HOLDFAST_API_KEY=KEY) as process:
            receipts.append(http.post("/tasks", json=STEPS).json())
            for receipt in receipts:
                events = http.get(receipt["events_url"]).text
                assert "event: done" in events
                assert "hello" in events
            task = http.get(f"/tasks/{receipts[0]['id']}").json()
            assert task["artifacts"] == ["result.txt"]
            assert http.get(f"/tasks/{task['id']}/artifacts/result.txt").text == "kept"
            assert [known["pod_name"] for known in http.get("/runners").json()["runners"]] == ["pod-1"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        assert http.get("/runners").json()["runners"] == []


def test_a_standby_runner_that_stops_or_is_told_to_cancel_ends_its_task(tmp_path: Path) -> None:
    body = {"type": "workflow", "steps": [{"run": "echo begun; sleep 60"}]}
    with server(tmp_path, "workers=0", "task_lease=1") as url, client(url) as http:
        with runner(tmp_path, MODE="standby", REGISTER_URL=f"{url}/runners/register") as process:
            cancelled, stopped = (http.post("/tasks", json=body).json()["id"] for _ in range(2))
            until(lambda: http.get(f"/tasks/{cancelled}").json()["events"] >= 5)
            http.post(f"/tasks/{cancelled}/cancel")
            assert until(lambda: http.get(f"/tasks/{cancelled}").json()["error"])["code"] == "cancelled"
            until(lambda: http.get(f"/tasks/{stopped}").json()["events"] >= 5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        assert until(lambda: http.get(f"/tasks/{stopped}").json()["error"])["code"] == "worker_lost"


def test_a_runner_that_is_killed_loses_its_task_to_another(tmp_path: Path) -> None:
    body = {"type": "workflow", "steps": [{"run": "echo begun; sleep 2"}], "max_attempts": 2}
    with server(tmp_path, "workers=0", "task_lease=1") as url, client(url) as http:
        register = {"MODE": "standby", "REGISTER_URL": f"{url}/runners/register"}
        task_id = http.post("/tasks", json=body).json()["id"]
        with runner(tmp_path, **register) as process:
            until(lambda: http.get(f"/tasks/{task_id}").json()["events"] >= 5)
            process.kill()
        with runner(tmp_path, **register):
            assert "event: done" in http.get(f"/tasks/{task_id}/events").text
        assert http.get(f"/tasks/{task_id}").json()["attempts"] == 2


def test_runners_are_the_operators_and_their_word_needs_the_token(tmp_path: Path) -> None:
    with server(tmp_path, "workers=0", f"api_keys={KEY}") as url, client(url, KEY) as admin:
        assert httpx.post(f"{url}/runners/register", json={}).status_code == 401
        task_id = admin.post("/tasks", json=STEPS).json()["id"]
        given = admin.post("/runners/register", json={"pod_name": "p", "pod_ip": "::1"}).json()
        assert given["task"]["id"] == task_id
        path = f"/tasks/{task_id}/callback"
        event = {"type": "log", "level": "info", "message": "x", "seq": 1}
        assert admin.post(path, json=event).status_code == 401
        assert admin.post(path, json=event, headers={"Authorization": "Bearer wrong"}).status_code == 409
        told = {"Authorization": f"Bearer {given['token']}"}
        for _ in range(2):
            assert admin.post(path, json=event, headers=told).json() == {"held": True, "cancel": False}
        assert admin.post(path, json={**event, "seq": 3}, headers=told).status_code == 422
        assert admin.post(path, content=b"[", headers={**told, "Content-Type": "application/json"}).status_code == 400
        assert admin.post(path, json={"type": "done", "seq": 2}, headers=told).status_code == 200
        assert admin.post(path, json={**event, "seq": 3}, headers=told).status_code == 409
        task = admin.get(f"/tasks/{task_id}").json()
        assert (task["status"], task["events"]) == ("succeeded", 4)


@pytest.mark.anyio
@pytest.mark.parametrize("caller", [Caller(owner="a" * 64, sees_all=False), OPERATOR], ids=["a key", "the operator"])
async def test_a_runner_does_a_task_for_who_asked_for_it(tmp_path: Path, caller: Caller) -> None:
    """What it caches or asks for one key is no other's, also when the server does not do it itself."""
    async with service(tmp_path / "db", tmp_path, workers=0) as tasks, Poster(CallbackRules(), None) as poster:
        await tasks.queue.submit(task_request.validate_python(SAY), caller, None)
        given = await tasks.runners.register(RunnerRegistration(), "http://server")
        assert given.task is not None
        outgoing = Outgoing(poster, "http://server/", given.task.id, Backoff(1), counted=True)
        run = ElsewhereRun(given.task, task_request.validate_python(given.task.config), outgoing, None, 1)  # type: ignore[arg-type]
    assert run.caller == caller
