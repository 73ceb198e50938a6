"""The rows of conversations: threads, messages, and the events of their turns, each as the types have them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.errors import NotFoundError, ThreadBusyError
from holdfast.store.capsules import instant
from holdfast.store.tables import chat_events, messages, threads
from holdfast.types import Caller, Message, MessageMetadata, Thread

if TYPE_CHECKING:
    from holdfast.store.database import Database

_UNKNOWN = "There is no such thread; GET /threads lists those there are."
_BUSY = "The thread is answering a question already; wait for it, or cancel it with POST /threads/{id}/cancel."
_TITLE = 120


async def prune(connection: AsyncConnection, before: str, keep: int) -> None:
    """Forget threads that were not used since, and those that were used least lately beyond so many."""
    last = select(threads.c.updated_at).order_by(threads.c.updated_at.desc()).offset(keep).limit(1)
    edge = (await connection.execute(last)).scalar()
    too_old = threads.c.updated_at < before
    gone = too_old if edge is None else or_(too_old, threads.c.updated_at <= edge)
    await connection.execute(delete(threads).where(gone, threads.c.running.is_(None)))
    left = select(threads.c.thread_id)
    for table in (messages, chat_events):
        await connection.execute(delete(table).where(table.c.thread_id.not_in(left)))


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
        async with self._database.writes() as connection:
            row: Mapping[Any, Any] | None = await _found(connection, thread_id)
            if row is None:
                row = await _made(connection, thread_id, dataset_id, question.content, caller.owner, now)
            elif not _may_see(row, caller):
                raise NotFoundError(_UNKNOWN)
            turn = (
                await connection.execute(insert(messages).values(**_message_row(question)))
            ).inserted_primary_key or (0,)
            claim = update(threads).where(threads.c.thread_id == thread_id, threads.c.running.is_(None))
            changes = {"running": int(turn[0]), "updated_at": now, "dataset_id": dataset_id}
            if (await connection.execute(claim.values(**changes))).rowcount == 0:
                raise ThreadBusyError(_BUSY)
            await _forget_events_before_the_last_turn(connection, thread_id)
            thread = await _thread(connection, {**row, **changes})
        return thread, row["state"]

    async def end_turn(self, thread_id: str, answer: Message | None, state: Mapping[str, Any]) -> int | None:
        """Keep the answer, and what the next turn has to know; the id of the answer."""
        async with self._database.writes() as connection:
            number = None
            if answer is not None:
                made = (
                    await connection.execute(insert(messages).values(**_message_row(answer)))
                ).inserted_primary_key or (0,)
                number = int(made[0])
            changes = {"running": None, "updated_at": instant(datetime.now(UTC)), "state": dict(state)}
            await connection.execute(update(threads).where(threads.c.thread_id == thread_id).values(**changes))
        return number

    async def add_events(self, thread_id: str, turn_id: int, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep events, each with its `seq`."""
        rows = [{"thread_id": thread_id, "seq": each["seq"], "turn_id": turn_id, "body": each} for each in events]
        async with self._database.writes() as connection:
            await connection.execute(insert(chat_events), rows)
            last = {"last_event": rows[-1]["seq"]}
            await connection.execute(update(threads).where(threads.c.thread_id == thread_id).values(**last))

    async def events(self, thread_id: str, after: int | None) -> list[dict[str, Any]]:
        """The events after one; without one, those of the last turn."""
        query = select(chat_events.c.body).where(chat_events.c.thread_id == thread_id).order_by(chat_events.c.seq)
        if after is None:
            last = select(func.max(chat_events.c.turn_id)).where(chat_events.c.thread_id == thread_id)
            query = query.where(chat_events.c.turn_id == last.scalar_subquery())
        else:
            query = query.where(chat_events.c.seq > after)
        async with self._database.connected() as connection:
            return [dict(row.body) for row in await connection.execute(query)]

    async def thread(self, thread_id: str, caller: Caller) -> Thread:
        """Raises NotFoundError."""
        async with self._database.connected() as connection:
            return await _thread(connection, await _seen(connection, thread_id, caller))

    async def latest(self, caller: Caller, limit: int, before: str | None) -> tuple[list[Thread], str | None]:
        """The threads that were used last, or those used before another; and the last, if there are more."""
        query = select(threads).order_by(threads.c.updated_at.desc(), threads.c.seq.desc()).limit(limit + 1)
        if caller.only is not None:
            query = query.where(threads.c.owner == caller.only)
        async with self._database.connected() as connection:
            if before is not None:
                edge = await _seen(connection, before, caller)
                query = query.where(threads.c.updated_at < edge["updated_at"])
            rows = [row._mapping for row in await connection.execute(query)]
            found = [await _thread(connection, row) for row in rows[:limit]]
        return found, found[-1].thread_id if len(rows) > limit else None

    async def messages(self, thread_id: str, caller: Caller, limit: int) -> list[Message]:
        """The last messages, oldest first. Raises NotFoundError."""
        query = select(messages).where(messages.c.thread_id == thread_id).order_by(messages.c.id.desc()).limit(limit)
        async with self._database.connected() as connection:
            await _seen(connection, thread_id, caller)
            rows = [row._mapping for row in await connection.execute(query)]
        return [_message(row) for row in reversed(rows)]

    async def forget(self, thread_id: str, caller: Caller) -> None:
        """Remove a thread and all of it. Raises NotFoundError."""
        async with self._database.writes() as connection:
            await _seen(connection, thread_id, caller)
            for table in (messages, chat_events, threads):
                await connection.execute(delete(table).where(table.c.thread_id == thread_id))

    async def end_unfinished(self) -> None:
        """Let threads go on whose last turn a stopped server has left without an end."""
        async with self._database.writes() as connection:
            await connection.execute(update(threads).where(threads.c.running.is_not(None)).values(running=None))


async def _found(connection: AsyncConnection, thread_id: str) -> RowMapping | None:
    row = (await connection.execute(select(threads).where(threads.c.thread_id == thread_id))).first()
    return None if row is None else row._mapping


async def _forget_events_before_the_last_turn(connection: AsyncConnection, thread_id: str) -> None:
    """Nobody resumes what is long over; its messages and runs stay."""
    last = select(func.max(chat_events.c.turn_id)).where(chat_events.c.thread_id == thread_id)
    number = (await connection.execute(last)).scalar()
    if number is not None:
        old = (chat_events.c.thread_id == thread_id, chat_events.c.turn_id < number)
        await connection.execute(delete(chat_events).where(*old))


def _may_see(row: Mapping[Any, Any], caller: Caller) -> bool:
    return caller.only is None or row["owner"] == caller.only


async def _seen(connection: AsyncConnection, thread_id: str, caller: Caller) -> RowMapping:
    row = await _found(connection, thread_id)
    if row is None or not _may_see(row, caller):
        raise NotFoundError(_UNKNOWN)
    return row


async def _made(
    connection: AsyncConnection, thread_id: str, dataset_id: str, question: str, owner: str | None, now: str
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
    await connection.execute(insert(threads).values(**row))
    return row


async def _thread(connection: AsyncConnection, row: Mapping[Any, Any]) -> Thread:
    count = select(func.count()).select_from(messages).where(messages.c.thread_id == row["thread_id"])
    fields = {name: row[name] for name in Thread.model_fields if name in row}
    return Thread.model_validate({**fields, "message_count": (await connection.execute(count)).scalar_one()})


def _message_row(message: Message) -> dict[str, Any]:
    row = message.model_dump(mode="json", exclude={"id", "metadata"})
    return {**row, "created_at": instant(message.created_at), "metadata": message.metadata.model_dump(mode="json")}


def _message(row: Mapping[Any, Any]) -> Message:
    fields = dict(row) | {"metadata": MessageMetadata.model_validate(row["metadata"])}
    return Message.model_validate(fields)
