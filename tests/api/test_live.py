"""The real server on a loopback port: streams, clients that leave, load, and an orderly end."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from httpx_sse import aconnect_sse

from holdfast.cli.serving import bound
from holdfast.errors import ConfigurationError

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).with_name("live_server.py")
ENDLESS = (
    "import time\nopen({pid!r}, 'w').write(str(__import__('os').getpid()))\nprint('up', flush=True)\ntime.sleep(600)"
)


class Live:
    """A running server process and where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, line
        self.url = found[0]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    with ExitStack() as stack:

        def run(**settings: object) -> Live:
            pairs = [f"{name}={value}" for name, value in settings.items()]
            command = [sys.executable, str(SERVER), str(tmp_path), *pairs]
            # A server that is killed in the end leaves its temporary files where pytest removes them.
            environment = {**os.environ, "TMPDIR": str(tmp_path)}
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
            stack.enter_context(process)
            stack.callback(process.kill)
            return Live(process)

        yield run


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=300)) as client:
        yield client


async def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process gives no event
            await anyio.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_stream_brings_output_while_the_program_runs(
    start: Callable[..., Live], web: httpx.AsyncClient
) -> None:
    live = start()
    code = "import sys\nprint('one', flush=True)\nsys.stdin.read()\nprint('zwö', file=sys.stderr)"
    events: list[tuple[str, dict[str, Any]]] = []
    async with aconnect_sse(web, "POST", f"{live.url}/run/stream", json={"code": code}) as source:
        assert source.response.headers["content-type"].startswith("text/event-stream")
        ids = []
        async for event in source.aiter_sse():
            ids.append(int(event.id))
            events.append((event.event, json.loads(event.data)))
    names = [name for name, _ in events]
    assert (names[0], set(names[1:-1]), names[-1]) == ("started", {"output"}, "exited")
    assert ids == [*range(1, len(events) + 1)] == [body["seq"] for _, body in events]
    for stream, text in (("stdout", "one\n"), ("stderr", "zwö\n")):
        assert "".join(body["text"] for _, body in events[1:-1] if body["stream"] == stream) == text
    result = events[-1][1]["result"]
    assert (result["status"], result["stdout"], result["run_id"]) == ("succeeded", "one\n", events[0][1]["run_id"])


async def test_output_arrives_before_the_program_ends(start: Callable[..., Live], web: httpx.AsyncClient) -> None:
    live = start()
    body = {"code": "import os, time; print(f'early {os.getpid()}', flush=True); time.sleep(600)", "timeout": 60}
    with anyio.fail_after(20):
        async with aconnect_sse(web, "POST", f"{live.url}/run/stream", json=body) as source:
            async for event in source.aiter_sse():
                if event.event == "output":
                    early, pid = json.loads(event.data)["text"].split()
                    assert early == "early"
                    break
    # A server that is killed before it has heard that its client left would leave it running.
    await wait_for(lambda: not runs(int(pid)))


@pytest.mark.parametrize("route", ["/run", "/run/stream"])
async def test_a_client_that_leaves_ends_its_run(
    route: str, start: Callable[..., Live], web: httpx.AsyncClient, tmp_path: Path
) -> None:
    live = start(concurrency=1)
    proof = tmp_path / "pid"
    body = {"code": ENDLESS.format(pid=str(proof)), "timeout": 60}
    async with anyio.create_task_group() as group:

        async def call() -> None:
            await web.post(live.url + route, json=body)

        group.start_soon(call)
        await wait_for(lambda: proof.exists() and proof.read_text() != "")
        group.cancel_scope.cancel()
    pid = int(proof.read_text())
    await wait_for(lambda: not runs(pid), seconds=2)
    answer = await web.post(f"{live.url}/run", json={"code": "print('free again')"})
    assert answer.json()["stdout"] == "free again\n"


async def test_two_hundred_requests_at_once_are_all_answered(
    start: Callable[..., Live], web: httpx.AsyncClient
) -> None:
    live = start(concurrency=4, queue=64)
    answers: list[httpx.Response] = []

    async def call() -> None:
        answers.append(await web.post(f"{live.url}/run", json={"code": "sleep 0.3; echo hi", "image": "bash"}))

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(call)
    statuses = {answer.status_code for answer in answers}
    assert len(answers) == 200
    assert statuses == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["code"] == "queue_full"
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        else:
            assert answer.json()["stdout"] == "hi\n"


async def test_sigterm_answers_running_requests_and_turns_new_ones_away(
    start: Callable[..., Live], web: httpx.AsyncClient, tmp_path: Path
) -> None:
    live = start()
    proof, go_on = tmp_path / "started", tmp_path / "go"
    code = f"import os, time\nopen({str(proof)!r}, 'w')\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.02)"
    running = asyncio.create_task(web.post(f"{live.url}/run", json={"code": f"{code}\nprint('done')"}))
    await wait_for(proof.exists)
    live.process.send_signal(signal.SIGTERM)
    with anyio.fail_after(5):
        while (refused := await web.post(f"{live.url}/run", json={"code": "1"})).status_code == 200:
            pass
    assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
    assert (await web.get(f"{live.url}/health")).json()["status"] == "degraded"
    go_on.touch()
    assert (await running).json()["stdout"] == "done\n"
    assert await anyio.to_thread.run_sync(live.process.wait, 15) == 0


async def test_sigterm_ends_a_program_that_does_not_end_and_still_answers(
    start: Callable[..., Live], web: httpx.AsyncClient, tmp_path: Path
) -> None:
    live = start()
    proof = tmp_path / "pid"
    running = asyncio.create_task(
        web.post(f"{live.url}/run", json={"code": ENDLESS.format(pid=str(proof)), "timeout": 60})
    )
    await wait_for(lambda: proof.exists() and proof.read_text() != "")
    began = time.monotonic()
    live.process.send_signal(signal.SIGTERM)
    result = (await running).json()
    assert (result["status"], result["stdout"]) == ("cancelled", "up\n")
    assert await anyio.to_thread.run_sync(live.process.wait, 15) == 0
    assert time.monotonic() - began < 20, "ruling 33 promises 20 s"


async def test_ctrl_c_ends_with_success_and_no_traceback(start: Callable[..., Live]) -> None:
    live = start()
    live.process.send_signal(signal.SIGINT)
    assert await anyio.to_thread.run_sync(live.process.wait, 15) == 0
    assert live.process.stderr is not None
    assert "Traceback" not in live.process.stderr.read()


async def test_a_port_in_use_is_one_clear_sentence(start: Callable[..., Live]) -> None:
    port = int(start().url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"Port {port} on 127.0.0.1 is already in use"):
        bound("127.0.0.1", port)


def test_no_answer_waits_until_its_head_is_acknowledged() -> None:
    with bound("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
