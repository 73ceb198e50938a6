"""The moment at which the demo data end, and how chance is made reproducible."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

ANCHOR = datetime(2026, 2, 2, 12, 0)
"""Nothing in the demo data is later; "last week" is the week before this."""


def ago(**amount: float) -> datetime:
    """A moment before the end, in whole seconds."""
    return (ANCHOR - timedelta(**amount)).replace(microsecond=0)


def dealt(chance: Random, counts: Mapping[str, int]) -> list[str]:
    """Each value as often as it says, in random order."""
    cards = [value for value, count in counts.items() for _ in range(count)]
    chance.shuffle(cards)
    return cards


def between(chance: Random, low: float, high: float, digits: int = 2) -> float:
    """A number in a range."""
    return round(low + (high - low) * chance.random(), digits)
