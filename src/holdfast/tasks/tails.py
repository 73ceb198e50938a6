"""The last events of tasks that somebody follows, handed over from memory once they are committed.

The database is the truth. A tail has only what is there already, for those who wait for it at this moment; whoever
wants what it does not have reads the database.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

import anyio

MOST = 1000
MOST_BYTES = 1 << 20
"""How much of one task is held for its followers."""

Row = Mapping[str, Any]


class Tail:
    """The last events of one task, without a gap between them."""

    def __init__(self) -> None:
        self.changed = anyio.Event()
        """Set when there is more, or may be; it is another one then."""

        self.doubts = 0
        """How often something has happened that is not here: the database knows what."""

        self._rows: deque[Row] = deque()
        self._bytes = 0

    def extend(self, rows: Sequence[Row]) -> None:
        """These follow, and are committed. What came already is left out; a gap makes it begin anew."""
        fresh = [row for row in rows if not self._rows or row["seq"] > self._rows[-1]["seq"]]
        if not fresh:
            return
        if self._rows and fresh[0]["seq"] != self._rows[-1]["seq"] + 1:
            self._rows.clear()
            self._bytes = 0
        self._rows.extend(fresh)
        self._bytes += sum(len(row["body"]) for row in fresh)
        while len(self._rows) > 1 and (len(self._rows) > MOST or self._bytes > MOST_BYTES):
            self._bytes -= len(self._rows.popleft()["body"])
        self._wake()

    def doubt(self) -> None:
        """Something has happened that is not here."""
        self.doubts += 1
        self._wake()

    def lacks(self, after: int) -> bool:
        """Whether there are events after this number that are not here any more."""
        return bool(self._rows) and self._rows[0]["seq"] > after + 1

    def after(self, number: int) -> list[Row]:
        """The events after this number, if the first of them is here."""
        if not self._rows or self.lacks(number):
            return []
        return list(islice(self._rows, max(number + 1 - self._rows[0]["seq"], 0), None))

    def _wake(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class Tails:
    """Tails by task, for as long as somebody holds them."""

    def __init__(self) -> None:
        self._tails: WeakValueDictionary[str, Tail] = WeakValueDictionary()

    def of(self, task_id: str) -> Tail:
        """The tail of a task; hold it, and it is given all that is committed from now on."""
        tail = self._tails.get(task_id)
        if tail is None:
            tail = self._tails[task_id] = Tail()
        return tail

    def held(self, task_id: str) -> Tail | None:
        """The same, if somebody follows the task."""
        return self._tails.get(task_id)
