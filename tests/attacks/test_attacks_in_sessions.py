"""Every attack once more, tried from inside the interpreter of a session."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.engines import Engine
from holdfast.testing.attacks import ATTACKS, Attack, Result, lie, run_attack
from holdfast.testing.engines import open_engine
from tests.conftest import ABSENT, absent

DIFFERENT = {
    "holds_descriptors_besides_the_standard_ones": "the interpreter talks with the server over two of its own",
    "forges_a_verdict_on_every_descriptor": "an interpreter that makes no sense is ended, whatever the code exits with",
    "forges_a_verdict_as_frames": "an interpreter that makes no sense is ended, whatever the code exits with",
    "forges_a_verdict_and_kills_itself": "an interpreter that makes no sense is ended, whatever the code does next",
    "leaves_no_memory_for_its_verdict": "an interpreter needs more memory than this attack is given",
}
"""What a session does otherwise than a run, and why that is no escape."""

FORGED_CODE = f"exit_code={lie.FORGED_CODE}"

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def sessions(anyio_backend: str) -> AsyncIterator[Engine]:
    opening = open_engine("sessioned")
    try:
        engine = await opening.__aenter__()
    except ABSENT as error:
        absent("local", error)
    try:
        yield engine
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.aim}-{attack.name}")
async def test_attack_from_inside_a_session_is_contained(attack: Attack, sessions: Engine) -> None:
    outcome = (await run_attack(attack, sessions)).outcome
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    if attack.name not in DIFFERENT:
        assert outcome.result is Result.CONTAINED, outcome.reason
        return
    assert FORGED_CODE not in outcome.reason


def test_every_difference_is_of_an_attack_that_exists() -> None:
    assert {attack.name for attack in ATTACKS} >= DIFFERENT.keys()
