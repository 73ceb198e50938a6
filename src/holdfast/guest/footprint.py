"""What loading a module does outside of it: entries in registries, exit callbacks, values that must not be shared.

While modules are loaded in advance each new entry is noted under the module that made it. Then all are taken back, and
when a program imports the module its entries are made again.
"""

from __future__ import annotations

import atexit
import itertools
import sys
from _warnings import _filters_mutated, filters  # type: ignore[attr-defined]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any

REGISTRIES = {
    "copyreg": "dispatch_table",
    "logging": "root.manager.loggerDict",
}
"""Dictionaries to which modules add entries while they are loaded."""

FRESH = {
    "logging": """
_age_in_ms = LogRecord("", 0, "", 0, "", (), None).relativeCreated
_startTime += int(_age_in_ms * 1e6) if type(_startTime) is int else _age_in_ms / 1e3
del _age_in_ms
""",
    "multiprocessing.process": "_current_process.authkey = os.urandom(32)",
    "numpy.random.mtrand": "_rand.seed()",
    "threading": "main_thread()._set_native_id()",
}
"""What a module made for one process only, when it was loaded. (`random` seeds itself again after every fork.)"""


class Footprints:
    """By module: entries of registries, warning filters, and exit callbacks."""

    def __init__(self) -> None:
        self._entries: dict[str, list[tuple[dict[Any, Any], Any, Any]]] = {}
        self._filters: dict[str, list[Any]] = {}
        self._callbacks: dict[str | None, list[tuple[Any, ...]]] = {}
        self._known: dict[str, set[Any]] = {}
        self._known_filters: list[Any] = []
        self._exits: ModuleType | None = None

    def watch(self) -> None:
        """Begin: what is there now is nobody's."""
        self._known = {owner: set(registry) for owner, registry in _registries()}
        self._known_filters = list(filters)

    def unwatch(self) -> None:
        """End."""
        if self._exits is not None:
            self._exits.register = atexit.register  # type: ignore[attr-defined]

    def note(self, name: str) -> None:
        """What is new since the last call was done by the module `name`."""
        if name == "atexit":
            # What others get is another module object than ours.
            self._exits = sys.modules[name]
            self._exits.register = self._note_callback  # type: ignore[attr-defined]
        for owner, registry in _registries():
            # What is there when we first see it belongs to the registry's own module.
            known = self._known.setdefault(owner, set(registry))
            new = [(registry, key, value) for key, value in registry.items() if key not in known]
            self._entries.setdefault(name, []).extend(new)
            known.update(registry)
        added = [entry for entry in filters if entry not in self._known_filters]
        self._filters[name] = added + self._filters.get(name, [])
        self._known_filters += added
        # A function of an extension module may not say where it is from.
        self._callbacks.setdefault(name, []).extend(self._callbacks.pop(None, ()))

    def _note_callback(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        home = getattr(function, "__module__", None)
        self._callbacks.setdefault(home, []).append((function, args, kwargs))
        return function

    def erase(self) -> None:
        """Take everything back."""
        for registry, key, _ in itertools.chain.from_iterable(self._entries.values()):
            registry.pop(key, None)
        for entry in itertools.chain.from_iterable(self._filters.values()):
            filters.remove(entry)
        _filters_mutated()

    def has(self, name: str) -> bool:
        """Whether the loading of the module `name` did anything."""
        return bool(self._entries.get(name) or self._filters.get(name) or self._callbacks.get(name) or name in FRESH)

    def repeat(self, name: str, module: ModuleType) -> None:
        """Do again what the loading of the module `name` did."""
        for registry, key, value in self._entries.get(name, ()):
            registry[key] = value
        if added := self._filters.get(name):
            filters[:0] = added
            _filters_mutated()
        for function, args, kwargs in self._callbacks.get(name, ()):
            atexit.register(function, *args, **kwargs)
        if name in FRESH:
            exec(FRESH[name], vars(module))  # noqa: S102  # our own text, above


def _registries() -> Iterator[tuple[str, dict[Any, Any]]]:
    for owner, path in REGISTRIES.items():
        module = sys.modules.get(owner)
        # A module that is still being loaded has no registry yet.
        if module is not None and not module.__spec__._initializing:  # type: ignore[union-attr]
            found: Any = module
            for attribute in path.split("."):
                found = getattr(found, attribute)
            yield owner, found
