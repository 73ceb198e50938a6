"""The rows of conversations: threads, messages, and the events of their turns, each as the types have them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from holdfast.errors import NotFoundError, ThreadBusyError
from holdfast.store.capsules import instant
from holdfast.store.tables import chat_events, messages, threads
from holdfast.types import Caller, Message, MessageMetadata, Thread

if TYPE_CHECKING:
    from holdfast.store.database import Database

_UNKNOWN = "There is no such thread; GET /threads lists those there are."
_BUSY = "The thread is answering a question already; wait for it, or cancel it with POST /threads/{id}/cancel."
_TITLE = 120


def prune(connection: Connection, before: str, keep: int) -> None:
    """Forget threads that were not used since, and those that were used least lately beyond so many."""
    last = select(threads.c.updated_at).order_by(threads.c.updated_at.desc()).offset(keep).limit(1)
    edge = connection.execute(last).scalar()
    too_old = threads.c.updated_at < before
    gone = too_old if edge is None else or_(too_old, threads.c.updated_at <= edge)
    connection.execute(delete(threads).where(gone, threads.c.running.is_(None)))
    left = select(threads.c.thread_id)
    for table in (messages, chat_events):
        connection.execute(delete(table).where(table.c.thread_id.not_in(left)))


class ThreadRows:
    """Threads in and out. Everything raises StoreUnavailableError."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def begin_turn(
        self, thread_id: str, dataset_id: str, question: Message, caller: Caller
    ) -> tuple[Thread, dict[str, Any]]:
        """Add a question to a thread, which is made if there is none; the thread, and what its last turn has left.

        Raises NotFoundError for a thread of another, ThreadBusyError while one is answered.
        """
        now = instant(question.created_at)

        def begin(connection: Connection) -> tuple[Thread, dict[str, Any]]:
            row: Mapping[Any, Any] | None = _found(connection, thread_id)
            if row is None:
                row = _made(connection, thread_id, dataset_id, question.content, caller.owner, now)
            elif not _may_see(row, caller):
                raise NotFoundError(_UNKNOWN)
            changes = {"running": _added(connection, question), "updated_at": now, "dataset_id": dataset_id}
            claim = update(threads).where(threads.c.thread_id == thread_id, threads.c.running.is_(None))
            if connection.execute(claim.values(**changes)).rowcount == 0:
                raise ThreadBusyError(_BUSY)
            _forget_events_before_the_last_turn(connection, thread_id)
            return _thread(connection, {**row, **changes}), row["state"]

        return await self._database.write(begin)

    async def end_turn(self, thread_id: str, answer: Message | None, state: Mapping[str, Any]) -> int | None:
        """Keep the answer, and what the next turn has to know; the id of the answer."""
        changes = {"running": None, "updated_at": instant(datetime.now(UTC)), "state": dict(state)}

        def end(connection: Connection) -> int | None:
            number = None if answer is None else _added(connection, answer)
            connection.execute(update(threads).where(threads.c.thread_id == thread_id).values(**changes))
            return number

        return await self._database.write(end)

    async def add_events(self, thread_id: str, turn_id: int, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep events, each with its `seq`."""
        rows = [{"thread_id": thread_id, "seq": each["seq"], "turn_id": turn_id, "body": each} for each in events]
        last = update(threads).where(threads.c.thread_id == thread_id).values(last_event=rows[-1]["seq"])

        def add(connection: Connection) -> None:
            connection.execute(insert(chat_events), rows)
            connection.execute(last)

        await self._database.write(add)

    async def events(self, thread_id: str, after: int | None) -> list[dict[str, Any]]:
        """The events after one; without one, those of the last turn."""
        query = select(chat_events.c.body).where(chat_events.c.thread_id == thread_id).order_by(chat_events.c.seq)
        if after is None:
            last = select(func.max(chat_events.c.turn_id)).where(chat_events.c.thread_id == thread_id)
            query = query.where(chat_events.c.turn_id == last.scalar_subquery())
        else:
            query = query.where(chat_events.c.seq > after)
        return await self._database.read(lambda connection: [dict(row.body) for row in connection.execute(query)])

    async def thread(self, thread_id: str, caller: Caller) -> Thread:
        """Raises NotFoundError."""
        return await self._database.read(lambda connection: _thread(connection, _seen(connection, thread_id, caller)))

    async def latest(self, caller: Caller, limit: int, before: str | None) -> tuple[list[Thread], str | None]:
        """The threads that were used last, or those used before another; and the last, if there are more."""
        query = select(threads).order_by(threads.c.updated_at.desc(), threads.c.seq.desc()).limit(limit + 1)
        if caller.only is not None:
            query = query.where(threads.c.owner == caller.only)

        def look(connection: Connection) -> list[Thread]:
            older = query
            if before is not None:
                older = query.where(threads.c.updated_at < _seen(connection, before, caller)["updated_at"])
            return [_thread(connection, row._mapping) for row in connection.execute(older).all()]

        found = await self._database.read(look)
        return found[:limit], found[limit - 1].thread_id if len(found) > limit else None

    async def messages(self, thread_id: str, caller: Caller, limit: int) -> list[Message]:
        """The last messages, oldest first. Raises NotFoundError."""
        query = select(messages).where(messages.c.thread_id == thread_id).order_by(messages.c.id.desc()).limit(limit)

        def look(connection: Connection) -> list[RowMapping]:
            _seen(connection, thread_id, caller)
            return [row._mapping for row in connection.execute(query)]

        return [_message(row) for row in reversed(await self._database.read(look))]

    async def forget(self, thread_id: str, caller: Caller) -> None:
        """Remove a thread and all of it. Raises NotFoundError."""

        def remove(connection: Connection) -> None:
            _seen(connection, thread_id, caller)
            for table in (messages, chat_events, threads):
                connection.execute(delete(table).where(table.c.thread_id == thread_id))

        await self._database.write(remove)

    async def end_unfinished(self) -> None:
        """Let threads go on whose last turn a stopped server has left without an end."""
        change = update(threads).where(threads.c.running.is_not(None)).values(running=None)
        await self._database.write(lambda connection: connection.execute(change))


def _found(connection: Connection, thread_id: str) -> RowMapping | None:
    row = connection.execute(select(threads).where(threads.c.thread_id == thread_id)).first()
    return None if row is None else row._mapping


def _forget_events_before_the_last_turn(connection: Connection, thread_id: str) -> None:
    """Nobody resumes what is long over; its messages and runs stay."""
    last = select(func.max(chat_events.c.turn_id)).where(chat_events.c.thread_id == thread_id)
    number = connection.execute(last).scalar()
    if number is not None:
        old = (chat_events.c.thread_id == thread_id, chat_events.c.turn_id < number)
        connection.execute(delete(chat_events).where(*old))


def _may_see(row: Mapping[Any, Any], caller: Caller) -> bool:
    return caller.only is None or row["owner"] == caller.only


def _seen(connection: Connection, thread_id: str, caller: Caller) -> RowMapping:
    row = _found(connection, thread_id)
    if row is None or not _may_see(row, caller):
        raise NotFoundError(_UNKNOWN)
    return row


def _made(
    connection: Connection, thread_id: str, dataset_id: str, question: str, owner: str | None, now: str
) -> Mapping[Any, Any]:
    row: dict[str, Any] = {
        "thread_id": thread_id,
        "owner": owner,
        "dataset_id": dataset_id,
        "title": " ".join(question.split())[:_TITLE],
        "created_at": now,
        "updated_at": now,
        "last_event": 0,
        "running": None,
        "state": {},
    }
    connection.execute(insert(threads).values(**row))
    return row


def _added(connection: Connection, message: Message) -> int:
    """Keep a message; its id."""
    made = connection.execute(insert(messages).values(**_message_row(message))).inserted_primary_key or (0,)
    return int(made[0])


def _thread(connection: Connection, row: Mapping[Any, Any]) -> Thread:
    count = select(func.count()).select_from(messages).where(messages.c.thread_id == row["thread_id"])
    fields = {name: row[name] for name in Thread.model_fields if name in row}
    return Thread.model_validate({**fields, "message_count": connection.execute(count).scalar_one()})


def _message_row(message: Message) -> dict[str, Any]:
    row = message.model_dump(mode="json", exclude={"id", "metadata"})
    return {**row, "created_at": instant(message.created_at), "metadata": message.metadata.model_dump(mode="json")}


def _message(row: Mapping[Any, Any]) -> Message:
    fields = dict(row) | {"metadata": MessageMetadata.model_validate(row["metadata"])}
    return Message.model_validate(fields)
