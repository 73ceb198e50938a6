"""What can be asked of a pid 1 at any time: its account, and the files of its workspace."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from holdfast.engines import Listing
from holdfast.engines.control.inbox import ConnectionLost, Message
from holdfast.engines.control.verdicts import usage_of
from holdfast.errors import (
    EngineError,
    HoldfastError,
    InvalidFileNameError,
    NotFoundError,
    StorageFullError,
    TooLargeError,
)
from holdfast.types import Usage

ANSWER_SECONDS = 30.0
"""How long a question about the files of a sandbox may take."""


class Asked(Protocol):
    """A connection that answers."""

    async def send(self, header: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send one message. Raises ConnectionLost."""
        ...

    async def answer(self) -> Message:
        """The next answer. Raises ConnectionLost."""
        ...


class Questions:
    """The part of a `Sandbox` that asks and is answered."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._asking = asyncio.Lock()

    def abandon(self) -> None:
        """Nobody waits for this sandbox any more: end it at once."""
        raise NotImplementedError

    async def usage(self) -> Usage:
        """What the sandbox has used since it was made. Raises EngineError."""
        answer, _ = await self._ask({"op": "usage"})
        return usage_of(answer["usage"])

    async def write(self, path: str, data: bytes) -> None:
        """Place a file in the workspace. Raises InvalidFileNameError, StorageFullError, EngineError."""
        check_path(path)
        await self._ask({"op": "write", "path": path}, data)

    async def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a regular file. Raises NotFoundError, TooLargeError, InvalidFileNameError, EngineError."""
        check_path(path)
        _, data = await self._ask({"op": "read", "path": path, "max_bytes": max_bytes})
        return data

    async def list(self) -> Listing:
        """The files of the workspace, as many as can be told. Raises EngineError."""
        answer, _ = await self._ask({"op": "list"})
        return Listing({path: (size, changed) for path, size, changed in answer["files"]}, tuple(answer["notes"]))

    async def remove(self, path: str) -> None:
        """Remove a file. Raises NotFoundError, InvalidFileNameError, EngineError."""
        check_path(path)
        await self._ask({"op": "remove", "path": path})

    async def _ask(self, header: dict[str, Any], payload: bytes = b"") -> Message:
        """The answer to a question. Who stops waiting for one ends the sandbox: the next would get it."""
        async with self._asking:
            answered = False
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._asked.send(header, payload)
                    answer, data = await self._asked.answer()
                answered = True
            except (ConnectionLost, TimeoutError):
                raise EngineError("The sandbox is gone.") from None
            finally:
                if not answered:
                    self.abandon()
        if answer["op"] == "done":
            return answer, data
        error = _FILE_ERRORS.get(answer["errno"], InvalidFileNameError)
        reason = _FILE_REASONS.get(answer["errno"], answer["error"])
        raise error(f"'{header.get('path', '.')[:200]}': {reason}.")


_FILE_ERRORS: dict[str, type[HoldfastError]] = {
    "ENOENT": NotFoundError,
    "EFBIG": TooLargeError,
    "ENOSPC": StorageFullError,
    "EDQUOT": StorageFullError,
}

_FILE_REASONS = {
    "ENOENT": "there is no such file; list the files to see what there is",
    "ENOTDIR": "a part of it is a file and no directory; choose another name",
    "EISDIR": "it is a directory; name a file in it",
    "ELOOP": "it goes through a link, which is not followed; name the file itself",
    "EXDEV": "it leads out of the workspace; name a file below it",
}


def check_path(path: str) -> None:
    """Raises InvalidFileNameError for what is no relative path below the workspace."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidFileNameError(f"'{path[:200]}' is not a relative path below the workspace.", field="files")
