"""Every attack once more, tried from inside the interpreter of a session."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.engines import Engine
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.engines import open_engine
from tests.conftest import ABSENT, absent

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
    assert outcome.result is Result.CONTAINED, outcome.reason
