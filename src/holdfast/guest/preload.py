"""Modules loaded before anybody asks, and hidden until somebody does.

A launcher loads the modules of its profile once. A guest must not notice: `sys.modules` is as in a fresh interpreter,
and an import statement adds exactly the modules it would have added by loading. For that the launcher records, while
it loads, which import pulled in which modules.
"""

from __future__ import annotations

import _frozen_importlib as bootstrap
import builtins
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType
    from typing import Any

REHEARSALS = {
    "pandas": """
import io, pandas
frame = pandas.read_csv(io.StringIO("a,b\\n1,x\\n2,y\\n3,x\\n"))
str(frame.groupby("b").a.sum()), frame.describe().to_string(), frame.to_csv(index=False)
""",
}
"""Small first uses, so that what a library sets up on its first call is set up once."""


class Stash:
    """Loaded modules by name, and for each the names its loading asked for."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self.imports: dict[str, set[str]] = {}

    def top_level_names(self) -> set[str]:
        return {name.partition(".")[0] for name in self.modules}

    def pulled_in_by(self, name: str) -> list[str]:
        """Everything an import of `name` brings along, itself included."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            current = pending.pop()
            if current in found or current not in self.modules:
                continue
            found[current] = None
            pending += sorted(self.imports.get(current, ()))
            if parent := current.rpartition(".")[0]:
                pending.append(parent)
        return list(found)


def load(names: Sequence[str], started_with: set[str]) -> Stash:
    """Import `names`, and note what each module pulls in. What is loaded afterwards is hidden by `hide`."""
    recorder = _Recorder()
    ours = [name for name in sys.modules if name not in started_with]
    aside = {name: sys.modules.pop(name) for name in ours if name != "sitecustomize"}
    with recorder:
        for name in names:
            __import__(name)
    for name in names:
        exec(REHEARSALS.get(name, ""), {})  # noqa: S102  # our own text, above
    stash = Stash()
    stash.imports = recorder.imports
    stash.modules = {name: module for name, module in sys.modules.items() if name not in started_with}
    stash.modules.pop("sitecustomize", None)
    for name in stash.modules:
        _detach(name, stash)
    sys.modules.update(aside)
    return stash


def _detach(name: str, stash: Stash) -> None:
    """Without its parent's attribute, `from parent import name` is an import again, as it is before any loading."""
    parent, _, child = name.rpartition(".")
    package = stash.modules.get(parent) or sys.modules.get(parent)
    if package is not None and package.__dict__.get(child) is stash.modules[name]:
        delattr(package, child)


def _attach(name: str, module: ModuleType) -> None:
    parent, _, child = name.rpartition(".")
    if parent in sys.modules and child not in sys.modules[parent].__dict__:
        setattr(sys.modules[parent], child, module)


class _Recorder:
    """Watches every import while it is entered."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self._loading = [""]
        self._noted: set[str] = set()
        self._import = builtins.__import__
        self._load: Any = bootstrap._load_unlocked  # type: ignore[attr-defined]

    def __enter__(self) -> None:
        builtins.__import__ = self._recording_import  # type: ignore[assignment]
        bootstrap._load_unlocked = self._recording_load  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        builtins.__import__ = self._import
        bootstrap._load_unlocked = self._load  # type: ignore[attr-defined]

    def _recording_load(self, spec: ModuleSpec) -> Any:
        self._note(spec.name)
        self._loading.append(spec.name)
        before = set(sys.modules)
        try:
            return self._load(spec)
        finally:
            # What a module puts into sys.modules by itself (typing.io, the helpers of Cython) is its own doing.
            for name in set(sys.modules) - before - self._noted:
                self._note(name)
            self._loading.pop()

    def _recording_import(
        self, name: str, namespace: Any = None, local: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        module = self._import(name, namespace, local, fromlist, level)
        package = (namespace or {}).get("__package__") or (namespace or {}).get("__name__", "")
        absolute = bootstrap._resolve_name(name, package, level) if level else name  # type: ignore[attr-defined]
        self._note(absolute)
        for item in fromlist or ():
            if f"{absolute}.{item}" in sys.modules:
                self._note(f"{absolute}.{item}")
        return module

    def _note(self, name: str) -> None:
        self._noted.add(name)
        self.imports.setdefault(self._loading[-1], set()).add(name)


class StashFinder:
    """Answers imports from the stash, unless the program has put another module of that name in the way."""

    def __init__(self, stash: Stash) -> None:
        self._stash = stash

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        del target
        module = self._stash.modules.get(name)
        if module is None or (path is None and self._shadowed(name, module)):
            return None
        return ModuleSpec(name, self)  # type: ignore[arg-type]

    @staticmethod
    def _shadowed(name: str, module: ModuleType) -> bool:
        original = module.__spec__
        if original is None or not original.has_location:
            return False
        found = PathFinder.find_spec(name)
        return found is None or found.origin != original.origin

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = self._stash.modules[spec.name]
        self._name = spec.name
        self._was = (module.__spec__, module.__dict__.get("__loader__"))
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Loaded already: only let everything it pulled in appear as well."""
        module.__spec__, loader = self._was
        if loader is not None:
            module.__loader__ = loader
        pulled_in = self._stash.pulled_in_by(self._name)
        for name in pulled_in:
            sys.modules.setdefault(name, self._stash.modules[name])
        for name in pulled_in:
            _attach(name, self._stash.modules[name])


def is_shadowed(stash: Stash, directory: str) -> bool:
    """Whether a file of the program has the name of a loaded module, so that loading would have gone otherwise."""
    names = {entry.partition(".")[0] for entry in os.listdir(directory)}
    return not names.isdisjoint(stash.top_level_names())


def hide(stash: Stash, started_with: Iterable[str]) -> list[ModuleType]:
    """Leave in `sys.modules` only what a fresh interpreter has; the stash answers later imports.

    Returns what was taken out. Keep it: to free it would be to write to, and so to copy, most of its memory.
    """
    taken = [sys.modules.pop(name) for name in set(sys.modules) - set(started_with) - {"sitecustomize"}]
    if stash.modules:
        sys.meta_path.insert(0, StashFinder(stash))
    return taken
