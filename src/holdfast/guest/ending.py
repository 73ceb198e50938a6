"""Ends a warm interpreter without taking everything apart, where a program cannot tell.

A complete shutdown writes to every object of every module, which for a forked interpreter means copying most of its
memory first. Our callback is registered before the program starts, so it runs after all of its own, when threads are
joined. It does what Py_FinalizeEx would do to the program: the same steps, in the same order (Python/pylifecycle.c).
What is left of the interpreter then is the launcher's, and there are three ways on:

- something of the program is left that wants to be finalised, or anything else is unusual: a complete shutdown;
- nothing is left, and it is certain with which code the interpreter would exit: exit with it;
- nothing is left, but the code is known to CPython only (SystemExit): the shutdown goes on, over as little as possible.
"""

from __future__ import annotations

import _frozen_importlib_external as loaders
import atexit
import ctypes
import sys
from _collections import deque  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _io import BytesIO, StringIO, TextIOWrapper
from _operator import call
from _thread import _count as count_threads
from _weakref import ref
from gc import callbacks, collect, get_debug, get_objects, isenabled, unfreeze
from os import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from holdfast.guest.preload import Stash

VERIFIED = ((3, 11), (3, 12), (3, 13))
"""Versions of CPython on which the assumptions of this module were tested (tests/differential)."""

_PRINTS, _WATCHES = "sys.excepthook", "sys.addaudithook"
_bases_of, _namespace_of = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
_CLEARED_FIRST = (
    *("path", "argv", "ps1", "ps2", "last_type", "last_value", "last_traceback", "last_exc"),
    *("path_hooks", "path_importer_cache", "meta_path", "__interactivehook__"),
)
_getrefcount, _gettrace, _getprofile = sys.getrefcount, sys.gettrace, sys.getprofile
_libc = ctypes.pythonapi


def draw_line() -> None:
    """From here on, exiting runs what was registered with C's atexit since, flushes C's streams, and is over.

    Without it the loaded libraries would take themselves apart as well.
    """
    if hasattr(_libc, "on_exit"):  # else this is not glibc, and an exit only takes longer
        _libc.on_exit(_libc._exit, None)
        _libc.__cxa_atexit(_libc.fflush, None, None)


def shorten(stash: Stash, taken: Sequence[ModuleType]) -> None:
    """Arrange the quick end of this interpreter. `taken` are modules nobody needs; to free them would cost as well."""
    ending = _Ending(stash, taken)
    if sys.version_info[:2] not in VERIFIED:
        atexit.register(ending.go_on)
        return
    # While a trace or profile function is set, or something is finalised, no function of ours may be seen at work:
    # here only built-in functions call each other.
    for traced in (_gettrace, _getprofile):
        for deed in reversed(ending.give_back):
            atexit.register(all, map(call, (traced, deed)))
    steps = partial(deque, map(call, ending.steps), 0)
    atexit.register(any, map(call, (_gettrace, _getprofile, steps)))


def rehearse(stash: Stash) -> None:
    """What an end looks at, looked at before: the copies of memory that this takes are made while nobody waits."""
    collect()
    _wants_finalising()
    dict(stash.started["builtins"].__dict__)


def watch(stash: Stash) -> None:
    """From here on, notice what only an audit hook can. It is a built-in function: an event removes its name."""
    stash.unseen |= dict.fromkeys((_PRINTS, _WATCHES))
    sys.addaudithook(stash.unseen.pop)


class _MainFile:
    """The name of the main file: the very object that the C function which runs it holds until it returns."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._loader = loaders.SourceFileLoader
        loaders.SourceFileLoader = self._make_loader  # type: ignore[misc, assignment]

    def _make_loader(self, fullname: str, path: str) -> object:
        """CPython calls this once, just before it runs the main file."""
        loaders.SourceFileLoader = self._loader  # type: ignore[misc]
        self._names.append(path)
        return self._loader(fullname, path)

    def is_name(self, name: str) -> bool:
        return bool(self._names) and name is self._names[0]

    def is_done(self) -> bool:
        """Whether that function has returned. It does not when SystemExit passes through it."""
        ours = ["".join(("main", ".py"))]
        return bool(self._names) and _getrefcount(self._names[0]) == _getrefcount(ours[0])


class _Ending:
    """What is left to do after the program's own exit callbacks: `steps`, of which the first adds the others."""

    def __init__(self, stash: Stash, taken: Sequence[ModuleType]) -> None:
        self._main = _MainFile()
        self._modules = sys.modules
        self._streams = (sys.stdout, sys.stderr)
        self._stash, self._taken = stash, taken
        self._left: dict[str, ref[ModuleType]] = {}
        self._callbacks: list[object] = []
        self._raised = False
        self.steps: list[Callable[[], object]] = [self._begin]
        self.give_back = (partial(self._modules.update, stash.loaded), vars(stash).clear, unfreeze)
        # An audit hook that is a built-in function: it forgets these names when the first such event comes.
        self._unseen = stash.unseen

    def _begin(self) -> None:
        try:
            if self._is_ordinary() and self._flush():
                self._raised = self._main_raised()
                self.steps += self._take_apart()
                return
        except:  # noqa: E722, S110  # whatever the program did to its interpreter, CPython can cope with it
            pass
        self.go_on()

    def _take_apart(self) -> list[Callable[[], object]]:
        """What finalize_modules does, but that our modules stay alive."""
        modules, builtins, stash = self._modules, self._stash.started["builtins"].__dict__, self._stash
        self._left = {
            name: ref(module)
            for name, module in modules.items()
            if module is not stash.started.get(name) and module is not stash.loaded.get(name)
        }
        self._callbacks += callbacks
        cleared, was_built_in = dict.fromkeys(_CLEARED_FIRST), dict(builtins)
        return [
            *([collect] if isenabled() else []),
            partial(vars(sys).update, cleared, stdin=sys.__stdin__, is_finalizing=(1).__bool__),
            callbacks.clear,
            partial(modules.update, dict.fromkeys(modules)),
            modules.clear,
            builtins.clear,
            partial(builtins.update, stash.builtins),
            was_built_in.clear,
            collect,
            self._finish,
        ]

    def _finish(self) -> None:
        """Exit, or return for the rest of a shutdown."""
        try:
            if not _wants_finalising() and self._flush():
                self._end()
                return
        except:  # noqa: E722, S110  # as above
            pass
        self._modules.update(self._stash.started)
        self._modules.update((name, module) for name, found in self._left.items() if (module := found()) is not None)
        self.go_on()

    def go_on(self) -> None:
        """Leave it to CPython to take everything apart."""
        for deed in self.give_back:
            deed()

    def _is_ordinary(self) -> bool:
        return (
            sys.modules is self._modules
            and (sys.stdout, sys.stderr) == (sys.__stdout__, sys.__stderr__) == self._streams
            and count_threads() == 0
            and _WATCHES in self._unseen
            and not get_debug()
        )

    def _flush(self) -> bool:
        """Raises whatever CPython will find again, and tell, when it flushes."""
        for stream in self._streams:
            if type(stream) is not TextIOWrapper:
                return stream is None
            if not stream.closed:
                stream.flush()
        return True

    def _main_raised(self) -> bool:
        """Whether main.py is known to have ended by an exception that was printed, so that the exit code is 1."""
        traceback, kind = getattr(sys, "last_traceback", None), getattr(sys, "last_type", None)
        if _PRINTS in self._unseen or traceback is None or kind is None or issubclass(kind, KeyboardInterrupt):
            return False
        frame = traceback.tb_frame
        is_main = frame.f_back is None and self._main.is_name(frame.f_code.co_filename)
        return is_main and frame.f_code.co_name == "<module>" and frame.f_lasti == traceback.tb_lasti

    def _end(self) -> None:
        if self._main.is_done():
            if _PRINTS in self._unseen:
                _libc.exit(0)
            if self._raised:
                _libc.exit(1)
        # CPython knows the code. Libraries that stay loaded would complain about objects that are never freed.
        close(2)
        _libc.Py_IncRef(ctypes.py_object((self._stash, self._taken)))


def _wants_finalising() -> bool:
    """Whether an object made since the launcher was frozen is alive and would notice its end."""
    kinds = {*map(type, get_objects())} - {BytesIO, StringIO}
    bases = {base for kind in kinds for base in _bases_of(kind)}
    return any("__del__" in _namespace_of(base) for base in bases)
