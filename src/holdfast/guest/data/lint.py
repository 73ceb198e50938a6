"""Friendly early words about Python that cannot lead to a table. The cell is the wall; this only saves a run."""

from __future__ import annotations

import ast

from holdfast.guest.data.answer import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = "PYTHON_POLICY_VIOLATION"
_FRAMES = "the tables are already there as frames, each under its name, and in 'dfs'"
_NO_PROCESS = "programs of the host cannot be started from here"
IMPORTS = {
    "os": _FRAMES,
    "sys": "print what should be seen, and put the answer into 'result'",
    "subprocess": _NO_PROCESS,
    "socket": "there is no network here",
    "pathlib": _FRAMES,
    "shutil": _FRAMES,
    "ctypes": _NO_PROCESS,
    "importlib": "write a plain 'import'",
}
"""Modules that are refused, and what to do instead."""

CALLS = {
    "open": _FRAMES,
    "exec": "write the code itself",
    "eval": "write the expression itself, or use DataFrame.eval",
    "compile": "write the code itself",
    "__import__": "write a plain 'import'",
    "input": "there is nobody to ask; write the value into the code",
}
"""Functions that are refused, and what to do instead."""


def check(code: str, name: str) -> ast.Module:
    """The code as a tree. Raises Failure for what is no Python, and for what the tables above name."""
    try:
        tree = ast.parse(code, name)
    except SyntaxError as error:
        raise Failure(DENIED, f"Syntax error: {error.msg}", line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Failure(DENIED, f"Syntax error: {error or 'too deeply nested'}") from None
    for message, line, hint in _findings(tree):
        raise Failure(DENIED, message, line=line, hint=hint)
    return tree


def _findings(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    for node in ast.walk(tree):
        for name in _imported(node):
            root = name.partition(".")[0]
            if root in IMPORTS:
                yield f"Import not allowed: {name}", getattr(node, "lineno", 1), IMPORTS[root]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield f"Call not allowed: {node.func.id}", node.lineno, CALLS[node.func.id]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module]
    return []
