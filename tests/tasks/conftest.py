"""The queue of tasks around the engine without isolation, and a receiver of callbacks that can misbehave."""

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.store import Retention, Store
from holdfast.tasks import TaskHandler
from holdfast.tasks.callbacks import CallbackRules, Signer
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.queue import Bounds
from holdfast.tasks.service import TaskConfig, TaskService
from holdfast.telemetry import Metrics
from holdfast.testing.tasks import SpeakingHandler
from holdfast.types import OPERATOR, AnyTaskEvent, Task, task_request
from tests.postgres import Cluster, cluster

KEEP = Retention(days=30, runs=1000, every_hours=24)
SAY = {"messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return tmp_path / "holdfast.db"
    running: Cluster = request.getfixturevalue("postgres")
    return running.database()


class Receiver:
    """A server that takes callbacks. `answers` says what each request gets: a status, or seconds to hang."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.accepted: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.answer: Callable[[dict[str, Any]], int | float] = lambda body: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(raw)
                receiver.raw.append(raw)
                receiver.bodies.append(body)
                receiver.keys.append(self.headers["Idempotency-Key"])
                receiver.headers.append(dict(self.headers.items()))
                answer = receiver.answer(body)
                if isinstance(answer, float):
                    time.sleep(answer)
                    answer = 200
                if answer < 300:
                    receiver.accepted.append(body)
                self.send_response(answer)
                if answer in (302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/events"

    @property
    def types(self) -> list[str]:
        """What was accepted."""
        return [body["type"] for body in self.accepted]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def config(folder: Path, **changes: Any) -> TaskConfig:
    bounds: dict[str, Any] = {
        "queue": 100,
        "lease_seconds": 5.0,
        "timeout_seconds": 60.0,
        "log_bytes": 1 << 20,
        "total_bytes": 1 << 30,
    }
    bounds |= {name: changes.pop(name) for name in [*changes] if name in bounds}
    values: dict[str, Any] = {
        "folder": folder / "files",
        "workers": 1,
        "bounds": Bounds(**bounds),
        "max_timeout_seconds": 600.0,
        "files_bytes": 1 << 20,
        "rules": CallbackRules(private=True),
        "signer": Signer(lambda: b"key"),
        "backoff": Backoff(0.01),
    }
    return TaskConfig(**{**values, **changes})


@asynccontextmanager
async def service(
    place: Path | str, folder: Path, handlers: dict[str, TaskHandler] | None = None, **changes: Any
) -> AsyncIterator[TaskService]:
    """A server's tasks, from its start to its end."""
    async with Store(place, KEEP).open() as store:
        made = TaskService(store, handlers or {"agent": SpeakingHandler()}, config(folder, **changes), Metrics())
        async with made.open():
            yield made


async def submitted(tasks: TaskService, **fields: Any) -> str:
    request = task_request.validate_python({**SAY, **fields})
    return (await tasks.queue.submit(request, OPERATOR, None)).id


async def ended(tasks: TaskService, task_id: str) -> list[AnyTaskEvent]:
    """All events of a task, once there are no more."""
    return [event async for event in tasks.queue.follow(task_id, OPERATOR, 0)]


async def settled(tasks: TaskService, task_id: str) -> Task:
    """The task when its delivery has come to an end."""
    with anyio.fail_after(30):
        while True:
            task = await tasks.queue.get(task_id, OPERATOR)
            if task.delivery is not None and task.delivery.state != "pending":
                return task
            await anyio.sleep(0.01)
