"""A warm run cannot be told from a cold one: the same programs, started both ways, byte for byte."""

import anyio
import pytest

from holdfast.engines import Engine
from tests.differential.corpus import PROGRAMS
from tests.differential.program import Program
from tests.differential.running import Outcome, outcome

pytestmark = pytest.mark.anyio

LEAST = 80

DIFFERS = {
    "__del__ of two modules": "the order in which modules are taken apart follows where they are in memory",
    "shows subclasses of object from the library": "classes of modules the launcher uses are known to `object`",
}
"""Programs that can tell, and how. The expectation is strict: one that no longer can must leave this list."""

DIFFERENT_EACH_TIME = {
    "random numbers": "import random; print(random.random())",
    "uuids": "import uuid; print(uuid.uuid4())",
    "secrets": "import secrets; print(secrets.token_hex())",
    "names of temporary files": "import tempfile; print(tempfile.mktemp())",
    "random numbers of numpy": "import numpy; print(numpy.random.random())",
}


async def both(engine: Engine, program: Program) -> dict[str, Outcome]:
    """The program run in each way, side by side."""
    found: dict[str, Outcome] = {}

    async def run(way: str, *, cold: bool) -> None:
        found[way] = (await outcome(engine, program, cold=cold)).without_chance()

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run("cold", cold=True))
        group.start_soon(lambda: run("warm", cold=False))
    return found


@pytest.mark.parametrize("engine", ["stocked"], indirect=True)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_warm_equals_cold(program: Program, engine: Engine) -> None:
    found = await both(engine, program)
    if program.name in DIFFERS:
        assert found["warm"] != found["cold"], f"take {program.name!r} from the list: it no longer differs"
    else:
        assert found["warm"] == found["cold"]


@pytest.mark.parametrize("engine", ["stocked"], indirect=True)
@pytest.mark.parametrize("code", DIFFERENT_EACH_TIME.values(), ids=DIFFERENT_EACH_TIME.keys())
async def test_two_warm_runs_share_no_chance(code: str, engine: Engine) -> None:
    program = Program("a program of chance", code)
    first, second = await outcome(engine, program), await outcome(engine, program)
    assert first.stdout and first.stdout != second.stdout


def test_there_are_enough_programs_and_each_has_a_name_of_its_own() -> None:
    names = [program.name for program in PROGRAMS]
    assert len(set(names)) == len(names) >= LEAST
    assert DIFFERS.keys() <= set(names)
