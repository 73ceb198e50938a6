"""Switching the engine is one setting."""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from holdfast.app import open_app, probe_engines
from holdfast.errors import StartupError
from holdfast.settings import load_settings
from holdfast.types import RunRequest, RunResult
from tests.conftest import absent

pytestmark = pytest.mark.anyio

ENGINES = {"local", "docker", "docker+runsc", "gvisor"}
REQUEST = RunRequest(
    code="import sys; print(sys.stdin.read(), *sys.argv[1:]); open('a.txt', 'w').write('made')",
    args=["x"],
    stdin="in",
    artifacts=["*.txt"],
)


def seen(result: RunResult) -> tuple[object, ...]:
    """What a caller sees, but for what held the program and what it took."""
    return (result.status, result.stdout, result.stderr, result.exit_code, result.artifacts, result.limits)


async def ran_on(engine: str) -> RunResult:
    try:
        async with open_app(load_settings({"engine": engine, "pool_size": 0}), ["python"]) as app:
            return await app.executor.run(REQUEST)
    except StartupError as error:
        absent(engine, error)


async def test_only_the_setting_changes() -> None:
    here, there = await ran_on("local"), await ran_on("gvisor")
    assert seen(here) == seen(there)
    assert (here.isolation.engine, there.isolation.engine) == ("local", "gvisor")


async def test_doctor_says_what_every_engine_enforces_or_lacks() -> None:
    with anyio.fail_after(50):
        found = await probe_engines(load_settings({"pool_size": 0}))
    assert found.keys() == ENGINES
    for name, capabilities in found.items():
        assert capabilities.layers or capabilities.problems, f"{name} neither works nor says why not"


def test_doctor_prints_them_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "holdfast.cli", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=False)
    assert set(json.loads(done.stdout)["engines"]) == ENGINES
