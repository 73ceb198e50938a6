"""Ends a warm interpreter quickly, where the outcome is known and nothing a program can notice is skipped.

A complete shutdown takes every module apart, which for a forked interpreter means copying most of its memory first. Our
callback is registered before the program starts, so it runs after all of its own. By then threads are joined; what is
left to do is to drop the program's modules, so that its objects are finalised and its files flushed, and to exit.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_LEFT_BY_A_PROGRAM_THAT_ENDED = {"__name__", "__builtins__"}
_GONE_AFTER_THE_END = {"__file__", "__cached__"}


def shorten(started_with: set[str], loaded: Mapping[str, ModuleType], keep: list[ModuleType]) -> None:
    """Arrange the quick end of this interpreter, and keep modules until then."""
    atexit.register(_Ending(frozenset(started_with), loaded, keep))


class _Ending:
    def __init__(self, started_with: frozenset[str], loaded: Mapping[str, ModuleType], keep: list[ModuleType]) -> None:
        self._keep = keep
        self._started_with = started_with
        self._loaded = loaded

    def __call__(self) -> None:
        """Exit, or return for a complete shutdown when the exit code is not certain."""
        code = _exit_code()
        if code is None or not _flushed():
            sys.modules.update({name: module for name, module in self._loaded.items() if name not in sys.modules})
            return
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            sys.__dict__.pop(name, None)
        for name in set(sys.modules) - self._started_with - set(self._loaded) | {"__main__"}:
            sys.modules.pop(name, None)
        gc.collect()
        if _flushed():
            os._exit(code)


def _exit_code() -> int | None:
    """What this interpreter is about to exit with: 0 or 1, or None for SystemExit, whose code we cannot see.

    CPython removes `__file__` from the main module when its code has ended, by its end or by an exception it printed
    (then `sys.last_type` is set); SystemExit leaves at once and keeps it.
    """
    names = sys.modules["__main__"].__dict__.keys() if "__main__" in sys.modules else set()
    if not names >= _LEFT_BY_A_PROGRAM_THAT_ENDED or names & _GONE_AFTER_THE_END:
        return None
    failure = getattr(sys, "last_type", None)
    if failure is None:
        return 0
    return None if issubclass(failure, KeyboardInterrupt) else 1


def _flushed() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except Exception:
        return False
    return True
