"""What an answer means: a noun, an event, or one of our errors, rebuilt from the `code` of the problem."""

import json
import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar, cast

import httpx
from httpx_sse import ServerSentEvent, SSEError
from pydantic import ValidationError

from holdfast.client.calls import Call
from holdfast.errors import HoldfastError, NotFoundError, QueueFullError, RequestError, UnreachableError

T = TypeVar("T")
E = TypeVar("E")
R = TypeVar("R")

RETRIED = frozenset({429, 503})
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""A server that asks for more patience than this is not waited for."""

_OUTCOMES = {"exited": "result", "graded": "result", "built": "prebuild"}
"""The last events, and where they have what it all came to."""

_TOLD = ("field", "request_id", "log", "report")
_KINDS_WITHOUT_CODE: Mapping[int, type[HoldfastError]] = {404: NotFoundError, 429: QueueFullError}


def _tree(root: type[HoldfastError]) -> Iterator[type[HoldfastError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _tree(kind)


_KINDS = {kind.code: kind for kind in _tree(HoldfastError) if "code" in vars(kind)}
"""A finer kind without a code of its own, which a module of the server in this process may have, is its parent here."""


def meaning(call: Call[T], response: httpx.Response) -> T:
    """What the call wanted. Raises the error that the server answered with."""
    if not response.is_success:
        raise refusal(response)
    return _read(call, response.content)


def refusal(response: httpx.Response) -> HoldfastError:
    """The error that an answer, which has been read, stands for."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    known = problem if isinstance(problem, dict) else {}
    return _rebuilt(known, response.status_code, _seconds(response.headers.get("retry-after")))


def pause(error: HoldfastError, attempt: int, retries: int) -> float:
    """How long to wait before the next attempt; raises `error` when another one does not help."""
    asked = error.retry_after_seconds
    if attempt >= retries or not error.retryable or error.http_status not in RETRIED:
        raise error
    if asked is not None and asked > LONGEST_PAUSE_SECONDS:
        raise error
    wait = min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS) if asked is None else asked
    # Those who were sent away together do not come back together.
    return wait * random.uniform(1, 1.25)  # noqa: S311 - no secret


@contextmanager
def reached(url: str) -> Iterator[None]:
    """Turn what goes wrong between us and the server into UnreachableError."""
    try:
        yield
    except httpx.TimeoutException:
        raise UnreachableError(f"The server at {url} did not answer in time.") from None
    except (httpx.HTTPError, httpx.InvalidURL, SSEError) as error:
        reason = str(error) or type(error).__name__
        raise UnreachableError(
            f"The server at {url} cannot be reached: {reason}; start it with 'holdfast serve', or name another."
        ) from error


class Transcript(Generic[E, R]):
    """The events of one run, as they are read."""

    def __init__(self) -> None:
        self._result: R | None = None

    @property
    def result(self) -> R:
        """What the run came to, once its last event was read."""
        if self._result is None:
            raise UnreachableError("The run has no result yet; read its events to the end.")
        return self._result

    def _keep(self, event: E) -> E:
        outcome = _OUTCOMES.get(getattr(event, "type", ""))
        if outcome is not None:
            self._result = cast(R, getattr(event, outcome))
        return event


class Messages(Transcript[E, R]):
    """The events of one run, as a server sends them."""

    def __init__(self, call: Call[E]) -> None:
        super().__init__()
        self._call = call

    def _take(self, message: ServerSentEvent) -> E | None:
        """The event of a message; `None` for none, or of a kind we do not know. Raises the error a message tells of."""
        if not message.data:
            # What httpx-sse makes of a comment, such as a ping, once a message had an id.
            return None
        if message.event == "error":
            problem = json.loads(message.data)
            raise _rebuilt(problem, problem.get("status", 500), None)
        try:
            return self._keep(self._call.meaning(message.data.encode()))
        except ValidationError as error:
            if any(fault["type"] == "union_tag_invalid" for fault in error.errors(include_url=False)):
                return None
            raise UnreachableError("The server sent an event that makes no sense.") from error

    def _must_be_over(self) -> None:
        if self._result is None:
            raise UnreachableError("The server ended the stream before the run was over.")


def _read(call: Call[T], content: bytes) -> T:
    try:
        return call.meaning(content)
    except ValidationError as error:
        raise UnreachableError("What answers there does not speak the language of Holdfast.") from error


def _rebuilt(problem: Mapping[str, Any], status: int, retry_after: int | None) -> HoldfastError:
    kind = _KINDS.get(str(problem.get("code"))) or _KINDS_WITHOUT_CODE.get(status)
    if kind is None:
        kind = RequestError if 400 <= status < 500 else UnreachableError
    error = kind(str(problem.get("detail") or f"The server answered {status}."))
    vars(error).update({name: problem[name] for name in _TOLD if name in problem and name in vars(error)})
    error.retry_after_seconds = retry_after
    return error


def _seconds(header: str | None) -> int | None:
    """`Retry-After`: seconds, or a moment."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return int(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    left = moment - datetime.now(UTC) if moment.tzinfo else moment - datetime.now(UTC).replace(tzinfo=None)
    return max(0, math.ceil(left.total_seconds()))
