"""What is appended to a task in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append: its type, and its JSON without task, number and time."""

    type: str
    body: str


@dataclass(frozen=True, slots=True)
class Append:
    """Events to append to one task, and what becomes of its row in the same transaction.

    With a `claim` only if that still holds it; else only while nobody does. `received` are a runner's own
    first and last numbers of them, which must follow on those before; `expected` is how many
    events there must be before. A task that has ended takes nothing.
    """

    task_id: str
    claim: str | None
    at: str
    events: Sequence[NewEvent] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    received: tuple[int, int] | None = None
    expected: int | None = None

    @property
    def only_adds(self) -> bool:
        """Whether it does nothing but add events, so that it can be one with its neighbours."""
        return not self.changes and self.received is None and self.expected is None

    def rows(self, last: int) -> list[dict[str, Any]]:
        """Its events as they are kept, when `last` is the number of the last."""
        first = last - len(self.events) + 1
        common = {"task_id": self.task_id, "created_at": self.at}
        return [
            {**common, "seq": first + index, "type": event.type, "body": event.body}
            for index, event in enumerate(self.events)
        ]

    @property
    def size_bytes(self) -> int:
        """What it adds to the task."""
        return sum(len(event.body) for event in self.events)
