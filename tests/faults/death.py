"""`kill -9` of this process, at a boundary of what it does that a seed has chosen."""

import os
import random
import signal
from typing import Any


class Death:
    """Kills this process before or after the n-th thing it does."""

    def __init__(self, chance: random.Random, most: int) -> None:
        self._left = chance.randrange(1, most)

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, kind: type, name: str) -> None:
        """Make the start and the end of a method things that are counted. It still does what it does."""
        real = getattr(kind, name)

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = await real(*args, **kwargs)
            self.step()
            return result

        setattr(kind, name, counted)
