"""Runs Python over data: `pd`, `np`, `dfs` and one frame per table are there, and what it leaves becomes a table."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import linecache
import os
import re
import sys
import time
import traceback

import numpy as np  # type: ignore[import-not-found, unused-ignore]
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

from holdfast.guest.data import lint, results, sql, values
from holdfast.guest.data.answer import MAX_MESSAGE, Failure
from holdfast.guest.data.results import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from holdfast.guest.data.answer import Rows

CODE = "<code>"
_LAST = "__last_expression__"
_NAMES_ANY = re.compile(r"\b(?:globals|locals|vars|dir)\b")
_EXACT_FLOAT = 2**53


class Frames(collections.abc.MutableMapping):  # type: ignore[type-arg]
    """The frames of all tables by name, each read when it is asked for."""

    def __init__(self, names: list[str], read: Callable[[str], Any]) -> None:
        self._frames: dict[str, Any] = dict.fromkeys(names)
        self._read = read

    def __getitem__(self, name: str) -> Any:
        frame = self._frames[name]
        if frame is None:
            frame = self._frames[name] = self._read(name)
        return frame

    def __setitem__(self, name: str, frame: Any) -> None:
        self._frames[name] = frame

    def __delitem__(self, name: str) -> None:
        del self._frames[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"<frames: {', '.join(self._frames)}>"


def run(job: dict[str, Any]) -> tuple[Rows, int, float, list[str]]:
    """The rows, how many there are, the milliseconds it took, and the names of figures. Raises Failure."""
    tree = lint.check(job["code"], CODE)
    begun = time.perf_counter()
    namespace = _namespace(job)
    last = _execute(tree, job["code"], namespace)
    _flush()
    rows, total, figures = _collect(namespace, last, job)
    return rows, total, (time.perf_counter() - begun) * 1000, figures


def _collect(namespace: dict[str, Any], last: Any, job: dict[str, Any]) -> tuple[Rows, int, list[str]]:
    """What was left behind, whose classes may be the code's own. Raises Failure."""
    # However many digits: the cell bounds the time that takes.
    sys.set_int_max_str_digits(0)
    try:
        return results.collect(namespace, last, job)
    except Failure:
        raise
    except BaseException as error:
        raise _failure(error, "The result cannot be told: ") from None


def _flush() -> None:
    """What was printed would be lost: nothing of this interpreter is tidied up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: S112  # a stream of the program's own making
            continue


def _namespace(job: dict[str, Any]) -> dict[str, Any]:
    os.environ.setdefault("MPLBACKEND", "agg")
    os.environ.setdefault("MPLCONFIGDIR", "/tmp/matplotlib")
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    tables, read = _files(job) if job["database"] is None else _tables(job)
    dfs = Frames(tables, read)
    namespace = vars(module)
    namespace.update(__builtins__=builtins, __file__=CODE, pd=pd, np=np, dfs=dfs)
    code = job["code"]
    for name in tables:
        # A table that the code does not mention is not read: it may be larger than the memory.
        if name.isidentifier() and (_NAMES_ANY.search(code) or re.search(rf"\b{name}\b", code)):
            namespace[name] = dfs[name]
    return namespace


def _files(job: dict[str, Any]) -> tuple[list[str], Callable[[str], Any]]:
    readers = {
        ".tsv": lambda path: pd.read_csv(path, sep="\t"),
        ".json": pd.read_json,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".ndjson": lambda path: pd.read_json(path, lines=True),
        ".parquet": pd.read_parquet,
    }

    def read(name: str) -> Any:
        path = job["files"][name]
        return readers.get(os.path.splitext(path)[1].lower(), pd.read_csv)(path)

    return list(job["files"]), read


def _tables(job: dict[str, Any]) -> tuple[list[str], Callable[[str], Any]]:
    connection = sql.open_data(job)
    names = [name for (name,) in connection.sql(sql.TABLES).fetchall()]

    def read(name: str) -> Any:
        table = connection.sql(f"FROM {values.quoted(name)}")
        frame = table.df()
        for column, kind in zip(table.columns, table.types, strict=True):
            if kind.id in values.INTEGERS and frame[column].dtype.kind == "f" and _beyond(frame[column]):
                frame[column] = _exactly(table, column)
        return frame

    return names, read


def _beyond(column: Any) -> bool:
    """Whether there are integers that floating point numbers do not tell from each other."""
    return bool((column.abs() >= _EXACT_FLOAT).any())


def _exactly(table: Any, column: str) -> Any:
    held = [value for (value,) in table.project(values.quoted(column)).fetchall()]
    fits = all(value is None or -(2**63) <= value < 2**63 for value in held)
    return pd.array(held, dtype="Int64") if fits else pd.Series(held, dtype=object)


def _execute(tree: ast.Module, code: str, namespace: dict[str, Any]) -> Any:
    """Run it; the value of the last expression, if it ends with one. Raises Failure."""
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        target = ast.copy_location(ast.Name(_LAST, ast.Store()), last)
        tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        ast.fix_missing_locations(tree)
    # Tracebacks show lines of a file that does not exist.
    linecache.cache[CODE] = (len(code), None, code.splitlines(keepends=True), CODE)
    try:
        exec(compile(tree, CODE, "exec", dont_inherit=True), namespace)  # noqa: S102  # what a cell is for
    except SystemExit as stopped:
        if stopped.code not in (None, 0):
            raise Failure(FAILED, f"SystemExit: {stopped.code}", line=_line(stopped)) from None
    except BaseException as error:
        _flush()
        raise _failure(error) from None
    return namespace.pop(_LAST, None)


def _failure(error: BaseException, when: str = "") -> Failure:
    """The exception as Python tells it, without the frames of this program."""
    if isinstance(error, MemoryError):
        return Failure(FAILED, "MemoryError: the code needed more memory than it may use.", line=_line(error))
    kind = type(error).__name__
    try:
        said = str(error)
        told = traceback.format_exception(type(error), error, _own(error))
    except Exception:
        said, told = "it could not be told", [kind, "\n"]
    sys.stderr.write("".join(told)[-MAX_MESSAGE:])
    sys.stderr.flush()
    return Failure(FAILED, f"{when}{kind}: {said}" if said else f"{when}{kind}", line=_line(error))


def _own(error: BaseException) -> Any:
    """The traceback from where the code begins."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename != CODE:
        found = found.tb_next
    return found


def _line(error: BaseException) -> int | None:
    """The last line of the code that was reached."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == CODE]
    return lines[-1] if lines else None
