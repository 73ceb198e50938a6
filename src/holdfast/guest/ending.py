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
from _io import TextIOWrapper
from _operator import call
from _thread import _count as count_threads
from _weakref import ref
from gc import callbacks, collect, get_debug, get_freeze_count, get_objects, isenabled, unfreeze
from os import _exit, close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

VERIFIED = ((3, 11), (3, 12), (3, 13))
"""Versions of CPython on which the assumptions of this module were tested (tests/differential)."""

_PRINTS = "sys.excepthook"
_bases_of, _namespace_of = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
_CLEARED_FIRST = [
    "path",
    "argv",
    "ps1",
    "ps2",
    "last_type",
    "last_value",
    "last_traceback",
    "last_exc",
    "path_hooks",
    "path_importer_cache",
    "meta_path",
    "__interactivehook__",
]
_getrefcount, _gettrace, _getprofile = sys.getrefcount, sys.gettrace, sys.getprofile
_libc = ctypes.CDLL(None)


def shorten(loaded: Mapping[str, ModuleType], taken: Sequence[ModuleType]) -> None:
    """Arrange the quick end of this interpreter. `loaded` are hidden modules, `taken` those that nobody needs."""
    if sys.version_info[:2] not in VERIFIED:
        return
    # Under a trace or profile function nothing of ours may run; built-in functions calling each other are not seen.
    for traced in (_gettrace, _getprofile):
        atexit.register(all, map(call, (traced, unfreeze)))
    atexit.register(any, map(call, (_gettrace, _getprofile, _Ending(loaded, taken))))


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
    def __init__(self, loaded: Mapping[str, ModuleType], taken: Sequence[ModuleType]) -> None:
        self._main = _MainFile()
        self._modules = sys.modules
        self._streams = (sys.stdout, sys.stderr)
        not_ours = ("__main__", "sitecustomize")
        self._started = {name: module for name, module in sys.modules.items() if name not in not_ours}
        self._loaded = loaded
        self._kept = (loaded, taken, self._started, [module.__dict__ for module in self._started.values()])
        self._frozen = get_freeze_count()
        # An audit hook that is a built-in function: it forgets this name when CPython prints an uncaught exception.
        self._unseen = {_PRINTS: None}
        sys.addaudithook(self._unseen.pop)

    def __call__(self) -> None:
        """Exit, or return for the rest of a shutdown."""
        left: dict[str, ref[ModuleType]] = {}
        try:
            if self._is_ordinary() and self._flush():
                raised = self._main_raised()
                left = self._take_apart()
                if not _wants_finalising() and self._flush():
                    return self._end(raised)
        except:  # noqa: E722, S110  # whatever the program did to its interpreter, CPython can cope with it
            pass
        alive = {name: module for name, found in left.items() if (module := found()) is not None}
        self._modules |= {**self._started, **self._loaded, **alive, **self._modules}
        unfreeze()

    def _is_ordinary(self) -> bool:
        return (
            sys.modules is self._modules
            and (sys.stdout, sys.stderr) == (sys.__stdout__, sys.__stderr__) == self._streams
            and count_threads() == 0
            and get_freeze_count() == self._frozen
            and not callbacks
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
        traceback = getattr(sys, "last_traceback", None)
        if _PRINTS in self._unseen or traceback is None or issubclass(sys.last_type, KeyboardInterrupt):
            return False
        frame = traceback.tb_frame
        is_main = frame.f_back is None and self._main.is_name(frame.f_code.co_filename)
        return is_main and frame.f_code.co_name == "<module>" and frame.f_lasti == traceback.tb_lasti

    def _take_apart(self) -> dict[str, ref[ModuleType]]:
        """What finalize_modules does, but that our modules stay alive. Returns what was loaded by the program."""
        if isenabled():
            collect()
        vars(sys).update(dict.fromkeys(_CLEARED_FIRST), stdin=sys.__stdin__, is_finalizing=(1).__bool__)
        left = {name: ref(module) for name, module in self._modules.items() if name not in self._started}
        for name in [*self._modules]:
            self._modules[name] = None  # type: ignore[assignment]
        self._modules.clear()
        collect()
        return left

    def _end(self, raised: bool) -> None:
        _libc.fflush(None)
        if self._main.is_done():
            if _PRINTS in self._unseen:
                _exit(0)
            if raised:
                _exit(1)
        # Libraries that stay loaded complain about objects that are never freed.
        close(2)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._kept))


def _wants_finalising() -> bool:
    """Whether an object made since the launcher was frozen is alive and would notice its end."""
    bases = {base for kind in {*map(type, get_objects())} for base in _bases_of(kind)}
    return any("__del__" in _namespace_of(base) for base in bases)
