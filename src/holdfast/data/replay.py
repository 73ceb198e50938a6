"""Whether a run that was done again came to the same."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from holdfast.types import Capsule, CellDifference, Replay, ReplayOutcome, Table

MOST_CELLS = 100
"""Different cells that are shown; all are counted."""

VARIES = "It reads the clock or chance, so that another result says nothing."
_Cell = tuple[int, str, Any, Any]
_ABSENT = object()


def compare(before: Capsule, after: Capsule) -> Replay:
    """What the second of two runs of the same says about the first."""
    old, new = before.result, after.result
    changed = before.dataset_version_hash != after.dataset_version_hash
    same = _end(before) == _end(after) and before.result_hash == after.result_hash
    outcome = ReplayOutcome.IDENTICAL if same else ReplayOutcome.DIFFERENT
    count, cells = 0, list[CellDifference]()
    if old is not None and new is not None and not same:
        for cell in _cells(old, new):
            count += 1
            if len(cells) < MOST_CELLS:
                cells.append(_shown(*cell))
    return Replay(
        run_id=after.run_id,
        replay_of=before.run_id,
        outcome=ReplayOutcome.DATA_CHANGED if changed else outcome,
        reordered=not same and old is not None and new is not None and _is_reordered(old, new),
        different_cells=count,
        cells=tuple(cells),
        notes=tuple(_notes(before, after)),
        capsule=after,
    )


def _end(capsule: Capsule) -> tuple[str, str | None]:
    return capsule.status.value, None if capsule.error is None else capsule.error.code


def _notes(before: Capsule, after: Capsule) -> Iterator[str]:
    if _end(before) != _end(after):
        yield f"It was {_said(before)} before, and is {_said(after)} now."
    old, new = before.result, after.result
    if old is not None and new is not None:
        if (old.columns, old.column_types) != (new.columns, new.column_types):
            yield "The columns or their types are others."
        if old.total_rows != new.total_rows:
            yield f"There were {old.total_rows} rows, and there are {new.total_rows} now."
    for name in sorted(before.libraries.keys() | after.libraries.keys()):
        was, now = before.libraries.get(name), after.libraries.get(name)
        if was != now:
            yield f"{name} was {was}, and is {now} now."
    yield from (note for note in after.notes if note == VARIES)


def _said(capsule: Capsule) -> str:
    status, code = _end(capsule)
    return status.replace("_", " ") if code is None else f"{status.replace('_', ' ')} ({code})"


def _cells(old: Table, new: Table) -> Iterator[_Cell]:
    """The cells that differ; columns are matched by name, those of one name in their order."""
    places = _places(old.columns), _places(new.columns)
    columns = list(dict.fromkeys([*places[0], *places[1]]))
    for number in range(max(len(old.rows), len(new.rows))):
        for column in columns:
            was, now = (_at(table.rows, number, at.get(column)) for table, at in zip((old, new), places, strict=True))
            if was is not now and (was is _ABSENT or now is _ABSENT or _text(was) != _text(now)):
                yield number, column[0], was, now


def _places(columns: Sequence[str]) -> dict[tuple[str, int], int]:
    seen: Counter[str] = Counter()
    places = {}
    for place, name in enumerate(columns):
        places[name, seen[name]] = place
        seen[name] += 1
    return places


def _at(rows: Sequence[Sequence[Any]], number: int, place: int | None) -> Any:
    return _ABSENT if place is None or number >= len(rows) else rows[number][place]


def _shown(row: int, column: str, was: Any, now: Any) -> CellDifference:
    if was is _ABSENT:
        return CellDifference(row=row, column=column, after=now, only_in="after")
    if now is _ABSENT:
        return CellDifference(row=row, column=column, before=was, only_in="before")
    return CellDifference(row=row, column=column, before=was, after=now)


def _is_reordered(old: Table, new: Table) -> bool:
    if (old.columns, old.column_types, old.total_rows) != (new.columns, new.column_types, new.total_rows):
        return False
    return Counter(map(_text, old.rows)) == Counter(map(_text, new.rows))


def _text(value: Any) -> str:
    # In Python 1 equals True and 1.0; in JSON they are three values.
    return json.dumps(value)
