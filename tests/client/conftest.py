"""A real server, a server that says what it is told to, and both clients in front of them."""

import inspect
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
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
from tests.product import product

Connect = Callable[..., Any]


class Driven:
    """An AsyncClient, or a session or stream of one, in ordinary code, so that one test is about both clients."""

    def __init__(self, portal: BlockingPortal, thing: Any) -> None:
        self._portal = portal
        self._thing = thing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        return partial(self._call, found) if callable(found) else found

    def _call(self, method: Any, *args: Any, **fields: Any) -> Any:
        answer = method(*args, **fields)
        if inspect.isawaitable(answer):
            answer = self._portal.call(_awaited, answer)
        wrapped = hasattr(answer, "__aenter__") or hasattr(answer, "__aiter__")
        return Driven(self._portal, answer) if wrapped else answer

    def __enter__(self) -> "Driven":
        self._portal.call(self._thing.__aenter__)
        return self

    def __exit__(self, *problem: Any) -> None:
        self._portal.call(self._thing.__aexit__, *problem)

    def __iter__(self) -> Iterator[Any]:
        events = aiter(self._thing)
        try:
            while True:
                yield self._portal.call(events.__anext__)
        except StopAsyncIteration:
            return


async def _awaited(something: Awaitable[Any]) -> Any:
    return await something


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


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server around the engine without isolation."""
    with serving(tmp_path_factory.mktemp("server"), "concurrency=1") as url:
        yield url


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the product on this host; skips where it has no local engine, unless it is expected."""
    with product(tmp_path_factory.mktemp("local")) as url:
        yield url


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
