"""What pydantic calls the kinds of a value that may be this or that, in the place of a fault: no name of a request."""

from typing import Any

TAGS = frozenset(
    {
        *("<agent>", "<workflow>", "<text>", "<bytes>", "<blocks>"),
        *("<any>", "<all>", "<not>", "<condition>", "<column>", "<aggregated>"),
    }
)


def untagged(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """The place as it is in the request."""
    return tuple(part for part in location if part not in TAGS)
