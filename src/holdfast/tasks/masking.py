"""The last net for secrets: a value that is whole in one event is never written. Who runs programs masks more."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, TypeVar, get_origin

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
        return event.model_copy(update={name: self.value(getattr(event, name)) for name in _texts(type(event))})

    def value(self, value: Any) -> Any:
        """The same for any JSON."""
        if type(value) is str:
            for secret in self._values:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value


@cache
def _texts(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields that anything may be written in: of the words of a closed list none can tell a secret."""
    return tuple(name for name, field in kind.model_fields.items() if get_origin(field.annotation) is not Literal)
