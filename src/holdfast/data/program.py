"""What work over data starts from: the modules of `guest.data`, compiled, and a main.py that loads them."""

import marshal
import sys
from functools import cache
from importlib import resources

MAIN = "main.py"
PROGRAM = ".holdfast/program"
_PACKAGE = "holdfast.guest.data"
_MODULES = {
    "sql": ("ready", "values", "answer", "sql", "main"),
    "python": ("ready", "values", "answer", "sql", "lint", "frames", "results", "python", "main"),
    "ingestion": ("opening", "workbook", "written", "ingest"),
}
"""The modules of each kind of work, in the order in which they need each other; the last has the `main`."""

_MAIN = """\
import marshal, sys
with open(".holdfast/program", "rb") as file:
    version, modules = marshal.load(file)
for name, compiled, source in modules:
    if name in sys.modules:
        continue
    module = sys.modules[name] = type(sys)(name)
    module.__path__ = []
    package, _, child = name.rpartition(".")
    if package:
        setattr(sys.modules[package], child, module)
    exec(marshal.loads(compiled) if version == sys.version else compile(source, name, "exec"), vars(module))
sys.modules[name].main()
"""
"""A cell from the stock may have loaded some of them, of the same installation."""


@cache
def files(kind: str) -> dict[str, bytes]:
    """What to place in the workspace for such a run. To compile it there would take longer than most queries."""
    packages = ("holdfast", "holdfast.guest", _PACKAGE)
    modules = [(name, marshal.dumps(compile("", name, "exec")), "") for name in packages]
    modules += [_module(name) for name in _MODULES[kind]]
    return {MAIN: _MAIN.encode(), PROGRAM: marshal.dumps((sys.version, modules), 4)}


def _module(name: str) -> tuple[str, bytes, str]:
    full = f"{_PACKAGE}.{name}"
    source = (resources.files(_PACKAGE) / f"{name}.py").read_text("utf-8")
    return full, marshal.dumps(compile(source, full, "exec", dont_inherit=True)), source
