"""Attacks on a sandbox, as plain async code: what a hostile program would try, and whether it worked.

`run_attack` runs one against any engine; `holdfast doctor --attack` runs them all on the operator's host. Each is
contained, escaped, or not applicable for a reason that a probe has found. Run against `UnisolatedEngine` every one
escapes or is not applicable, which shows that none is contained merely because it does not work.
"""

from holdfast.testing.attacks import (
    compiling,
    escape_engine,
    escape_files,
    escape_kernel,
    escape_processes,
    exhaust,
    exhaust_host,
    languages,
    leak,
    lie,
    network,
    residue,
)
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import Aim, Attack, BrokenAttackError, Outcome, Ran, Report, Result
from holdfast.testing.attacks.running import run_attack

GROUPS = (
    escape_files,
    escape_processes,
    escape_kernel,
    escape_engine,
    exhaust,
    exhaust_host,
    leak,
    network,
    residue,
    lie,
    languages,
    compiling,
)
ATTACKS: tuple[Attack, ...] = tuple(
    sorted((attack for group in GROUPS for attack in group.ATTACKS), key=lambda attack: list(Aim).index(attack.aim))
)

__all__ = ["ATTACKS", "Aim", "Arena", "Attack", "BrokenAttackError", "Outcome", "Ran", "Report", "Result", "run_attack"]
