"""The Docker daemon behind its socket. Whatever it cannot do is an EngineError that says what."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError

from holdfast.errors import EngineError, HostError

ANSWER_SECONDS = 60.0
"""How long the daemon may take for one request; one that is restarted answers nothing meanwhile."""

RETRY_SECONDS = 5
_GONE, _CONFLICT = 404, 409
_FULL = ("no space left on device", "disk quota exceeded")
_REASONS: dict[int | None, str] = {
    errno.ENOENT: "there is no such socket; start the daemon, or name another with HOLDFAST_DOCKER_SOCKET",
    errno.ECONNREFUSED: "nobody listens there; start the daemon",
    errno.EACCES: "this user may not open the socket; add the user to the group it belongs to",
}
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)


class AbsentError(EngineError):
    """The daemon knows no such container or image."""


@asynccontextmanager
async def connect(socket: Path) -> AsyncIterator[Docker]:
    """A client of the daemon on this socket. Raises HostError when nobody answers there."""
    connector = aiohttp.UnixConnector(str(socket), limit=0)
    async with connector, Docker(url="unix://localhost", connector=connector) as docker:
        try:
            with answering("asked for its version"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await docker.version()
        except EngineError as error:
            reason = _reason(error) or error.detail
            raise HostError(f"No Docker daemon answers on {socket}: {reason.rstrip('.')}.") from None
        yield docker


def _reason(error: BaseException | None) -> str | None:
    """What the system says below an error, where somebody can do something about it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REASONS:
            return _REASONS[error.errno]
        error = error.__cause__ or error.__context__
    return None


def is_podman(about: Mapping[str, Any]) -> bool:
    """Whether what says this of itself is Podman, which speaks Docker's language with a few words less."""
    return "BuildahVersion" in about


@contextmanager
def answering(deed: str) -> Iterator[None]:
    """What the daemon answers to this deed, as errors of ours. Raises EngineError, AbsentError."""
    try:
        yield
    except DockerError as error:
        raise _told(error, deed) from error
    except _UNREACHABLE as error:
        raise _unreachable() from error


def _told(error: DockerError, deed: str) -> EngineError:
    said = error.message if isinstance(error.message, str) else str(error.message)
    if any(words in said.lower() for words in _FULL):
        return _later("The disk of the Docker daemon is full; free some space there (docker system df) and try again.")
    if error.status == _GONE:
        return AbsentError(f"Docker has nothing of that name when {deed}.")
    if error.status >= 900:
        return _unreachable()
    return EngineError(f"Docker failed when {deed}: {said.strip().rstrip('.')[:300]}.")


def _unreachable() -> EngineError:
    return _later("The Docker daemon does not answer; it may be restarting, so try again.")


def _later(sentence: str) -> EngineError:
    error = EngineError(sentence)
    error.retry_after_seconds = RETRY_SECONDS
    return error
