"""How long a token of a task is on its way to a reader, and how soon a standby runner begins: `make bench-tasks`.

Tokens are timed from the moment their handler has them to the moment the client of `/tasks/{id}/events` has read them,
over HTTP, while the callback of the same task hangs. A runner is timed from the moment a task is asked for to the
moment a reader has its first event.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import httpx

from holdfast.app import assemble
from holdfast.cli import in_loop
from holdfast.cli.serving import answer, bound
from holdfast.data.runs import DataRuns
from holdfast.execution import Executor
from holdfast.settings import Settings, load_settings
from holdfast.tasks import TaskHandler, TaskRun
from holdfast.telemetry import Metrics, configure_logging
from holdfast.testing.tasks import ScriptHandler
from holdfast.testing.unisolated import UnisolatedEngine
from holdfast.types import AgentTask, TokenEvent, WorkflowTask
from tests.tasks.conftest import Receiver
from tests.tasks.test_runner import client, runner

TOKENS = 400
EVERY_SECONDS = 0.01
CLAIMS = 30
HERE = Path(__file__)


class Clock:
    """Says the time again and again."""

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Takes everything."""

    async def run(self, task: TaskRun) -> None:
        """As a model would speak."""
        for index in range(TOKENS):
            await anyio.sleep(EVERY_SECONDS)
            await task.emit(TokenEvent(message_id="m", text=str(time.perf_counter_ns()), token_index=index))


def handlers(settings: Settings, executor: Executor, data: DataRuns) -> Mapping[str, TaskHandler]:
    del settings
    return {"agent": Clock(), "workflow": ScriptHandler(executor)}


async def serve(state_dir: Path, workers: str) -> None:
    settings = load_settings(
        {"state_dir": state_dir, "port": 0, "workers": workers, "allow_private_callbacks": True},
        environ={},
        directory=state_dir,
    )
    configure_logging("error", "json")
    async with aclosing(UnisolatedEngine()) as engine:
        app = assemble(settings, engine, {"bash": "5"}, Metrics(), handlers)
        async with app.store.open(), app.tasks.open():
            await answer(app, bound("127.0.0.1", 0))


def started(folder: Path, workers: int) -> tuple["subprocess.Popen[str]", str]:
    command = [sys.executable, "-m", "tests.bench.tasks", str(folder), str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    return process, process.stderr.readline().split(" listens on ")[1].split()[0]


def events_of(http: httpx.Client, url: str) -> Any:
    with http.stream("GET", url) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def tokens(folder: Path) -> list[float]:
    """Milliseconds of each token."""
    receiver = Receiver()
    receiver.answer = lambda body: 30.0
    process, url = started(folder, 1)
    try:
        with client(url) as http:
            body = {"messages": [{"role": "user", "content": "x"}], "callback_url": receiver.url}
            receipt = http.post("/tasks", json=body).json()
            return [
                (time.perf_counter_ns() - int(event["text"])) / 1e6
                for event in events_of(http, receipt["events_url"])
                if event["type"] == "token"
            ]
    finally:
        process.terminate()
        process.wait(30)
        receiver.close()


def claims(folder: Path) -> list[float]:
    """Milliseconds from asking for a task to the first event of the runner that does it."""
    process, url = started(folder, 0)
    found = []
    try:
        with runner(folder, MODE="standby", REGISTER_URL=f"{url}/runners/register"), client(url) as http:
            for _ in range(CLAIMS):
                began = time.perf_counter_ns()
                receipt = http.post("/tasks", json={"steps": [{"run": "true"}]}).json()
                for event in events_of(http, receipt["events_url"]):
                    if str(event.get("reason", "")).startswith("begun"):
                        found.append((time.perf_counter_ns() - began) / 1e6)
                time.sleep(0.2)
    finally:
        process.terminate()
        process.wait(30)
    # The runner was still starting when the first was asked for.
    return found[1:]


def main() -> None:
    for name, measure in (("token to reader", tokens), ("standby: asked to first event", claims)):
        with tempfile.TemporaryDirectory() as folder:
            found = sorted(measure(Path(folder)))
        p95 = found[int(len(found) * 0.95)]
        print(f"{name}: n {len(found)}, p50 {statistics.median(found):.1f} ms, p95 {p95:.1f} ms")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        in_loop(serve(Path(sys.argv[1]), sys.argv[2]))
    else:
        main()
