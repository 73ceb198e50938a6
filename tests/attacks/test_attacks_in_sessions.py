"""Every attack once more, tried from inside the interpreter of a session."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.engines import Engine
from holdfast.settings import load_settings
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.places import DIFFERENT_IN_A_SESSION, judged, open_place
from tests.conftest import ABSENT, absent

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def sessions(anyio_backend: str) -> AsyncIterator[Engine]:
    opening = open_place("session", load_settings())
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
    outcome = judged(attack, "session", (await run_attack(attack, sessions)).outcome)
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is Result.CONTAINED, outcome.reason


def test_every_difference_is_of_an_attack_that_exists() -> None:
    assert {attack.name for attack in ATTACKS} >= DIFFERENT_IN_A_SESSION.keys()
