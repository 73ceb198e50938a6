"""The attack suite inside of builds, and inside of runs with a layer: both are cells like any other."""

from collections.abc import AsyncIterator

import anyio
import pytest

from holdfast.engines import Engine
from holdfast.settings import load_settings
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.places import open_place
from tests.conftest import ABSENT, absent

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["build", "prebuilt"])
async def inside(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Engine]:
    opening = open_place(request.param, load_settings({"pool_size": 0}))
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
async def test_an_attack_from_a_build_or_a_prebuilt_environment_is_contained(attack: Attack, inside: Engine) -> None:
    outcome = (await run_attack(attack, inside)).outcome
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is Result.CONTAINED, outcome.reason
