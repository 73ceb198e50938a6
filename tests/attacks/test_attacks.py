"""Every attack on every engine: contained where there is isolation, and seen to work where there is none."""

from collections import Counter

import pytest

from holdfast.engines import Engine
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.declared import DECLARED, declaration

pytestmark = pytest.mark.anyio

LEAST = 120
MOST_DECLARED = 0.05
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


async def test_what_a_declaration_says_of_an_engine_is_still_so(engine: Engine) -> None:
    found = (declaration(engine, attack.name) for attack in ATTACKS)
    for probe in {declared.probe for declared in found if declared is not None and declared.probe is not None}:
        async with Arena(engine) as arena:
            assert await probe(arena), f"{probe.__name__} is over; remove what it excuses"


def test_little_is_declared_and_only_of_attacks_that_exist() -> None:
    names = {attack.name for attack in ATTACKS}
    for declared in DECLARED.values():
        assert declared.keys() <= names
        assert len(declared) <= len(ATTACKS) * MOST_DECLARED


def test_there_are_enough_attacks_and_each_has_a_name_of_its_own() -> None:
    names = Counter(attack.name for attack in ATTACKS)
    assert len(names) == len(ATTACKS) >= LEAST, [name for name, count in names.items() if count > 1]
