"""Modules loaded before anybody asks, and hidden until somebody does.

A launcher loads the modules of its profile once. A guest must not notice: `sys.modules` is as in a fresh interpreter,
and an import statement adds exactly the modules it would have added by loading, in the same order, with what their
loading does elsewhere (`footprint`). Finding a module stays the business of the import system; only where it would run
the code of a file, the module that came of the same file is put in place. Each is put in place once: who removes it and
imports it again gets a new one.
"""

from __future__ import annotations

import _frozen_importlib as bootstrap
import builtins
import os
import sys
from _contextvars import copy_context
from gc import freeze

from holdfast.guest import ending, syscalls
from holdfast.guest.data import ready
from holdfast.guest.footprint import Footprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

OUR_LIBRARY = __file__.partition("/holdfast/guest/")[0]
REHEARSALS = {
    "pandas": """
import io, pandas
frame = pandas.read_csv(io.StringIO("a,b\\n1,x\\n2,y\\n3,x\\n"))
str(frame.groupby("b").a.sum()), frame.describe().to_string(), frame.to_csv(index=False)
""",
    "duckdb": ready.REHEARSAL,
}
"""Small first uses, so that what a library sets up on its first call is set up once."""

ANY_PROGRAM = """
def text_of(value):
    return "".join(str(each) for each in [value])
with open("/dev/null", "w") as nothing:
    print(text_of(1), file=nothing)
print(end="")
"""
"""What nearly every program does, without a trace."""

ADDED_TO_BUILTINS = {"open", "quit", "exit", "copyright", "credits", "license", "help"}
"""What is not there when CPython begins to start, nor when it ends."""


class Plan:
    """All that the first of these imports brings along, worked out in advance: to look something up copies memory."""

    def __init__(self, stash: Stash, name: str) -> None:
        self.modules = {each: stash.modules[each] for each in stash.pulled_in_by(name)}
        self.left = {each: module for each, module in stash.modules.items() if each not in self.modules}
        links = [(stash.parent(each, self.modules), each.rpartition(".")[2]) for each in self.modules]
        self.links = [
            (package, child, module)
            for (package, child), module in zip(links, self.modules.values(), strict=True)
            if package is not None and vars(package).get(child) is not module
        ]
        self.footprints = [each for each in self.modules if stash.footprints.has(each)]


class Stash:
    """The modules an interpreter `started` with, those `loaded` since, and of these the ones nobody has asked for yet.

    For each, the names its loading asked for, in order, and its footprint. `plans` hold until the first has been asked
    for; `before` is None until then. `rehearsed` is what the rehearsals made, and what must not be closed; `held`
    are the descriptors of what was opened ahead.
    """

    def __init__(self) -> None:
        self.started: dict[str, ModuleType] = {}
        self.loaded: dict[str, ModuleType] = {}
        self.modules: dict[str, ModuleType] = {}
        self.imports: dict[str, dict[str, None]] = {}
        self.absent: set[str] = set()
        self.footprints = Footprints()
        self.main: dict[str, Any] = {}
        self.unseen: dict[str, None] = {}
        self.builtins: dict[str, Any] = {}
        self.top_level_names: frozenset[str] = frozenset()
        self.plans: dict[str, Plan] = {}
        self.known: dict[str, ModuleType] = {}
        self.before: dict[str, ModuleType] | None = None
        self.rehearsed: list[dict[str, Any]] = []
        self.held: tuple[int, ...] = ()

    def prepare(self, names: Sequence[str]) -> None:
        """Work out what depends on everything: in a guest it would cost copies of memory."""
        self.top_level_names = frozenset({name.partition(".")[0] for name in self.modules} | self.absent)
        self.plans = {name: Plan(self, name) for name in names}

    def parent(self, name: str, visible: Mapping[str, ModuleType]) -> ModuleType | None:
        """The package of a module, if it is visible and the one the module was loaded into."""
        parent = name.rpartition(".")[0]
        package = visible.get(parent) or self.started.get(parent)
        return package if package is not None and package is self.known.get(parent) else None

    def pulled_in_by(self, name: str) -> list[str]:
        """Everything an import of `name` brings along, itself included, in the order of `sys.modules`."""
        found: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name in seen or name not in self.modules:
                return
            seen.add(name)
            visit(name.rpartition(".")[0])
            for needed in self.imports.get(name, ()):
                visit(needed)
            found.append(name)

        visit(name)
        return found


def load(names: Sequence[str], started_with: set[str]) -> Stash:
    """Import `names`, and note what each module pulls in. What is loaded afterwards is hidden by `hide`."""
    stash = Stash()
    ours = [name for name in sys.modules if name not in started_with]
    aside = {name: sys.modules.pop(name) for name in ours if name != "sitecustomize"}
    copy_context().run(_load, names, stash)
    for name in [name for name in sys.modules if name not in started_with and name != "sitecustomize"]:
        stash.modules[name] = sys.modules.pop(name)
    stash.started = {name: sys.modules[name] for name in started_with if name != "__main__"}
    stash.loaded = dict(stash.modules)
    stash.known = {**stash.started, **stash.loaded}
    for name, module in stash.modules.items():
        _detach(name, stash)
        _forget_lazy_names(name, module, stash)
    stash.footprints.erase()
    stash.prepare(names)
    packages = (getattr(module, "__path__", ()) for module in stash.started.values())
    for place in sys.path_importer_cache.keys() - {*sys.path, *(place for places in packages for place in places)}:
        del sys.path_importer_cache[place]
    sys.modules.update(aside)
    ending.draw_line()
    stash.builtins = {name: value for name, value in vars(builtins).items() if name not in ADDED_TO_BUILTINS}
    # Empty, the namespace of the main module is not frozen with everything else, so that it can be collected.
    main = vars(sys.modules["__main__"])
    stash.main = dict(main)
    main.clear()
    return stash


def _load(names: Sequence[str], stash: Stash) -> None:
    with _Recorder(stash):
        for name in names:
            __import__(name)
    for name in names:
        stash.rehearsed.append({})
        exec(REHEARSALS.get(name, ""), stash.rehearsed[-1])  # noqa: S102  # our own text, above


def _detach(name: str, stash: Stash) -> None:
    """Without its parent's attribute, `from parent import name` is an import again, as it is before any loading."""
    parent, _, child = name.rpartition(".")
    package = stash.modules.get(parent) or sys.modules.get(parent)
    if parent in stash.modules and name in stash.pulled_in_by(parent):
        # Never seen without it.
        return
    if package is not None and package.__dict__.get(child) is stash.modules[name]:
        delattr(package, child)


def _forget_lazy_names(name: str, module: ModuleType, stash: Stash) -> None:
    """A package with `__getattr__` (concurrent.futures) keeps what it imports on demand; nobody has asked yet."""
    if "__getattr__" not in vars(module):
        return
    loaded_with_it = stash.pulled_in_by(name)
    parts = {each for each in stash.modules if each.startswith(f"{name}.") and each not in loaded_with_it}
    for attribute, value in [*vars(module).items()]:
        home = getattr(value, "__module__", None)
        if isinstance(home, str) and home in parts:
            delattr(module, attribute)


class _Recorder:
    """Watches every import while it is entered."""

    def __init__(self, stash: Stash) -> None:
        self._stash = stash
        self._loading = [""]
        self._noted: set[str] = set()
        self._import = builtins.__import__
        self._load: Any = bootstrap._load_unlocked  # type: ignore[attr-defined]

    def __enter__(self) -> None:
        builtins.__import__ = self._recording_import  # type: ignore[assignment]
        bootstrap._load_unlocked = self._recording_load  # type: ignore[attr-defined]
        self._stash.footprints.watch()

    def __exit__(self, *_: object) -> None:
        builtins.__import__ = self._import
        bootstrap._load_unlocked = self._load  # type: ignore[attr-defined]
        self._stash.footprints.unwatch()

    def _recording_load(self, spec: ModuleSpec) -> Any:
        self._note(spec.name)
        self._stash.footprints.note(self._loading[-1])
        self._loading.append(spec.name)
        before = set(sys.modules)
        try:
            return self._load(spec)
        finally:
            # What a module puts into sys.modules by itself (typing.io, the helpers of Cython) is its own doing.
            for name in [name for name in sys.modules if name not in before and name not in self._noted]:
                self._note(name)
            self._loading.pop()
            self._stash.footprints.note(spec.name)

    def _recording_import(
        self, name: str, namespace: Any = None, local: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        package = (namespace or {}).get("__package__") or (namespace or {}).get("__name__", "")
        absolute = bootstrap._resolve_name(name, package, level) if level else name  # type: ignore[attr-defined]
        try:
            module = self._import(name, namespace, local, fromlist, level)
        except ImportError:
            self._stash.absent.add(absolute.partition(".")[0])
            raise
        self._note(absolute)
        for item in fromlist or ():
            if f"{absolute}.{item}" in sys.modules:
                self._note(f"{absolute}.{item}")
        return module

    def _note(self, name: str) -> None:
        self._noted.add(name)
        self._stash.imports.setdefault(self._loading[-1], {})[name] = None


class StashLoader:
    """Stands in for the function of importlib that loads what was found."""

    def __init__(self, stash: Stash) -> None:
        self._stash = stash
        self._load: Any = bootstrap._load_unlocked  # type: ignore[attr-defined]
        self._path = [entry for entry in sys.path if entry != OUR_LIBRARY]
        self._ways = (list(sys.meta_path), list(sys.path_hooks), builtins.__import__)

    def load(self, spec: ModuleSpec) -> Any:
        """The module of `spec`, and in `sys.modules` all it brings along."""
        module = self._stash.modules.get(spec.name)
        if module is None or not _is_of(module, spec):
            return self._load(spec)
        plan = self._stash.plans.get(spec.name) if self._stash.before is None else None
        names = dict.fromkeys(self._stash.pulled_in_by(spec.name)) if plan is None else plan.modules
        if not self._is_ordinary(names):
            return self._replay(spec)
        if plan is None:
            self._appear(names)
        else:
            self._appear_as_planned(plan)
        return module

    def _is_ordinary(self, names: Mapping[str, object]) -> bool:
        """Whether importing one by one would find just these modules, and nobody would notice if it is not done."""
        if (sys.meta_path, sys.path_hooks, builtins.__import__) != self._ways:
            return False
        known = [entry for entry in sys.path if entry in self._path]
        others = [entry for entry in sys.path if entry not in self._path]
        return (
            known == self._path
            and names.keys().isdisjoint(sys.modules.keys())
            and not any(is_shadowed(self._stash, entry) for entry in others)
        )

    def _appear_as_planned(self, plan: Plan) -> None:
        # The old dictionary stays alive, because to free it is to write to all it holds.
        self._stash.before, self._stash.modules = self._stash.modules, plan.left
        sys.modules.update(plan.modules)
        for package, child, module in plan.links:
            setattr(package, child, module)
        for name in plan.footprints:
            self._stash.footprints.repeat(name, plan.modules[name])

    def _appear(self, names: Iterable[str]) -> None:
        self._stash.before = self._stash.modules
        modules = {name: self._stash.modules.pop(name) for name in names}
        sys.modules.update(modules)
        for name, module in modules.items():
            package = self._stash.parent(name, sys.modules)
            if package is not None:
                setattr(package, name.rpartition(".")[2], module)
            self._stash.footprints.repeat(name, module)

    def _replay(self, spec: ModuleSpec) -> Any:
        """Import what it needs one after the other; if that is not what it has been loaded with, load it again."""
        self._appear([spec.name])
        needs = self._stash.imports.get(spec.name, {})
        try:
            for name in needs:
                bootstrap._gcd_import(name)  # type: ignore[attr-defined]
        except ImportError:
            needs = {"": None}
        if all(
            name in sys.modules and sys.modules[name] is self._stash.loaded.get(name, sys.modules[name])
            for name in needs
        ):
            return sys.modules[spec.name]
        sys.modules.pop(spec.name, None)
        return self._load(spec)


def _is_of(module: ModuleType, spec: ModuleSpec) -> bool:
    """Whether a module came of the file that was found."""
    made_of = module.__spec__
    return made_of is not None and made_of.origin == spec.origin and type(made_of.loader) is type(spec.loader)


for _function in (StashLoader.load, StashLoader._replay):
    # Frames of importlib are left out of tracebacks by the name of their file.
    _function.__code__ = _function.__code__.replace(co_filename=bootstrap._load_unlocked.__code__.co_filename)  # type: ignore[attr-defined]


def is_shadowed(stash: Stash, directory: str) -> bool:
    """Whether something in a place for modules has a name that mattered when they were loaded."""
    if not stash.modules:
        return False
    try:
        names = {entry.partition(".")[0] for entry in os.listdir(directory or ".")}
    except FileNotFoundError:
        return False
    except (OSError, TypeError, ValueError):
        return True
    return not stash.top_level_names.isdisjoint(names)


def hide(stash: Stash, started_with: Iterable[str]) -> list[ModuleType]:
    """Leave in `sys.modules` only what a fresh interpreter has; the stash answers later imports.

    Returns what was taken out. Keep it: to free it would be to write to, and so to copy, most of its memory.
    """
    taken = [sys.modules.pop(name) for name in set(sys.modules) - set(started_with) - {"sitecustomize"}]
    if stash.modules:
        bootstrap._load_unlocked = StashLoader(stash).load  # type: ignore[attr-defined]
    return taken


def warm_up(stash: Stash, receive: Callable[[], None]) -> None:
    """Do once, while nobody waits, what a run will do: this process then has its own copies of what it will write to.

    That is to `receive` a job, to use what is loaded, and to end. It sees all modules meanwhile, and
    afterwards again only what a fresh interpreter has.
    """
    visible = set(sys.modules)
    sys.modules.update(stash.loaded)
    try:
        receive()
        for text in (ANY_PROGRAM, *(REHEARSALS.get(name, "") for name in stash.plans)):
            exec(compile(text, "main.py", "exec"), {})  # noqa: S102  # our own text, above
        ending.rehearse(stash)
    except Exception:  # noqa: S110  # what does not work here will not work for the program either, and it can be told
        pass
    finally:
        for name in sys.modules.keys() - visible:
            del sys.modules[name]
        freeze()


def open_ahead(stash: Stash, asked: Callable[[float], bool], room: int) -> None:
    """Open the dataset of this cell: it runs nothing but questions about it, so their program may be there and seen."""
    visible = set(sys.modules)
    low = syscalls.take_low_descriptors()
    sys.modules.update(stash.loaded)
    sys.path.insert(0, OUR_LIBRARY)
    try:
        from holdfast.guest.data import ahead, main

        ahead.open_ahead(main.DATABASE, asked, room)
    except Exception:  # noqa: S110  # it is opened when the job comes, which can tell what is wrong
        pass
    finally:
        del sys.path[0]
        for name in sys.modules.keys() - visible:
            if not name.startswith("holdfast"):
                del sys.modules[name]
        for fd in low:
            os.close(fd)
        stash.held = syscalls.high_descriptors()
        freeze()


def give_main(stash: Stash) -> None:
    """Fill the namespace of the main module, which is empty until then."""
    vars(sys.modules["__main__"]).update(stash.main)
