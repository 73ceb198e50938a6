"""A real server, a server that says what it is told to, and both clients in front of them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from holdfast.client import AsyncClient, Client
from tests.api.test_live import SERVER, Live

Connect = Callable[..., Any]


class Driven:
    """An AsyncClient in ordinary code, so that one test is about both clients."""

    def __init__(self, portal: BlockingPortal, client: AsyncClient) -> None:
        self.portal = portal
        self.client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        return lambda *args, **fields: self.portal.call(partial(method, *args, **fields))

    @contextmanager
    def stream(self, *args: Any, **fields: Any) -> Iterator[Any]:
        with driven_events(self.portal, self.client.stream(*args, **fields)) as events:
            yield events


@contextmanager
def driven_events(portal: BlockingPortal, stream: Any) -> Iterator["DrivenEvents"]:
    with portal.wrap_async_context_manager(stream) as opened:
        events = DrivenEvents(portal, opened)
        yield events
        events.close()


class DrivenEvents:
    def __init__(self, portal: BlockingPortal, stream: Any) -> None:
        self._portal = portal
        self._stream = stream
        self._events = stream.__aiter__()

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                yield self._portal.call(self._events.__anext__)
        except StopAsyncIteration:
            return

    def close(self) -> None:
        self._portal.call(self._events.aclose)

    @property
    def result(self) -> Any:
        return self._stream.result


@pytest.fixture(params=["blocking", "awaiting"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make a client: `connect(url, api_key)`."""
    with ExitStack() as stack:

        def make(*args: Any, **options: Any) -> Any:
            if request.param == "blocking":
                return stack.enter_context(Client(*args, **options))
            portal = stack.enter_context(start_blocking_portal())
            return Driven(portal, stack.enter_context(portal.wrap_async_context_manager(AsyncClient(*args, **options))))

        yield make


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server around the engine without isolation."""
    with serving(tmp_path_factory.mktemp("server"), "concurrency=1") as url:
        yield url


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that wants the key 'sesame'."""
    with serving(tmp_path_factory.mktemp("guarded"), "api_keys=sesame") as url:
        yield url


@contextmanager
def serving(folder: Path, *settings: str) -> Iterator[str]:
    command = [sys.executable, str(SERVER), str(folder), *settings]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={"TMPDIR": str(folder)}) as process:
        try:
            yield Live(process).url
        finally:
            process.kill()


@pytest.fixture
def client(connect: Connect, live: str) -> Any:
    """A client of the real server."""
    return connect(live)


class Told:
    """A server that gives the answers it was told, the last one for ever, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                told.asked.append((self.command, self.path, headers, body))
                status, headers, content = told.answers[min(len(told.asked), len(told.answers)) - 1]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=partial(self._server.serve_forever, poll_interval=0.01))
        self._thread.start()

    def then(self, status: int, body: Any, **headers: str) -> "Told":
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def told() -> Iterator[Told]:
    server = Told()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Where a program writes that it runs."""
    return tmp_path / "pid"
