"""A question cut into pieces that mean something: each word is in exactly one, or is named as not understood."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from holdfast.agents.simple import dates
from holdfast.agents.simple.vocabulary import Meaning, Vocabulary, What
from holdfast.agents.simple.words import (
    ADVERBS,
    AFFIRMING,
    AGGREGATES,
    BEGAN,
    BUCKETS,
    COMPARING,
    COUNTING,
    DISTINCT,
    FEWEST,
    FILLER,
    FILLER_PHRASES,
    GROUPING,
    HAPPENED,
    HIGHEST,
    LOWEST,
    MOST,
    NEGATING,
    NEUTRAL_NOUNS,
    TRADED,
    UNITS,
    WHICH,
    Word,
    words_of,
)
from holdfast.types import Aggregate


class Piece(StrEnum):
    """What a piece is."""

    COUNT = "count"
    DISTINCT = "distinct"
    AGGREGATE = "aggregate"
    SUPERLATIVE = "superlative"
    WHICH = "which"
    TOP = "top"
    BY = "by"
    BUCKET = "bucket"
    NOUN = "noun"
    COMPARE = "compare"
    NUMBER = "number"
    SPAN = "span"
    NOT = "not"
    AND = "and"
    OR = "or"
    TRADED = "traded"
    BEGAN = "began"
    AFFIRM = "affirm"
    BETWEEN = "between"
    UNIT = "unit"
    FILLER = "filler"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Chunk:
    """A piece of the question. `used` is set by who has understood it."""

    piece: Piece
    text: str
    value: Any = None
    meanings: list[Meaning] = field(default_factory=list)
    used: bool = False

    def naming(self, what: What) -> list[Meaning]:
        """What it may mean of that kind."""
        return [meaning for meaning in self.meanings if meaning.what is what]


_FIXED = sorted(
    [
        *((tuple(phrase.split()), Piece.COUNT, None) for phrase in COUNTING),
        *((tuple(phrase.split()), Piece.BY, phrase) for phrase in GROUPING),
        *((tuple(phrase.split()), Piece.COMPARE, operator) for phrase, operator in COMPARING),
        *((tuple(phrase.split()), Piece.FILLER, None) for phrase in FILLER_PHRASES),
        (("top",), Piece.TOP, "desc"),
        (("bottom",), Piece.TOP, "asc"),
    ],
    key=lambda row: -len(row[0]),
)
_SINGLE: dict[str, tuple[Piece, Any]] = {
    **dict.fromkeys(FILLER, (Piece.FILLER, None)),
    **dict.fromkeys(HAPPENED, (Piece.FILLER, None)),
    **dict.fromkeys(UNITS, (Piece.UNIT, None)),
    **dict.fromkeys(AFFIRMING, (Piece.AFFIRM, None)),
    **dict.fromkeys(NEUTRAL_NOUNS, (Piece.FILLER, None)),
    **dict.fromkeys(TRADED, (Piece.TRADED, None)),
    **dict.fromkeys(DISTINCT, (Piece.DISTINCT, None)),
    **dict.fromkeys(NEGATING, (Piece.NOT, None)),
    **dict.fromkeys(WHICH, (Piece.WHICH, None)),
    **{word: (Piece.SUPERLATIVE, Aggregate.MAX) for word in HIGHEST | MOST},
    **{word: (Piece.SUPERLATIVE, Aggregate.MIN) for word in LOWEST | FEWEST},
    **{word: (Piece.AGGREGATE, func) for word, func in AGGREGATES.items()},
    **{word: (Piece.BUCKET, bucket) for word, bucket in {**BUCKETS, **ADVERBS}.items()},
    "and": (Piece.AND, None),
    "or": (Piece.OR, None),
    "between": (Piece.BETWEEN, None),
}
_IN = frozenset({"in", "during", "of", "for"})


def cut(question: str, vocabulary: Vocabulary) -> list[Chunk]:
    """The pieces of a question, in their order."""
    words = words_of(question)
    chunks: list[Chunk] = []
    place = 0
    while place < len(words):
        chunk, end = _next(words, place, vocabulary)
        chunks.append(chunk)
        place = end
    return chunks


def _next(words: Sequence[Word], place: int, vocabulary: Vocabulary) -> tuple[Chunk, int]:
    if (span := dates.span_at(words, place)) is not None:
        return _made(Piece.SPAN, words, place, span[1], span[0])
    if words[place].text in _IN and (span := dates.year_at(words, place + 1)) is not None:
        return _made(Piece.SPAN, words, place, span[1], span[0])
    meanings, length, single = _meant(words, place, vocabulary)
    literal = [each for each in meanings if each.rank < 3]
    fixed = _fixed(words, place)
    if fixed is not None and not (literal and length >= len(fixed[0])):
        return _made(fixed[1], words, place, place + len(fixed[0]), fixed[2])
    if single is not None and (not literal or (length == 1 and _means_itself(words[place], single[0], literal))):
        chunk, end = _made(single[0], words, place, place + 1, single[1])
        chunk.meanings = literal or (meanings if length == 1 else [])
        return chunk, end
    if meanings:
        chunk, end = _made(Piece.NOUN, words, place, place + length, None)
        chunk.meanings = meanings
        return chunk, end
    if words[place].number is not None:
        return _made(Piece.NUMBER, words, place, place + 1, words[place].number)
    if words[place].text in BEGAN:
        return _made(Piece.BEGAN, words, place, place + 1, None)
    return _made(Piece.UNKNOWN, words, place, place + 1, None)


def _meant(
    words: Sequence[Word], place: int, vocabulary: Vocabulary
) -> tuple[list[Meaning], int, tuple[Piece, Any] | None]:
    """What the words from here on are in the dataset, how many they are, and what the first means everywhere."""
    meanings, length = vocabulary.at(words, place)
    if length == 1 and (said := _value_of_filler(words[place], meanings)):
        return said, 1, None
    return meanings, length, _single(words[place])


def _made(piece: Piece, words: Sequence[Word], start: int, end: int, value: Any) -> tuple[Chunk, int]:
    return Chunk(piece, " ".join(word.text for word in words[start:end]), value), end


def _fixed(words: Sequence[Word], place: int) -> tuple[tuple[str, ...], Piece, Any] | None:
    texts = tuple(word.text for word in words[place : place + 6])
    return next((row for row in _FIXED if texts[: len(row[0])] == row[0]), None)


def _single(word: Word) -> tuple[Piece, Any] | None:
    return _SINGLE.get(word.text) or (_SINGLE.get(word.stem) if word.stem in BUCKETS or word.stem in UNITS else None)


def _value_of_filler(word: Word, meanings: Sequence[Meaning]) -> list[Meaning]:
    """The department `IT`: a value that is also a word anybody uses, and is asked about unless written as it is."""
    if _SINGLE.get(word.text, (None,))[0] is not Piece.FILLER:
        return []
    values = [each for each in meanings if each.what is What.VALUE]
    exact = [each for each in values if each.value == word.written and not each.value.islower()]
    return exact or [replace(each, guessed=True) for each in values]


def _means_itself(word: Word, piece: Piece, meanings: Sequence[Meaning]) -> bool:
    """Whether a word that also names something is understood as what it means everywhere; the reader may differ."""
    return piece in (Piece.AGGREGATE, Piece.BUCKET, Piece.FILLER) or all(each.rank >= 2 for each in meanings)
