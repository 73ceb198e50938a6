"""Any plan compiles, passes the policy, and answers what pandas makes of it."""

import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.data.compiler import compile_plan
from holdfast.data.policy import SqlPolicy
from holdfast.settings import load_settings
from holdfast.testing.engines import open_engine
from holdfast.types import Approved
from holdfast.types.plan import parse_plan
from tests.conftest import ABSENT, absent
from tests.plans.world import COLUMNS, FRAMES, LINKS, TEXTS, WORLD, Json, plans

PLANS = 2_000
BATCH = 20


class Reference:
    """pandas and DuckDB, in the programs' environment."""

    def __init__(self) -> None:
        links = [[link.from_table, link.from_column, link.to_table, link.to_column] for link in LINKS]
        described = json.dumps({"columns": COLUMNS, "links": links, "texts": TEXTS})
        python = load_settings().guest_environment / "bin" / "python"
        program = Path(__file__).with_name("reference.py")
        command = [str(python), "-P", str(program), described]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def compare(self, **task: Any) -> Any:
        """What differs, or None; how many rows there are, and whether there are nulls among their values."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    opened = Reference()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture(scope="module")
def policy(portal: BlockingPortal) -> Iterator[SqlPolicy]:
    with portal.wrap_async_context_manager(_policy()) as opened:
        yield opened


@asynccontextmanager
async def _policy() -> AsyncIterator[SqlPolicy]:
    async with AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(open_engine("local"))
        except ABSENT as error:
            absent("local", error)
        yield await stack.enter_async_context(SqlPolicy(engine).open())


@pytest.mark.timeout(600)
def test_any_plan_compiles_passes_the_policy_and_equals_pandas(
    policy: SqlPolicy, portal: BlockingPortal, reference: Reference
) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=PLANS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(plan=plans(), frames=st.integers(0, FRAMES - 1))
    def holds(plan: Json, frames: int) -> None:
        compiled = compile_plan(parse_plan(plan), WORLD)
        said = portal.call(lambda: policy.check(compiled.sql, WORLD, parameters=True))
        assert isinstance(said, Approved) and said.sql == compiled.sql, said
        task = {"sql": compiled.sql, "readable": compiled.readable_sql, "parameters": compiled.parameters}
        told = reference.compare(frames=frames, plan={"having": [], "group_by": [], **plan}, **task)
        assert told["difference"] is None, compiled.readable_sql
        seen.update(key for key in ("joins", "having", "filters", "group_by", "distinct", "order_by") if plan.get(key))
        seen.update({"plans": 1, "answers": bool(told["rows"]), "nulls": told["nulls"]})

    holds()
    assert seen["plans"] >= PLANS
    assert all(seen[kind] > PLANS // 20 for kind in ("joins", "having", "filters", "group_by", "distinct", "order_by"))
    assert seen["answers"] > PLANS // 4 and seen["nulls"] > PLANS // 20
