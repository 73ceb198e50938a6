"""The promises of the engine seam, as plain async code: `run_case` runs one of `CASES` against any engine."""

from holdfast.testing.contract import interactive, languages, programs, sandboxes
from holdfast.testing.contract.case import CANNOT, BrokenPromiseError, Case, run_case

PROMISES = (*programs.PROMISES, *sandboxes.PROMISES, *languages.PROMISES, *interactive.PROMISES)
CASES: tuple[Case, ...] = tuple(Case(check.__name__, check) for check in PROMISES)

__all__ = ["CANNOT", "CASES", "BrokenPromiseError", "Case", "run_case"]
