"""The stdin and stdout of a container, over a connection that is attached to both."""

from collections import deque
from contextlib import suppress

import aiohttp
from aiodocker import DockerError
from aiodocker.containers import DockerContainer
from aiodocker.stream import Stream

STDERR = 2
_KEPT_ERRORS = 2_000


class AttachedLink:
    """A `Link` of `control`. What pid 1 writes to its stderr is kept, a little of it: it says why it ended."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._errors: deque[bytes] = deque()
        self._kept = 0

    @classmethod
    async def open(cls, container: DockerContainer) -> "AttachedLink":
        """Attach to a container that has not been started, so that nothing is missed. Raises DockerError."""
        stream = container.attach(stdin=True, stdout=True, stderr=True, timeout=None)
        link = cls(stream)
        try:
            await stream.__aenter__()
        except BaseException:
            link.close()
            raise
        return link

    @property
    def errors(self) -> str:
        """The last line of what pid 1 has complained about."""
        lines = b"".join(self._errors).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises OSError when nobody reads any more."""
        try:
            await self._stream.write_in(data)
        except (AssertionError, RuntimeError, aiohttp.ClientError, DockerError) as error:
            raise BrokenPipeError("the container is gone") from error

    async def receive(self) -> bytes:
        """What has arrived on stdout, at least one byte; nothing at the end. Raises OSError."""
        while True:
            try:
                message = await self._stream.read_out()
            except (AssertionError, RuntimeError, aiohttp.ClientError, DockerError) as error:
                raise ConnectionResetError("the container is gone") from error
            if message is None:
                return b""
            if message.stream != STDERR:
                if message.data:
                    return message.data
            elif self._kept < _KEPT_ERRORS:
                self._errors.append(message.data[:_KEPT_ERRORS])
                self._kept += len(message.data)

    def close(self) -> None:
        """Let go of both; as nobody else is attached, pid 1 finds its stdin at the end."""
        # It is called a coroutine, but waits for nothing.
        with suppress(StopIteration, AssertionError, RuntimeError):
            self._stream.close().send(None)
