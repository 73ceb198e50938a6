"""The files of sessions: in and out of a cell that is there, and what is kept of them for when it is not.

Every question to a cell is shielded: an answer that nobody waits for would be taken for that to the next question.
"""

from contextlib import suppress
from functools import partial

import anyio
import structlog
from anyio.to_thread import run_sync

from holdfast.errors import HoldfastError, InvalidFileNameError, NotFoundError, TooLargeError
from holdfast.execution.names import check_path
from holdfast.execution.requests import MAX_FILES_BYTES
from holdfast.sessions.live import Live
from holdfast.sessions.store import Record, SavedFile, SessionStore, cost
from holdfast.types import SessionFile, SessionFiles


async def listed(record: Record, live: Live | None) -> SessionFiles:
    """What there is: in the cell, or of what was kept. Raises EngineError."""
    if live is None:
        sizes = {path: file.size_bytes for path, file in record.files.items()}
        return SessionFiles(files=_files(sizes), notes=record.notes)
    with anyio.CancelScope(shield=True):
        listing = await live.sandbox.list()
    return SessionFiles(files=_files({path: size for path, (size, _) in listing.files.items()}), notes=listing.notes)


def _files(sizes: dict[str, int]) -> tuple[SessionFile, ...]:
    return tuple(SessionFile(path=path, size_bytes=size) for path, size in sorted(sizes.items()))


async def read(record: Record, live: Live | None, store: SessionStore, path: str) -> bytes:
    """One file. Raises InvalidFileNameError, NotFoundError, TooLargeError, EngineError."""
    check_path(path, field="path")
    if live is not None:
        with anyio.CancelScope(shield=True):
            return await live.sandbox.read(path, max_bytes=MAX_FILES_BYTES)
    saved = record.files.get(path)
    if saved is None:
        raise NotFoundError("The session has no such file; GET its files to see what there is.", field="path")
    return await run_sync(store.get, record.session.session_id, saved)


async def write(live: Live, path: str, data: bytes) -> None:
    """Place one file. Raises InvalidFileNameError, TooLargeError, StorageFullError, EngineError."""
    check_path(path, field="path")
    if len(data) > MAX_FILES_BYTES:
        raise TooLargeError(f"The file is larger than {MAX_FILES_BYTES:,} bytes.", field="path")
    with anyio.CancelScope(shield=True):
        await live.sandbox.write(path, data)


async def remove(live: Live, path: str) -> None:
    """Remove one file. Raises InvalidFileNameError, NotFoundError, EngineError."""
    check_path(path, field="path")
    with anyio.CancelScope(shield=True):
        await live.sandbox.remove(path)


async def forget(live: Live, path: str) -> None:
    """Remove a file of ours, if there is one. Raises EngineError."""
    with anyio.CancelScope(shield=True), suppress(NotFoundError, InvalidFileNameError):
        await live.sandbox.remove(path)


async def keep(live: Live, store: SessionStore, most_bytes: int) -> None:
    """Keep what has changed in the workspace, and the record. Never raises for what cannot be kept: a note says so."""
    with anyio.CancelScope(shield=True):
        async with live.filing:
            try:
                live.record = await _kept(live, store, most_bytes)
            except (HoldfastError, OSError) as error:
                live.record = live.record.model_copy(update={"notes": (f"Not all was kept: {_reason(error)}",)})
            if live.removed:
                return
            try:
                await run_sync(store.save, live.record)
            except (HoldfastError, OSError) as error:
                structlog.get_logger().error("a session could not be recorded", reason=_reason(error))


def _reason(error: HoldfastError | OSError) -> str:
    """Of the disk no more than what is wrong: where things are on it is the operator's to know."""
    return error.detail if isinstance(error, HoldfastError) else f"the disk of the server says: {error.strerror}."


async def _kept(live: Live, store: SessionStore, most_bytes: int) -> Record:
    before = live.record
    listing = await live.sandbox.list()
    kept = 0
    files: dict[str, SavedFile] = {}
    notes = list(listing.notes)
    for path, (size, stamp) in listing.files.items():
        if kept + cost(size) > min(most_bytes, store.room(live.id, before.owner)):
            notes.append(f"{path} is not kept: the files together are larger than what is kept of a session.")
            continue
        kept += cost(size)
        known = before.files.get(path)
        if known is not None and (known.size_bytes, known.stamp) == (size, stamp):
            files[path] = known
            continue
        store.expect(live.id, cost(size), before.owner)
        saved = await _save(live, store, path, size, stamp)
        if saved is not None:
            files[path] = saved
    return before.model_copy(update={"files": files, "notes": tuple(notes[:20])})


async def _save(live: Live, store: SessionStore, path: str, size: int, stamp: int) -> SavedFile | None:
    """None for a file that has gone or grown since it was listed."""
    try:
        data = await live.sandbox.read(path, max_bytes=size)
    except (NotFoundError, TooLargeError):
        return None
    name = await run_sync(partial(store.put, live.id, data))
    return SavedFile(sha256=name, size_bytes=len(data), stamp=stamp)
