"""Word of the kernel that a control group ran out of memory, which outlives the group.

Docker removes the group of a container that has ended, and hears of the cause beside that, sometimes too late. The
kernel tells whoever has asked at once. Only version 1 has this, and it tells nobody but root.
"""

import asyncio
import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

_ASK = "cgroup.event_control"
_LATE_SECONDS = 0.3


class Alarm:
    """Rings when the group is out of memory, and once more when it is removed."""

    def __init__(self, oom_control: Path) -> None:
        """Ask to be told. Raises OSError where nobody is."""
        self._group = oom_control.parent
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.close = weakref.finalize(self, os.close, self._bell)
        self._rings = 0
        try:
            with oom_control.open("rb") as source:
                (self._group / _ASK).write_text(f"{self._bell} {source.fileno()}")
        except OSError:
            self.close()
            raise

    @classmethod
    def where_possible(cls, oom_control: Path) -> Self | None:
        """None where the kernel tells us nothing."""
        try:
            return cls(oom_control)
        except OSError:
            return None

    async def rang(self) -> bool:
        """Whether memory ran out, and the group was not merely removed."""
        rings = self._count()
        if self._group.exists():
            return rings > 0
        if rings == 1:
            # The second ring may be on its way.
            await asyncio.sleep(_LATE_SECONDS)
        return self._count() > 1

    def _count(self) -> int:
        with suppress(BlockingIOError):
            if self.close.alive:
                self._rings += os.eventfd_read(self._bell)
        return self._rings
