"""A cell that waits for its job has the processors only while nobody else wants them, and then its part of them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.engines import Command, Exited, SandboxSpec
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local.cell import LocalSandbox
from holdfast.engines.local.engine import STOCK_LIMITS
from tests.conftest import lacks

pytestmark = pytest.mark.anyio

SHARES, ASKED = {"cpu.shares": "512", "cpu.weight": "50"}, STOCK_LIMITS.model_copy(update={"cpu_shares": 512})
SECOND = {"cpu.shares": "64", "cpu.weight": "6"}


@pytest.fixture
async def engine(config: LocalConfig) -> AsyncIterator[LocalEngine]:
    async with LocalEngine.open(config) as opened:
        yield opened


def group(engine: LocalEngine) -> Path:
    """That of the only cell."""
    hierarchies = engine._groups.hierarchies
    found = [path for each in hierarchies if "cpu" in each.controllers for path in each.directory.glob("cell-*")]
    if engine.capabilities.cgroup == "none":
        lacks("local", "there are no control groups here")
    if not (found[0] / "cpu.idle").exists():
        lacks("local", "this kernel has no idle groups (Linux 5.15)")
    return found[0]


def told(group: Path) -> dict[str, str]:
    return {name: (group / name).read_text().strip() for name in SHARES if (group / name).exists()}


async def run(sandbox: LocalSandbox, group: Path) -> dict[str, str]:
    """What its group says while a program runs in it."""
    async with sandbox.exec(Command(("sh", "-c", "echo on; sleep 0.2"), wall_seconds=20)) as process:
        async for event in process:
            if isinstance(event, Exited):
                break
            found = told(group)
            assert (group / "cpu.idle").read_text().strip() == "0"
    return found


async def test_a_cell_in_stock_is_idle_until_it_is_taken_and_has_the_share_it_is_asked_for_then(
    engine: LocalEngine,
) -> None:
    async with aclosing(await engine.create(SandboxSpec("bash", STOCK_LIMITS))) as sandbox:
        place = group(engine)
        assert (place / "cpu.idle").read_text().strip() == "1"
        sandbox.adjust(replace(SandboxSpec("bash", STOCK_LIMITS), limits=ASKED))
        assert (place / "cpu.idle").read_text().strip() == "0"
        now = await run(sandbox, place)
        assert now.items() <= SHARES.items()


async def test_one_that_is_used_with_the_very_limits_of_the_stock_has_their_share(engine: LocalEngine) -> None:
    async with aclosing(await engine.create(SandboxSpec("bash", STOCK_LIMITS))) as sandbox:
        place = group(engine)
        now = await run(sandbox, place)
        assert now.items() <= SECOND.items()


async def test_one_that_is_made_for_a_run_is_never_idle(engine: LocalEngine) -> None:
    async with aclosing(await engine.create(SandboxSpec("bash", ASKED))):
        assert (group(engine) / "cpu.idle").read_text().strip() == "0"
