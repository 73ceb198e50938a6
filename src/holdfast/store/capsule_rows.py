"""The SQL of capsules: each is a row of `runs` and one of `capsules`, written and removed together."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store.tables import capsules, runs

_BOTH = runs.join(capsules, runs.c.run_id == capsules.c.run_id)
_UNFINISHED = ("queued", "running")


async def begin(connection: AsyncConnection, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
    """Keep a run that has not ended."""
    await connection.execute(insert(runs), run)
    await connection.execute(insert(capsules), capsule)


async def end(connection: AsyncConnection, run_id: str, run: Mapping[str, Any], capsule: Mapping[str, Any]) -> None:
    """Keep what it came to."""
    await connection.execute(update(runs).where(runs.c.run_id == run_id).values(**run))
    await connection.execute(update(capsules).where(capsules.c.run_id == run_id).values(**capsule))


async def find(connection: AsyncConnection, run_id: str, owner: str | None) -> RowMapping | None:
    """Both rows as one, if there are any and they are the owner's."""
    query = select(capsules, *(column for column in runs.c if column.name != "run_id")).select_from(_BOTH)
    query = query.where(runs.c.run_id == run_id)
    if owner is not None:
        query = query.where(runs.c.owner == owner)
    row = (await connection.execute(query)).first()
    return None if row is None else row._mapping


async def end_unfinished(connection: AsyncConnection, run: Mapping[str, Any], error: Mapping[str, Any]) -> int:
    """Give an end to all that have none; how many that were."""
    unfinished = runs.c.status.in_(_UNFINISHED)
    theirs = select(runs.c.run_id).where(unfinished)
    await connection.execute(update(capsules).where(capsules.c.run_id.in_(theirs)).values(error_json=error))
    return int((await connection.execute(update(runs).where(unfinished).values(**run))).rowcount)


async def forget(connection: AsyncConnection, run_id: str) -> None:
    """Remove one capsule."""
    await connection.execute(delete(capsules).where(capsules.c.run_id == run_id))


async def prune(connection: AsyncConnection, most_bytes: int) -> int:
    """Remove the oldest until the others fit, and those whose run is gone; how many runs went with them."""
    beyond = await connection.execute(delete(runs).where(runs.c.run_id.in_(_beyond(most_bytes))))
    await connection.execute(delete(capsules).where(capsules.c.run_id.not_in(select(runs.c.run_id))))
    return int(beyond.rowcount)


def _beyond(most_bytes: int) -> Select[Any]:
    until_here = func.sum(capsules.c.size_bytes).over(order_by=runs.c.seq.desc()).label("until_here")
    sums = select(runs.c.run_id, until_here).select_from(_BOTH).where(runs.c.ended_at.is_not(None)).subquery()
    return select(sums.c.run_id).where(sums.c.until_here > most_bytes)
