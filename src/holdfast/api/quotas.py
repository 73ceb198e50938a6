"""How much one key may ask for: requests in progress, and requests per time. What is counted is in memory only."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from holdfast.errors import RateLimitedError
from holdfast.keys import ApiKey
from holdfast.settings import OFF, Settings


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
