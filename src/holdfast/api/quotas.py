"""How much one key, and all together, may ask for: requests in progress, requests per time, bytes of their bodies.

What is counted is in memory only.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from holdfast.errors import QueueFullError, RateLimitedError
from holdfast.keys import ApiKey
from holdfast.settings import OFF, Settings

Take = Callable[[int], None]
"""Told of so many more bytes of a body that are in memory."""


class Bodies:
    """Counts the bodies that are in memory, from their first byte to the end of their request.

    Places and the queue bound runs, and a body is read before its run can ask for one.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = settings.body_memory
        self._most_of_a_key = settings.key_body_memory
        self._held = 0
        self._held_by: Counter[str] = Counter()

    @contextmanager
    def of(self, key: ApiKey | None) -> Iterator[Take]:
        """The body of one request of a key. What it yields raises RateLimitedError, QueueFullError."""
        name = None if key is None or key.scope == "admin" else key.sha256
        own = 0

        def take(size: int) -> None:
            nonlocal own
            self._check(name, size)
            own += size
            self._held += size
            if name is not None:
                self._held_by[name] += size

        try:
            yield take
        finally:
            self._held -= own
            if name is not None:
                self._held_by[name] -= own
                if not self._held_by[name]:
                    del self._held_by[name]

    def _check(self, name: str | None, size: int) -> None:
        if name is not None and self._held_by[name] + size > self._most_of_a_key:
            raise RateLimitedError(
                f"The bodies of this key's requests in progress are larger than {self._most_of_a_key >> 20} MiB; "
                "wait for one to end."
            )
        if self._held + size > self._most:
            raise QueueFullError(
                f"The bodies of all requests in progress are larger than {self._most >> 20} MiB.",
                retry_after_seconds=1,
            )


class Quotas:
    """Counts the requests of keys that exist, so that it never knows more names than there are keys."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.key_concurrency
        self._rate = None if settings.key_rate == OFF else parse(settings.key_rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._in_progress: Counter[str] = Counter()

    @contextmanager
    def request(self, key: ApiKey | None) -> Iterator[None]:
        """One request of a key, for the length of the block. Raises RateLimitedError.

        The local user of a keyless server and `admin` keys may ask for as much as the server can do.
        """
        if key is None or key.scope == "admin":
            yield
            return
        self._check_rate(key)
        if self._most and self._in_progress[key.sha256] >= self._most:
            raise RateLimitedError(
                f"This key has {self._most} requests in progress, the most it may have; wait for one to end."
            )
        self._in_progress[key.sha256] += 1
        try:
            yield
        finally:
            self._in_progress[key.sha256] -= 1
            if not self._in_progress[key.sha256]:
                del self._in_progress[key.sha256]

    def _check_rate(self, key: ApiKey) -> None:
        if self._rate is None or self._limiter.hit(self._rate, key.sha256):
            return
        reset = self._limiter.get_window_stats(self._rate, key.sha256).reset_time
        seconds = max(1, math.ceil(reset - datetime.now(UTC).timestamp()))
        raise RateLimitedError(
            f"This key may make {self._rate}; try again in {seconds} s.", retry_after_seconds=seconds
        )
