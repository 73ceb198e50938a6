"""What a column may be called, by the words of its name and of what is said about it."""

from collections.abc import Iterable

from holdfast.agents.simple.words import FILLER, NAME_UNITS, stem, words_of
from holdfast.data.columns import Kind

Phrase = tuple[str, ...]
_GENERIC = frozenset({"id", "name", "type", "date", "time", "number", "code", "key", "at", "flag", "no", "day"})
ENTITY_ENDS = frozenset({"id", "key", "no", "number", "code"})
_NAMES = frozenset({"name", "title", "label"})
"""With these a text stands for the thing itself: `customer_name` for a customer, as `customer_city` does not."""

AFFIXES = frozenset({"is", "has", "flag", "was"})
_DATE_ENDS = frozenset({"at", "on", "date", "time", "ts", "timestamp", "day"})


def names(words: Phrase, kind: Kind, description: str) -> Iterable[tuple[int, Phrase, bool]]:
    """What a column may be called, how literally, and whether it then names what is counted by it."""
    yield 0, words, False
    if "per" in words[1:]:
        yield from _rated(words)
        return
    bare = _without_units(words)
    if bare != words:
        yield 0, bare, False
    if kind is Kind.BOOLEAN:
        yield 0, tuple(word for word in bare if word not in AFFIXES), False
        yield from ((2, (word,), False) for word in bare if len(bare) > 1 and word not in AFFIXES | {"met", "was"})
        return
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        yield from _dates(bare)
        return
    if len(bare) > 1 and bare[-1] in ENTITY_ENDS:
        yield 0, bare[:-1], True
        return
    if len(bare) > 1 and bare[0] not in _GENERIC and (kind is Kind.NUMBER or bare[-1] in _NAMES):
        yield 2, bare[:1], False
    if (len(bare) > 1 and bare[-1] not in _GENERIC) or (len(bare) > 1 and bare[-1] == "type"):
        yield 2, bare[-1:], False
    yield from _described(bare, description)


def _without_units(words: Phrase) -> Phrase:
    while len(words) > 1 and words[-1] in NAME_UNITS:
        words = words[:-1]
    return words


def _dates(words: Phrase) -> Iterable[tuple[int, Phrase, bool]]:
    said = tuple(word for word in words if word not in _DATE_ENDS)
    yield 1, said, False
    yield from ((1, (*said, end), False) for end in ("date", "day", "time") if said)


_SAID_UNITS = {"kg": ("kilo", "kilogram"), "km": ("kilometer", "kilometre"), "l": ("liter", "litre"), "h": ("hour",)}


def _rated(words: Phrase) -> Iterable[tuple[int, Phrase, bool]]:
    """`price per kilo` for `price_per_kg_eur`, and the price alone."""
    at = words.index("per")
    yield 0, words[: at + 2], False
    yield from ((0, (*words[: at + 1], unit), False) for unit in _SAID_UNITS.get(words[at + 1], ()))
    yield 1, words[:at], False


def _described(bare: Phrase, description: str) -> Iterable[tuple[int, Phrase, bool]]:
    """By the first word that is said about it, alone and before the last word of its name."""
    said = words_of(description.partition(";")[0].partition(",")[0])
    if not said or len(said) < 2 or said[0].text in FILLER | {"number", "sum", "name", "price", "state", "one"}:
        return
    if said[1].text in ("from", "in", "of"):
        yield 2, (said[0].stem,), False
        if said[0].stem != stem(bare[-1]):
            yield 2, (said[0].stem, bare[-1]), False
