"""Whoever dies first, no program runs on."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.engines import Command, SandboxSpec
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local.engine import STOCK_LIMITS
from holdfast.engines.local.launchers import PLAIN
from holdfast.errors import EngineError
from tests.conftest import lacks

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 60.0

SERVER = """
import asyncio, sys
from holdfast.app import open_app
from holdfast.settings import load_settings
from holdfast.types import RunRequest

async def main():
    async with open_app(load_settings({"pool_size": 4})) as app:
        entrypoint = f"setsid sleep {sys.argv[1]} & exec sleep {sys.argv[1]}"
        runs = [app.executor.run(RunRequest(entrypoint=entrypoint, timeout=100)) for _ in range(3)]
        await asyncio.gather(*runs)

asyncio.run(main())
"""


def a_marker() -> str:
    """A number of seconds nobody else sleeps."""
    return f"9{secrets.randbelow(10**8):08d}"


def processes_with(marker: str) -> list[int]:
    """Programs, in whatever namespace, whose arguments contain the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if arguments[0] == b"sleep" and marker.encode() in arguments:
                found.append(int(entry.name))
    return found


def a_server(marker: str) -> "subprocess.Popen[bytes]":
    """A process of its own with three runs of two sleeping programs each."""
    return subprocess.Popen([sys.executable, "-c", SERVER, marker])


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid")).split()[1])


async def until_there_are(count: int, marker: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(processes_with(marker)) != count:
        assert time.monotonic() < deadline, f"{processes_with(marker)} instead of {count} processes"
        await asyncio.sleep(0.05)


async def sleeping(engine: LocalEngine, marker: str) -> None:
    sandbox = await engine.create(SandboxSpec("bash", STOCK_LIMITS))
    try:
        async with sandbox.exec(Command(("sleep", marker), wall_seconds=100)) as process:
            async for _ in process:
                pass
    finally:
        await sandbox.aclose()


async def test_the_death_of_the_server_leaves_no_running_program(config: LocalConfig) -> None:
    marker = a_marker()
    server = a_server(marker)
    try:
        await until_there_are(6, marker)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    await until_there_are(0, marker)


async def test_the_server_survives_the_death_of_its_launcher(config: LocalConfig) -> None:
    marker = a_marker()
    async with LocalEngine.open(config) as engine:
        run = asyncio.create_task(sleeping(engine, marker))
        await until_there_are(1, marker)
        launcher = engine._launchers.keepers[PLAIN].current
        assert launcher is not None
        os.kill(launcher.pid, signal.SIGKILL)
        with pytest.raises(EngineError):
            await run
        await until_there_are(0, marker)
        again = asyncio.create_task(sleeping(engine, "0.01"))
        await asyncio.wait_for(again, PATIENCE_SECONDS)


async def test_a_killed_pid_1_is_our_failure_and_not_the_programs(config: LocalConfig) -> None:
    marker = a_marker()
    async with LocalEngine.open(config) as engine:
        run = asyncio.create_task(sleeping(engine, marker))
        await until_there_are(1, marker)
        os.kill(parent_of(processes_with(marker)[0]), signal.SIGKILL)
        with pytest.raises(EngineError):
            await run
        await until_there_are(0, marker)


async def test_control_groups_of_a_killed_server_are_swept_by_the_next(config: LocalConfig) -> None:
    marker = a_marker()
    server = a_server(marker)
    try:
        await until_there_are(6, marker)
        left = _groups_of(server.pid)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    await until_there_are(0, marker)
    async with LocalEngine.open(config) as engine:
        if engine.capabilities.cgroup == "none":
            lacks("local", "this host gives us no control groups")
    assert left
    assert _groups_of(server.pid) == []


def _groups_of(pid: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/holdfast/{pid}-*"))
