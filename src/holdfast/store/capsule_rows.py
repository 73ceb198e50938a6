"""The SQL of capsules: each is a row of `runs` and one of `capsules`, written and removed together."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from holdfast.store.tables import capsules, runs

_BOTH = runs.join(capsules, runs.c.run_id == capsules.c.run_id)
_UNFINISHED = ("queued", "running")
_RUN, _CAPSULE = (update(table).where(table.c.run_id == bindparam("ended")) for table in (runs, capsules))
"""What is to be changed comes with the call: to make such a statement takes longer than to execute it."""


def begin(connection: Connection, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
    """Keep a run that has not ended."""
    connection.execute(insert(runs), run)
    connection.execute(insert(capsules), capsule)


def end(connection: Connection, run_id: str, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
    """Keep what it came to."""
    connection.execute(_RUN, {**run, "ended": run_id})
    connection.execute(_CAPSULE, {**capsule, "ended": run_id})


def find(run_id: str, owner: str | None) -> Select[Any]:
    """What asks for both rows as one, if there are any and they are the owner's."""
    query = select(capsules, *(column for column in runs.c if column.name != "run_id")).select_from(_BOTH)
    query = query.where(runs.c.run_id == run_id)
    return query if owner is None else query.where(runs.c.owner == owner)


def end_unfinished(connection: Connection, run: Mapping[str, Any], error: Mapping[str, Any]) -> int:
    """Give an end to all that have none; how many that were."""
    unfinished = runs.c.status.in_(_UNFINISHED)
    theirs = select(runs.c.run_id).where(unfinished)
    connection.execute(update(capsules).where(capsules.c.run_id.in_(theirs)).values(error_json=error))
    return connection.execute(update(runs).where(unfinished).values(**run)).rowcount


def forget(connection: Connection, run_id: str) -> None:
    """Remove one capsule."""
    connection.execute(delete(capsules).where(capsules.c.run_id == run_id))


def prune(connection: Connection, most_bytes: int) -> int:
    """Remove the oldest until the others fit, and those whose run is gone; how many runs went with them."""
    beyond = connection.execute(delete(runs).where(runs.c.run_id.in_(_beyond(most_bytes))))
    connection.execute(delete(capsules).where(capsules.c.run_id.not_in(select(runs.c.run_id))))
    return beyond.rowcount


def _beyond(most_bytes: int) -> Select[Any]:
    until_here = func.sum(capsules.c.size_bytes).over(order_by=runs.c.seq.desc()).label("until_here")
    sums = select(runs.c.run_id, until_here).select_from(_BOTH).where(runs.c.ended_at.is_not(None)).subquery()
    return select(sums.c.run_id).where(sums.c.until_here > most_bytes)
