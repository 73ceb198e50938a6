"""`kill -9` of runners at every boundary of an event: none is lost, none is out of order, and every task ends.

Runners are processes forked from here, several at a time, that take the tasks of one server and kill themselves before
or after the n-th event that they tell of or post, n chosen by the seed. Each notes what the server has acknowledged.
`TESTS_KILLS` is the number of them (`make kills` makes many more than CI).
"""

import asyncio
import json
import os
import random
import time
import traceback
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.tasks.callbacks import Poster
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.outgoing import Outgoing
from holdfast.tasks.runner import RunnerConfig, Standby
from holdfast.telemetry import configure_logging
from holdfast.testing.tasks import SpeakingHandler
from tests.faults.death import Death
from tests.tasks.test_runner import client, server, until

RUNS = int(os.environ.get("TESTS_KILLS", "24"))
TOGETHER = 4
BOUNDARIES = 45
WORDS = "one two three four "
TASK = {"messages": [{"role": "user", "content": WORDS}], "max_attempts": 10}
GIVEN = ("task_id", "seq", "timestamp", "first_seq", "state")


def live(url: str, name: str, noted: Path, death: Death | None) -> None:
    """A runner until it is killed."""
    configure_logging("error", "json")
    note = os.open(noted, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    post = Poster.post

    async def noting(poster: Poster, url: str, task_id: str, key: str, body: bytes, more: dict[str, str]) -> Any:
        posted = await post(poster, url, task_id, key, body, more)
        if posted.delivered:
            os.write(note, body + b"\n")
        return posted

    Poster.post = noting  # type: ignore[assignment, method-assign]
    if death is not None:
        for kind, method in ((Poster, "post"), (Outgoing, "put"), (Standby, "_assigned")):
            death.around(kind, method)
    config = RunnerConfig({"agent": SpeakingHandler()}, 60, 1 << 20, Backoff(0.01), pod_name=name)
    with asyncio.Runner() as runner:
        runner.run(Standby(config, f"{url}/runners/register").run())


def forked(url: str, name: str, noted: Path, death: Death | None) -> int:
    """Its process."""
    child = os.fork()
    if child == 0:
        try:
            live(url, name, noted, death)
        finally:
            traceback.print_exc()  # What would be raised ends here: this process is a copy of the one that tests.
            os._exit(1)
    return child


def ended(children: list[int]) -> int:
    """How many were killed since; they are taken from the list."""
    found = [(child, *os.waitpid(child, os.WNOHANG)) for child in children]
    gone = [child for child, there, _ in found if there]
    assert all(os.WIFSIGNALED(status) for _, there, status in found if there), "a runner has ended by itself"
    children[:] = [child for child in children if child not in gone]
    return len(gone)


def is_over(http: httpx.Client, task_id: str, children: list[int]) -> bool:
    """Whether a task has ended; a runner that has ended by itself fails the test at once."""
    ended(children)
    return is_ended(http, task_id)


def plain(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in GIVEN}


def attempts(events: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What each runner has told."""
    found: list[list[dict[str, Any]]] = []
    for event in events:
        if str(event.get("reason", "")).startswith("begun on"):
            found.append([])
        elif found:
            found[-1].append(event)
    return found


def check(task: dict[str, Any], events: Sequence[dict[str, Any]], acknowledged: Sequence[dict[str, Any]]) -> None:
    assert [event["seq"] for event in events] == [*range(1, len(events) + 1)]
    kinds = [event["type"] for event in events]
    assert [kind in ("done", "error") for kind in kinds] == [False] * (len(kinds) - 1) + [True]
    for told in attempts(events):
        text = "".join(event["text"] for event in told if event["type"] == "token")
        assert WORDS.startswith(text)
        assert text == WORDS or not any(event["type"].startswith("tool") for event in told)
    # What the server said that it has, it has, in this order.
    kept = iter(events)
    for event in acknowledged:
        assert any(plain(event) == plain(each) for each in kept), event
    if task["status"] == "succeeded":
        assert [event["type"] for event in attempts(events)[-1]][-3:] == ["tool_start", "tool_end", "done"]
    else:
        assert (task["error"]["code"], task["attempts"]) == ("worker_lost", TASK["max_attempts"])


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_however_often_runners_are_killed_no_event_is_lost_and_every_task_ends(tmp_path: Path) -> None:
    noted, numbers = tmp_path / "noted", count()
    children: list[int] = []
    tasks: list[str] = []
    killed = 0
    with server(tmp_path, "workers=0", "task_lease=0.5", "task_queue=5000") as url, client(url) as http:
        try:
            while killed < RUNS:
                while len(children) < TOGETHER:
                    tasks.append(http.post("/tasks", json=TASK).json()["id"])
                    number = next(numbers)
                    children.append(forked(url, f"runner-{number}", noted, Death(random.Random(number), BOUNDARIES)))
                killed += ended(children)
                time.sleep(0.01)
            children.append(forked(url, "the-last", noted, None))
            for task_id in tasks:
                until(partial(is_over, http, task_id, children), 120)
        finally:
            for child in children:
                os.kill(child, 9)
                os.waitpid(child, 0)
        acknowledged = [json.loads(line) for line in noted.read_bytes().splitlines()]
        assert acknowledged
        for task_id in tasks:
            mine = [event for event in acknowledged if event["task_id"] == task_id]
            check(http.get(f"/tasks/{task_id}").json(), events_of(http, task_id), mine)
    assert killed >= RUNS


def is_ended(http: httpx.Client, task_id: str) -> bool:
    return http.get(f"/tasks/{task_id}").json()["status"] in ("succeeded", "failed")


def events_of(http: httpx.Client, task_id: str) -> list[dict[str, Any]]:
    lines = http.get(f"/tasks/{task_id}/events").text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
