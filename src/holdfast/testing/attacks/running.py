"""Running one attack against one engine."""

import time
from contextlib import aclosing

from holdfast.engines import Engine
from holdfast.errors import EngineError, RequestError, UnsupportedError
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.declared import Declaration, declaration
from holdfast.testing.attacks.model import (
    LACKING,
    Attack,
    BrokenAttackError,
    Outcome,
    Report,
    Result,
    contained,
    escaped,
    not_applicable,
)
from holdfast.testing.unisolated import UnisolatedEngine

_TELLING = (RequestError, EngineError, TimeoutError)


async def run_attack(attack: Attack, engine: Engine) -> Report:
    """Run it and judge it. Raises BrokenAttackError when the program neither did its deed nor was refused it."""
    started = time.monotonic()
    outcome = await _attempt(attack, engine)
    if outcome.result is Result.CONTAINED and outcome.refusal is not None:
        outcome = await _unless_the_host_has_nothing(attack, engine, outcome)
    declared = declaration(engine, attack.name)
    if declared is not None:
        outcome = _known(attack, outcome, declared)
    return Report(attack, engine.capabilities.engine, outcome, time.monotonic() - started)


def _known(attack: Attack, outcome: Outcome, declared: Declaration) -> Outcome:
    """Raises BrokenAttackError when nothing is left to declare."""
    if outcome.result is Result.ESCAPED:
        return not_applicable(f"declared: {declared.reason}")
    if outcome.result is Result.CONTAINED and declared.probe is None:
        raise BrokenAttackError(f"{attack.name} is contained now; remove the declaration '{declared.reason}'")
    return outcome


async def _attempt(attack: Attack, engine: Engine) -> Outcome:
    async with Arena(engine) as arena:
        try:
            return await attack.deed(arena)
        except _TELLING as error:
            return _outcome_of(error)
        except ExceptionGroup as group:
            # What does two things at once fails as a group.
            telling, others = group.split(_TELLING)
            if telling is None or others is not None:
                raise
            return _outcome_of(telling.exceptions[0])


def _outcome_of(error: Exception) -> Outcome:
    """What it says about the attack that it broke off so."""
    if isinstance(error, ExceptionGroup):
        return _outcome_of(error.exceptions[0])
    if isinstance(error, UnsupportedError):
        return not_applicable(f"the engine refuses to run it: {error}")
    if isinstance(error, RequestError):
        return contained(f"refused before it ran: {error}")
    if isinstance(error, EngineError):
        return escaped(f"a program made the engine fail: {error}")
    return escaped("the engine gave no verdict")


async def _unless_the_host_has_nothing(attack: Attack, engine: Engine, outcome: Outcome) -> Outcome:
    """What this host refuses to everybody says nothing about the engine; a run without a sandbox is the probe."""
    telling = attack.host_may_refuse
    probed = outcome
    if engine.capabilities.layers:
        telling &= LACKING
        if not telling:
            return outcome
        async with aclosing(UnisolatedEngine()) as bare:
            probed = await _attempt(attack, bare)
    if probed.result is Result.CONTAINED and probed.refusal in telling:
        return not_applicable(f"without any sandbox this host answers {probed.reason}")
    return outcome
