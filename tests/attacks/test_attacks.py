"""Every attack on every engine: contained where there is isolation, and seen to work where there is none."""

from collections import Counter

import pytest

from holdfast.engines import Engine
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.attacks.excuses import CANNOT_HOLD

pytestmark = pytest.mark.anyio

LEAST = 120
RACES = 5
"""How often an attack may try where nothing holds it: some are races, which chance can lose."""


def _expected(engine: Engine) -> Result:
    return Result.CONTAINED if engine.capabilities.layers else Result.ESCAPED


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.aim}-{attack.name}")
async def test_attack_ends_as_it_must(attack: Attack, engine: Engine) -> None:
    expected = _expected(engine)
    for _ in range(RACES if expected is Result.ESCAPED else 1):
        outcome = (await run_attack(attack, engine)).outcome
        if outcome.result is not Result.CONTAINED:
            break
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is expected, outcome.reason


def test_there_are_enough_attacks_and_each_has_a_name_of_its_own() -> None:
    names = Counter(attack.name for attack in ATTACKS)
    assert len(names) == len(ATTACKS) >= LEAST, [name for name, count in names.items() if count > 1]


def test_every_excuse_is_for_an_attack_that_exists() -> None:
    names = {attack.name for attack in ATTACKS}
    assert all(excused.keys() <= names for excused in CANNOT_HOLD.values())
