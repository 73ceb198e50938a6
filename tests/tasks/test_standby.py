"""Runners that wait for tasks: beside the workers of a server, and with a server that gives them nonsense."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.test_runner import client, runner, server, until

STEPS = {"type": "workflow", "steps": [{"run": "echo hello"}]}
MANY = 40
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"type": "workflow", "steps": [1]}, "no text to run"),
    ({"type": "workflow"}, "either steps or jobs"),
    ({"messages": [{"role": "user", "content": "x"}], "tools": ["rm"]}, "Disallowed tool: rm"),
    ({"messages": [{"role": "user", "content": "x"}], "max_turns": 101}, "max_turns"),
]


class Giver:
    """A server of tasks that checks nothing: it hands these bodies out, in turn, and notes what it is told of them.

    Of those in `taken` it says that they are another's.
    """

    def __init__(self, bodies: list[dict[str, Any]], *taken: str) -> None:
        self.told: list[dict[str, Any]] = []
        waiting = list(enumerate(bodies))
        giver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                if self.path == "/runners/register":
                    answer = giver.assignment(*waiting.pop(0)) if waiting else giver.assignment()
                else:
                    giver.told.append(body)
                    answer = {"held": True, "cancel": False}
                self.send_response(409 if body.get("task_id") in taken else 200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def do_DELETE(self) -> None:
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def assignment(self, number: int | None = None, config: dict[str, Any] | None = None) -> dict[str, Any]:
        runner = {"runner_id": "runner-1", "heartbeat_url": f"{self.url}/heartbeat", "heartbeat_seconds": 1}
        if config is None:
            return runner
        task = {"id": f"task-{number}", "type": config.get("type", "agent"), "config": config}
        return {**runner, "task": task, "callback_url": f"{self.url}/tasks/task-{number}/callback", "token": "t.t"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def giver() -> Iterator[Giver]:
    made = Giver([config for config, _ in INVALID] + [STEPS])
    yield made
    made.close()


def test_a_standby_runner_refuses_a_task_it_cannot_do_with_the_reason_and_takes_the_next(
    tmp_path: Path, giver: Giver
) -> None:
    with runner(tmp_path, MODE="standby", REGISTER_URL=f"{giver.url}/runners/register") as process:
        until(lambda: any(body["type"] == "done" for body in giver.told))
        assert process.poll() is None
    for number, (_, reason) in enumerate(INVALID):
        of_it = [body for body in giver.told if body["task_id"] == f"task-{number}"]
        assert [body["type"] for body in of_it] == ["error"]
        assert reason in of_it[0]["message"]
    last = [body["type"] for body in giver.told if body["task_id"] == f"task-{len(INVALID)}"]
    assert last == ["status", "step_start", "log", "step_end", "done"]


def test_a_runner_whose_task_was_taken_away_goes_on_with_the_next(tmp_path: Path) -> None:
    giver = Giver([STEPS, STEPS], "task-0")
    try:
        with runner(tmp_path, MODE="standby", REGISTER_URL=f"{giver.url}/runners/register") as process:
            until(lambda: any(body["type"] == "done" for body in giver.told))
            assert process.poll() is None
    finally:
        giver.close()
    assert [body["type"] for body in giver.told if body["task_id"] == "task-0"] == ["status"]


def test_workers_and_runners_share_a_queue_and_each_task_is_done_once(tmp_path: Path) -> None:
    body = {"type": "workflow", "steps": [{"run": "echo hello; sleep 0.2"}], "max_attempts": 3}
    with server(tmp_path, "workers=2") as url, client(url) as http:
        standby = {"MODE": "standby", "REGISTER_URL": f"{url}/runners/register"}
        with runner(tmp_path, **standby, POD_NAME="pod-1"), runner(tmp_path, **standby, POD_NAME="pod-2"):
            until(lambda: len(http.get("/runners").json()["runners"]) == 2)
            ids = [http.post("/tasks", json=body).json()["id"] for _ in range(MANY)]
            streams = [http.get(f"/tasks/{task_id}/events").text for task_id in ids]
            tasks = [http.get(f"/tasks/{task_id}").json() for task_id in ids]
            pods = {known["pod_name"] for known in http.get("/runners").json()["runners"]}
    for text in streams:
        assert Counter(line for line in text.splitlines() if line.startswith("event: ")).get("event: done") == 1
        assert text.count("hello") == 1
    assert {(task["status"], task["attempts"]) for task in tasks} == {("succeeded", 1)}
    assert pods == {"pod-1", "pod-2"}
    by = Counter(found[1] if (found := re.search(r"begun on (pod-\d)", text)) else "the server" for text in streams)
    assert set(by) == {"pod-1", "pod-2", "the server"}, by
