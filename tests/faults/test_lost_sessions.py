"""The real server, killed and ended with sessions open."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.engines.local import LocalConfig
from tests.faults.test_sudden_death import a_marker, until_there_are

pytestmark = pytest.mark.anyio

EXIT_SECONDS = 20
STARTS = """
import subprocess
child = subprocess.Popen(["sleep", "{marker}"])
open("kept", "w").write("{marker}")
"""


class Server:
    """`holdfast serve` in a process of its own."""

    def __init__(self, state_dir: Path, config: LocalConfig) -> None:
        ours = {"STATE_DIR": state_dir, "GUEST_ENV": config.guest_env, "PORT": 0, "POOL_SIZE": 0, "LOG_LEVEL": "error"}
        environment = {**os.environ, **{f"HOLDFAST_{name}": str(value) for name, value in ours.items()}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast.cli", "serve"], stderr=subprocess.PIPE, text=True, env=environment
        )

    async def client(self) -> httpx.AsyncClient:
        """Wait until it listens."""
        assert self.process.stderr is not None
        line = await asyncio.to_thread(self.process.stderr.readline)
        found = re.search(r"http://\S+", line)
        assert found, line
        return httpx.AsyncClient(base_url=found[0], timeout=60)

    def end(self, number: signal.Signals) -> int:
        """Its exit code, once it has ended."""
        self.process.send_signal(number)
        code = self.process.wait(EXIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


async def made(client: httpx.AsyncClient, marker: str, count: int) -> list[str]:
    """Sessions, each of which has left a process running."""
    sessions = []
    for _ in range(count):
        sessions.append((await client.post("/sessions", json={})).json()["session_id"])
        answer = await client.post(f"/sessions/{sessions[-1]}/run", json={"code": STARTS.format(marker=marker)})
        assert answer.json()["status"] == "succeeded", answer.text
    await until_there_are(count, marker)
    return sessions


async def found(client: httpx.AsyncClient, session: str) -> tuple[Any, ...]:
    """What is left of a session."""
    run = await client.post(f"/sessions/{session}/run", json={"code": "1"})
    return (
        run.status_code,
        run.json()["code"],
        run.json()["detail"],
        (await client.get(f"/sessions/{session}/files/kept")).text,
    )


@pytest.mark.parametrize(
    ("number", "reason", "count"),
    [(signal.SIGKILL, "The server ended without closing it.", 100), (signal.SIGTERM, "The server was stopped.", 3)],
    ids=["killed", "stopped"],
)
async def test_a_server_that_ends_leaves_no_process_and_the_next_knows_its_sessions(
    tmp_path: Path, config: LocalConfig, number: signal.Signals, reason: str, count: int
) -> None:
    marker = a_marker()
    first = Server(tmp_path, config)
    async with await first.client() as client:
        sessions = await made(client, marker, count)
    assert first.end(number) == (0 if number == signal.SIGTERM else -9)
    await until_there_are(0, marker)
    second = Server(tmp_path, config)
    try:
        async with await second.client() as client:
            for session in sessions:
                assert await found(client, session) == (
                    410,
                    "session_lost",
                    f"The session is lost: {reason.rstrip('.')}; make a new one.",
                    marker,
                )
    finally:
        second.end(signal.SIGTERM)


async def test_sigterm_ends_a_run_of_a_session_that_does_not_end(tmp_path: Path, config: LocalConfig) -> None:
    marker = a_marker()
    server = Server(tmp_path, config)
    async with await server.client() as client:
        session = (await made(client, marker, 1))[0]
        body = {"code": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "timeout": 60}
        run = asyncio.create_task(client.post(f"/sessions/{session}/run", json=body))
        await asyncio.sleep(1)
        assert await asyncio.to_thread(server.end, signal.SIGTERM) == 0
        answer = await run
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    await until_there_are(0, marker)
