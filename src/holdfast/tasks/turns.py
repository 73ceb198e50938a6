"""Whose turn it is: of those who have tasks in the queue, whoever was served longest ago."""

from collections.abc import Sequence

MOST = 10_000
"""Owners that are remembered; one that is forgotten comes first."""


class Turns:
    """Who was served when. It is remembered by this server alone, and after a restart the oldest task is first."""

    def __init__(self) -> None:
        # In the order in which they were served.
        self._served: dict[str | None, None] = {}

    def served(self, owner: str | None) -> None:
        """This one was."""
        self._served.pop(owner, None)
        self._served[owner] = None
        if len(self._served) > MOST:
            del self._served[next(iter(self._served))]

    def in_order(self, queued: Sequence[tuple[str | None, str]]) -> list[tuple[str | None, str]]:
        """Owners and their oldest tasks, oldest first, in the order in which it is their turn."""
        place = {owner: number for number, owner in enumerate(self._served)}
        return sorted(queued, key=lambda each: place.get(each[0], -1))
