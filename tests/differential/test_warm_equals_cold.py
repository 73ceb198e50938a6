"""A warm run cannot be told from a cold one: the same programs, started both ways, byte for byte."""

from collections import Counter
from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.engines import Engine, SandboxSpec
from tests.differential.corpus import PROGRAMS
from tests.differential.program import Program
from tests.differential.running import DATA, LIMITS, PLAIN, Outcome, outcome

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", ["stocked"], indirect=True)]

LEAST = 80
PROFILE_SECONDS = 40.0


@pytest.fixture(autouse=True)
async def profile(engine: Engine) -> None:
    """Wait until the launcher of the data profile is up; before, its runs would be plain ones."""
    with anyio.fail_after(PROFILE_SECONDS):
        while engine.stock_spec(SandboxSpec("python", LIMITS, profile=DATA)).profile != DATA:
            await anyio.sleep(0.05)


async def runs(engine: Engine, program: Program) -> dict[str, Outcome]:
    """The program run in each way, side by side."""
    found: dict[str, Outcome] = {}

    async def run(way: str, profile: str, *, cold: bool) -> None:
        found[way] = await outcome(engine, program, profile=profile, cold=cold)

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run("cold", PLAIN, cold=True))
        group.start_soon(lambda: run("warm", PLAIN, cold=False))
        group.start_soon(lambda: run("warm with data", DATA, cold=False))
    return found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_warm_equals_cold(program: Program, engine: Engine) -> None:
    found = await runs(engine, program)
    assert found["warm"] == found["cold"]
    assert found["warm with data"] == found["cold"]
