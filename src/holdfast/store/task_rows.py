"""The SQL of tasks and their events. Whoever changes a task that somebody does must name their claim."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, groupby
from typing import Any

from sqlalchemy import Connection, Select, Update, and_, delete, func, insert, or_, select, update

from holdfast.store.appending import Append, NewEvent
from holdfast.store.database import Database
from holdfast.store.tables import task_events, tasks

OPEN = ("queued", "running", "waiting")
"""The statuses of tasks that have not ended."""

Row = dict[str, Any]

_CLAIMED = tasks.c.claim.is_not(None)
_SHOWN = [column for column in tasks.c if column.name != "workspace"]
"""What is read of many tasks: their workspaces can be large."""


class TaskRows:
    """Rows of tasks in and out. All methods raise StoreUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: Mapping[str, Any], first: NewEvent) -> None:
        """Keep a new task with its first event."""
        empty = dict.fromkeys(("events", "received", "size_bytes", "delivered_seq", "sending_seq", "dropped"), 0)
        empty |= {"attempts": 0, "cancelling": 0, "delivery_attempts": 0}
        entry = Append(row["task_id"], None, row["created_at"], [first])

        def keep(connection: Connection) -> None:
            connection.execute(insert(tasks), {**empty, **row})
            _append_all(connection, [entry])

        await self._database.write(keep)

    async def append(self, entries: Sequence[Append]) -> list[int | None]:
        """Append, in one transaction; for each the number of the task's last event, `None` where it may not."""
        return await self._database.write(partial(_append_all, entries=entries))

    async def oldest(self, types: Sequence[str]) -> list[tuple[str | None, str]]:
        """The oldest queued task of these types of each owner, as owner and task, oldest first."""
        queued = select(func.min(tasks.c.seq)).where(tasks.c.status == "queued", tasks.c.type.in_(types))
        query = select(tasks.c.owner, tasks.c.task_id).where(tasks.c.seq.in_(queued.group_by(tasks.c.owner)))
        return [(row["owner"], row["task_id"]) for row in await self._rows(query.order_by(tasks.c.seq))]

    async def claim(self, task_id: str, claimed: Mapping[str, Any], begun: NewEvent) -> Row | None:
        """Give a queued task to whoever `claimed` names; nobody else has it then. `None` when somebody else was faster.

        Only here all of a row is read; `events` counts the one that is appended.
        """
        at = claimed["started_at"]
        change = update(tasks).where(tasks.c.task_id == task_id, tasks.c.status == "queued")
        # The first start is the start.
        values = {**claimed, "started_at": func.coalesce(tasks.c.started_at, at), "attempts": tasks.c.attempts + 1}
        change = change.values(**values, status="running", received=0, cancelling=0).returning(tasks)

        def take(connection: Connection) -> Row | None:
            found = connection.execute(change).first()
            if found is None:
                return None
            row = dict(found._mapping)
            [row["events"]] = _append_all(connection, [Append(task_id, row["claim"], at, [begun])])
            return row

        return await self._database.write(take)

    async def renew(self, claims: Sequence[str], until: str) -> dict[str, bool]:
        """Lengthen leases; the claims that still hold, and whether their task is to be cancelled."""
        change = update(tasks).where(tasks.c.claim.in_(claims)).values(lease_until=until)
        change = change.returning(tasks.c.claim, tasks.c.cancelling)
        return await self._database.write(
            lambda connection: {row[0]: bool(row[1]) for row in connection.execute(change)}
        )

    async def cancelling(self, task_id: str) -> bool:
        """Note that a claimed task is to be cancelled; whether there is such a one."""
        change = update(tasks).where(tasks.c.task_id == task_id, _CLAIMED).values(cancelling=1)
        return await self._database.write(lambda connection: bool(connection.execute(change).rowcount))

    async def lost(self, now: str, workers: Iterable[str] = ()) -> list[Row]:
        """The tasks whose lease is over, or whose worker is one of these."""
        query = select(*_SHOWN).where(_CLAIMED, or_(tasks.c.lease_until < now, tasks.c.worker.in_([*workers])))
        return await self._rows(query)

    async def held(self, prefix: str) -> list[Row]:
        """The tasks that workers hold whose names begin so."""
        return await self._rows(select(*_SHOWN).where(_CLAIMED, tasks.c.worker.startswith(prefix, autoescape=True)))

    async def unclaimed(self, status: str) -> list[Row]:
        """The tasks of a status that nobody does, oldest first."""
        return await self._rows(select(*_SHOWN).where(tasks.c.status == status, ~_CLAIMED).order_by(tasks.c.seq))

    async def find(self, task_id: str, owner: str | None) -> Row | None:
        """One task, if there is one and it is the owner's."""
        query = select(*_SHOWN).where(tasks.c.task_id == task_id)
        rows = await self._rows(query if owner is None else query.where(tasks.c.owner == owner))
        return rows[0] if rows else None

    async def latest(self, owner: str | None, status: str | None, before: int | None, limit: int) -> list[Row]:
        """The latest tasks; of one owner, one status, or older than `before`, where these are given."""
        query = select(*_SHOWN).order_by(tasks.c.seq.desc()).limit(limit)
        if owner is not None:
            query = query.where(tasks.c.owner == owner)
        if status is not None:
            query = query.where(tasks.c.status == status)
        if before is not None:
            query = query.where(tasks.c.seq < before)
        return await self._rows(query)

    async def counts(self) -> dict[str, int]:
        """How many tasks have not ended, by status."""
        query = select(tasks.c.status, func.count()).where(tasks.c.status.in_(OPEN)).group_by(tasks.c.status)
        return await self._database.read(lambda connection: {row[0]: row[1] for row in connection.execute(query)})

    async def queued_before(self, seq: int) -> int:
        """How many queued tasks are older than this one."""
        query = select(func.count()).select_from(tasks).where(tasks.c.status == "queued", tasks.c.seq < seq)
        return await self._database.read(lambda connection: int(connection.execute(query).scalar_one()))

    async def events(self, task_id: str, after: int, limit: int) -> list[Row]:
        """The events of a task after a number, in order."""
        query = select(task_events).where(task_events.c.task_id == task_id, task_events.c.seq > after)
        return await self._rows(query.order_by(task_events.c.seq).limit(limit))

    async def deliverable(self, now: str, limit: int) -> list[Row]:
        """Tasks with events for their callback whose time has come."""
        columns = (tasks.c.task_id, tasks.c.owner)
        due = or_(tasks.c.delivery_at.is_(None), tasks.c.delivery_at <= now)
        query = select(*columns).where(tasks.c.delivery == "pending", tasks.c.events > tasks.c.delivered_seq, due)
        return await self._rows(query.order_by(tasks.c.delivery_at.is_not(None), tasks.c.seq).limit(limit))

    async def note_delivery(self, task_id: str, changes: Mapping[str, Any]) -> None:
        """Keep how far delivery is."""
        change = update(tasks).where(tasks.c.task_id == task_id).values(**changes)
        await self._database.write(lambda connection: connection.execute(change))

    async def redrive(self, task_id: str) -> bool:
        """Let a dead delivery begin again where it ended; whether it was dead."""
        changes = {"delivery": "pending", "delivery_attempts": 0, "delivery_at": None, "delivery_error": None}
        change = update(tasks).where(tasks.c.task_id == task_id, tasks.c.delivery == "dead").values(**changes)
        return await self._database.write(lambda connection: bool(connection.execute(change).rowcount))

    async def forget(self, task_id: str) -> None:
        """Remove a task and its events."""

        def remove(connection: Connection) -> None:
            connection.execute(delete(task_events).where(task_events.c.task_id == task_id))
            connection.execute(delete(tasks).where(tasks.c.task_id == task_id))

        await self._database.write(remove)

    async def prune(self, ended_before: str, most_bytes: int) -> int:
        """Remove tasks that ended too long ago, and the oldest until the others fit; how many."""
        until_here = func.sum(tasks.c.size_bytes).over(order_by=tasks.c.seq.desc()).label("until_here")
        ended = tasks.c.ended_at.is_not(None)
        sums = select(tasks.c.task_id, until_here).where(ended).subquery()
        beyond = select(sums.c.task_id).where(sums.c.until_here > most_bytes)
        over = and_(ended, or_(tasks.c.ended_at < ended_before, tasks.c.task_id.in_(beyond)))
        theirs = task_events.c.task_id.in_(select(tasks.c.task_id).where(over))

        def remove(connection: Connection) -> int:
            connection.execute(delete(task_events).where(theirs))
            return connection.execute(delete(tasks).where(over)).rowcount

        return await self._database.write(remove)

    async def latest_first(self) -> list[tuple[str, bool]]:
        """All tasks, and whether they have ended."""
        query = select(tasks.c.task_id, tasks.c.ended_at).order_by(tasks.c.seq.desc())
        return [(row["task_id"], row["ended_at"] is not None) for row in await self._rows(query)]

    async def _rows(self, query: Select[Any]) -> list[Row]:
        return await self._database.read(lambda connection: [dict(row._mapping) for row in connection.execute(query)])


def _append_all(connection: Connection, entries: Sequence[Append]) -> list[int | None]:
    lasts: list[int | None] = []
    for group in _together(entries):
        lasts += _lasts(group, connection.execute(_changed(group)).scalar())
    told = zip(entries, lasts, strict=True)
    rows = [row for entry, last in told if last is not None for row in entry.rows(last)]
    if rows:
        connection.execute(insert(task_events), rows)
    return lasts


def _together(entries: Iterable[Append]) -> Iterator[list[Append]]:
    """Neighbours that only add events to one task: one statement does for all, so that many tokens cost as one."""

    def key(entry: Append) -> Any:
        return (entry.task_id, entry.claim) if entry.only_adds else id(entry)

    return (list(group) for _, group in groupby(entries, key))


def _lasts(group: Sequence[Append], last: int | None) -> list[int | None]:
    """What the last number is after each of them, when it is `last` after all."""
    if last is None:
        return [None] * len(group)
    counts = [len(entry.events) for entry in group]
    return [last - sum(counts) + reached for reached in accumulate(counts)]


def _changed(group: Sequence[Append]) -> Update:
    """The row takes the numbers of the events before they are there, and thereby says whether they may be."""
    entry = group[0]
    holds = tasks.c.claim == entry.claim if entry.claim else ~_CLAIMED
    change = update(tasks).where(tasks.c.task_id == entry.task_id, holds, tasks.c.status.in_(OPEN))
    if entry.expected is not None:
        change = change.where(tasks.c.events == entry.expected)
    changes: dict[str, Any] = {
        "events": tasks.c.events + sum(len(each.events) for each in group),
        "size_bytes": tasks.c.size_bytes + sum(each.size_bytes for each in group),
    }
    if entry.received is not None:
        first, last = entry.received
        change = change.where(tasks.c.received == first - 1)
        changes |= {"received": last}
    return change.values({**changes, **entry.changes}).returning(tasks.c.events)
