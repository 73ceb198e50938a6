"""A warm run cannot be told from a cold one: the same programs, started both ways, byte for byte."""

from collections import Counter

import anyio
import pytest

from holdfast.engines import Engine, SandboxSpec
from holdfast.languages import DATA_PROFILE
from tests.differential.corpus import PROGRAMS
from tests.differential.program import Program
from tests.differential.running import LIMITS, Outcome, outcome

pytestmark = pytest.mark.anyio
stocked = pytest.mark.parametrize("engine", ["stocked"], indirect=True)

LEAST = 80
PROFILE_SECONDS = 40.0
PLAIN = ""
MUST_DIFFER = {
    "the random module": "import random\nprint(random.random(), random.getrandbits(64))",
    "numbers of numpy": "import numpy as np\nprint(np.random.random(3))",
    "generators of numpy": "import numpy as np\nprint(np.random.default_rng().random(3))",
    "numbers of numpy behind pandas": "import pandas as pd\nprint(pd.Series(range(99)).sample(9).tolist())",
    "uuid4": "import uuid\nprint(uuid.uuid4())",
    "secrets": "import secrets\nprint(secrets.token_hex())",
    "urandom": "import os\nprint(os.urandom(16))",
    "names of temporary files": "import tempfile\nprint(tempfile.mktemp())",
    "keys of multiprocessing": "import multiprocessing\nprint(bytes(multiprocessing.current_process().authkey))",
    "random numbers of sql": "import duckdb\nprint(duckdb.sql('select random()').fetchall())",
    "salts and keys of ssl": "import ssl\nprint(ssl.RAND_bytes(16))",
}


async def until_loaded(engine: Engine) -> None:
    """Wait until the launcher of the data profile is up; before, its runs would be plain ones."""
    with anyio.fail_after(PROFILE_SECONDS):
        wanted = SandboxSpec("python", LIMITS, profile=DATA_PROFILE)
        while engine.stock_spec(wanted).profile != DATA_PROFILE:  # noqa: ASYNC110  # no engine tells
            await anyio.sleep(0.05)


async def in_each_way(engine: Engine, program: Program) -> dict[str, Outcome]:
    """The outcome of a program by how it was started. What needs packages is not loaded twice without need."""
    found: dict[str, Outcome] = {}

    async def run(way: str, profile: str) -> None:
        found[way] = await outcome(engine, program, profile=profile, cold=way == "cold")

    async with anyio.create_task_group() as group:
        group.start_soon(run, "cold", PLAIN)
        group.start_soon(run, "warm with packages", DATA_PROFILE)
        if not program.uses_packages:
            group.start_soon(run, "warm", PLAIN)
    return found


@stocked
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_warm_equals_cold(program: Program, engine: Engine) -> None:
    await until_loaded(engine)
    found = await in_each_way(engine, program)
    cold = found.pop("cold")
    assert cold.reason is None
    for way, warm in found.items():
        assert warm == cold, way


@stocked
@pytest.mark.parametrize("what", MUST_DIFFER)
async def test_two_warm_runs_do_not_share(what: str, engine: Engine) -> None:
    await until_loaded(engine)
    program = Program(what, MUST_DIFFER[what])
    first, second = [await outcome(engine, program, profile=DATA_PROFILE) for _ in range(2)]
    assert first.exit_code == second.exit_code == 0, (first, second)
    assert first.stdout != second.stdout


@stocked
async def test_warm_runs_of_one_launcher_share_their_hash_seed_and_cold_ones_do_not(engine: Engine) -> None:
    await until_loaded(engine)
    program = Program("hash", "print(hash('a string'), hash(b'bytes'))")
    for profile in (PLAIN, DATA_PROFILE):
        warm = {(await outcome(engine, program, profile=profile)).stdout for _ in range(3)}
        assert len(warm) == 1
    cold = {(await outcome(engine, program, cold=True)).stdout for _ in range(3)}
    assert len(cold | warm) == 4


def test_there_are_enough_programs_and_each_has_a_name_of_its_own() -> None:
    names = Counter(program.name for program in PROGRAMS)
    assert len(names) == len(PROGRAMS) >= LEAST, [name for name, count in names.items() if count > 1]
