"""What a command asks of a dataset, and what it prints of the answer."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import typer

from holdfast.cli.documents import load
from holdfast.cli.running import text
from holdfast.types import Capsule, CapsuleStatus, Replay, ReplayOutcome, Table

FAILED = 1
_WIDEST = 60


def body(*, sql: str | None, plan: str | None, python: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the request. Raises typer.BadParameter."""
    if sum(each is not None for each in (sql, plan, python)) != 1:
        raise typer.BadParameter("give exactly one of --sql, --plan and --python")
    asked: dict[str, Any] = {"sql": text(sql, "--sql") if sql == "-" else sql}
    if python is not None:
        asked["python"] = text(python, "--python")
    if plan is not None:
        asked["plan"] = load(plan, "--plan")
    return {name: value for name, value in {**asked, **options}.items() if value is not None}


def tell(capsule: Capsule, *, as_json: bool) -> int:
    """Print it; 0 when there is an answer."""
    if as_json:
        print(capsule.model_dump_json(indent=2))
    else:
        _tell(capsule)
    return 0 if capsule.status is CapsuleStatus.SUCCEEDED else FAILED


def tell_replay(replay: Replay, *, as_json: bool) -> int:
    """Print it; 0 when it is identical."""
    if as_json:
        print(replay.model_dump_json(indent=2))
    else:
        print(replay.outcome.value.replace("_", " ") + (", the same rows in another order" if replay.reordered else ""))
        for cell in replay.cells:
            only = f" (only {cell.only_in})" if cell.only_in else ""
            print(f"row {cell.row}, {cell.column}: {_cell(cell.before)} -> {_cell(cell.after)}{only}")
        if replay.different_cells > len(replay.cells):
            print(f"… and {replay.different_cells - len(replay.cells)} more cells")
        for note in replay.notes:
            _aside(note)
    return 0 if replay.outcome is ReplayOutcome.IDENTICAL else FAILED


def _tell(capsule: Capsule) -> None:
    sys.stdout.write(capsule.stdout)
    if capsule.result is not None:
        print("\n".join(_lines(capsule.result)))
        shown, total = capsule.result.row_count, capsule.result.total_rows
        _aside(f"{total} row{'' if total == 1 else 's'}{f', {shown} shown' if shown < total else ''}; {capsule.run_id}")
    else:
        _aside(f"{capsule.status}; {capsule.run_id}")
    if capsule.error is not None:
        error = capsule.error
        where = [f"{name} {place}" for name, place in (("line", error.line), ("position", error.position)) if place]
        _aside(": ".join([error.code, *where, error.message]))
        if error.hint:
            _aside(error.hint)
    for note in capsule.notes:
        _aside(note)


def _lines(table: Table) -> list[str]:
    rows = [table.columns, *([_cell(value) for value in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = "".join(character if character.isprintable() else "�" for character in shown)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…"


def _aside(sentence: str) -> None:
    print(f"holdfast: {sentence}", file=sys.stderr)
