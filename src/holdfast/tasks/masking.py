"""The last net for secrets: a value that is whole in one event is never written. Who runs programs masks more."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

MASK = "***"
SHORTEST = 4
"""Shorter values are in too many words to be looked for."""

E = TypeVar("E", bound=BaseModel)


class Mask:
    """Replaces secrets in what is told of a task."""

    def __init__(self, values: Iterable[str]) -> None:
        # A longer one may contain a shorter.
        self._values = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)

    def event(self, event: E) -> E:
        """The event without them."""
        if not self._values:
            return event
        fields = {name: getattr(event, name) for name in type(event).model_fields if name != "type"}
        changed: dict[str, Any] = {name: self.value(value) for name, value in fields.items()}
        return event.model_copy(update=changed)

    def value(self, value: Any) -> Any:
        """The same for any JSON."""
        if type(value) is str:
            for secret in self._values:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value
