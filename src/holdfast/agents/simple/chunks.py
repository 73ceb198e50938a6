"""A question cut into pieces that mean something: each word is in exactly one, or is named as not understood."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from holdfast.agents.simple import dates
from holdfast.agents.simple.people import PERSONS
from holdfast.agents.simple.phrasing import plainly
from holdfast.agents.simple.quantities import COMPARATIVES, HOW, SUPERLATIVES, Dimension, Scale
from holdfast.agents.simple.vocabulary import Meaning, Vocabulary, What
from holdfast.agents.simple.words import (
    ADVERBS,
    AFFIRMING,
    AGGREGATES,
    AS_IT_IS,
    BEGAN,
    BEGAN_THEN,
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
    OFTENEST,
    TRADED,
    UNITS,
    WHICH,
    Word,
    stem,
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
    BEGAN_THEN = "began then"
    MUCH = "much"
    HOW = "how"
    WHEN = "when"
    PERSON = "person"
    NOW = "now"
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
    scale: Scale | None = None
    """Which way a superlative points."""

    about: frozenset[Dimension] = frozenset()
    """What an adjective is said of."""

    def naming(self, what: What) -> list[Meaning]:
        """What it may mean of that kind."""
        return [meaning for meaning in self.meanings if meaning.what is what]


_FIXED = sorted(
    [
        *((tuple(phrase.split()), Piece.COUNT, None) for phrase in COUNTING),
        *((tuple(phrase.split()), Piece.BY, phrase) for phrase in GROUPING),
        *((tuple(phrase.split()), Piece.COMPARE, operator) for phrase, operator in COMPARING),
        *((tuple(phrase.split()), Piece.FILLER, None) for phrase in FILLER_PHRASES),
        *((tuple(phrase.split()), Piece.BEGAN, None) for phrase in BEGAN if " " in phrase),
        *((tuple(phrase.split()), Piece.NOW, None) for phrase in AS_IT_IS),
        *((tuple(phrase.split()), Piece.COMPARE, operator) for phrase, (operator, _) in COMPARATIVES.items()),
        *((tuple(phrase.split()), Piece.HOW, None) for phrase in HOW),
        *((tuple(phrase.split()), Piece.SUPERLATIVE, Aggregate.MAX) for phrase in SUPERLATIVES if " " in phrase),
        (("on", "average"), Piece.AGGREGATE, Aggregate.AVG),
        (("on", "the", "average"), Piece.AGGREGATE, Aggregate.AVG),
        (("how", "much"), Piece.MUCH, None),
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
    **{word: (Piece.SUPERLATIVE, Aggregate.MAX) for word in SUPERLATIVES if " " not in word},
    **{word: (Piece.SUPERLATIVE, Aggregate.MAX) for word, way in OFTENEST.items() if way == "most"},
    **{word: (Piece.SUPERLATIVE, Aggregate.MIN) for word, way in OFTENEST.items() if way == "fewest"},
    **{word: (Piece.AGGREGATE, func) for word, func in AGGREGATES.items()},
    **{word: (Piece.BUCKET, bucket) for word, bucket in {**BUCKETS, **ADVERBS}.items()},
    "and": (Piece.AND, None),
    "or": (Piece.OR, None),
    "when": (Piece.WHEN, None),
    "between": (Piece.BETWEEN, None),
}
_IN = frozenset({"in", "during", "of", "for"})


def cut(question: str, vocabulary: Vocabulary) -> list[Chunk]:
    """The pieces of a question, in their order."""
    words = plainly(words_of(question), vocabulary.is_known)
    chunks: list[Chunk] = []
    words = _undone(words, vocabulary)
    place = 0
    while place < len(words):
        chunk, end = _next(words, place, vocabulary)
        chunks.append(_pointed(chunk))
        place = end
    return _measured_units(chunks)


_HIGHER, _LOWER = Scale(any=1), Scale(any=-1)


def _pointed(chunk: Chunk) -> Chunk:
    """With what its adjective is said of."""
    if chunk.piece is Piece.SUPERLATIVE:
        chunk.scale = SUPERLATIVES.get(chunk.text) or (_HIGHER if chunk.value is Aggregate.MAX else _LOWER)
    elif chunk.piece is Piece.COMPARE and chunk.text in COMPARATIVES:
        chunk.about = COMPARATIVES[chunk.text][1]
    elif chunk.piece is Piece.HOW:
        chunk.about = HOW[chunk.text]
    return chunk


_ASKING = frozenset({Piece.COUNT, Piece.AGGREGATE, Piece.SUPERLATIVE, Piece.MUCH})


def _measured_units(chunks: list[Chunk]) -> list[Chunk]:
    """`how many hours`, `total kilos`, `apples kg per week`: what is measured, where no number is before it."""
    said: Chunk | None = None
    for place, chunk in enumerate(chunks):
        unit = chunk.piece in (Piece.UNIT, Piece.BUCKET) and bool(chunk.naming(What.COLUMN))
        by = any(each.piece is Piece.BY for each in chunks[place + 1 : place + 2])
        grouped = by and said is chunks[0] and said.piece is Piece.NOUN and chunk.piece is Piece.UNIT
        if unit and said is not None and (said.piece in _ASKING or grouped):
            chunk.piece = Piece.NOUN
        if chunk.piece is not Piece.FILLER:
            said = chunk
    return chunks


_UN = ("un", "non", "in", "dis")


def _undone(words: Sequence[Word], vocabulary: Vocabulary) -> list[Word]:
    """`unpaid` is `not paid`, where the data say what is paid."""
    return [part for word in words for part in (_denied(word, vocabulary) or [word])]


def _denied(word: Word, vocabulary: Vocabulary) -> list[Word] | None:
    if word.text in _SINGLE or not word.text.isalpha() or vocabulary.is_known((word.stem,)):
        return None
    for prefix in _UN:
        rest = word.text.removeprefix(prefix)
        if rest != word.text and len(rest) > 3 and vocabulary.is_done(rest):
            return [Word("not", "not", "not"), Word(rest, stem(rest), rest)]
    return None


def _next(words: Sequence[Word], place: int, vocabulary: Vocabulary) -> tuple[Chunk, int]:
    if (span := dates.span_at(words, place)) is not None:
        return _made(Piece.SPAN, words, place, span[1], span[0])
    if words[place].text in _IN and (span := dates.year_at(words, place + 1)) is not None:
        return _made(Piece.SPAN, words, place, span[1], span[0])
    if place > 0 and (lettered := _lettered(words, place, vocabulary)) is not None:
        return lettered, place + 1
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
    return _plain(words, place)


def _lettered(words: Sequence[Word], place: int, vocabulary: Vocabulary) -> Chunk | None:
    """`got an A`: a capital letter inside a question is no article."""
    word = words[place]
    if word.written not in ("A", "As") and not (len(word.written) == 1 and word.written.isupper()):
        return None
    meanings = vocabulary.letter(word)
    if meanings:
        return Chunk(Piece.NOUN, word.text, meanings=meanings)
    return Chunk(Piece.UNKNOWN, word.text) if word.written in ("A", "As") else None


def _plain(words: Sequence[Word], place: int) -> tuple[Chunk, int]:
    """What no table names and no phrase is made of."""
    if words[place].number is not None:
        return _made(Piece.NUMBER, words, place, place + 1, words[place].number)
    if words[place].text in BEGAN_THEN:
        return _made(Piece.BEGAN_THEN, words, place, place + 1, None)
    if words[place].text in BEGAN:
        return _made(Piece.BEGAN, words, place, place + 1, None)
    if words[place].stem in PERSONS:
        return _made(Piece.PERSON, words, place, place + 1, None)
    return _made(Piece.UNKNOWN, words, place, place + 1, None)


_BEFORE_NOUNS = frozenset({"for", "on", "of"})
_SHORT = 4
"""`spent on travel`: longer than this, and after these, it is no word that says nothing."""


def _meant(
    words: Sequence[Word], place: int, vocabulary: Vocabulary
) -> tuple[list[Meaning], int, tuple[Piece, Any] | None]:
    """What the words from here on are in the dataset, how many they are, and what the first means everywhere."""
    meanings, length = vocabulary.at(words, place)
    if length == 1 and (said := _value_of_filler(words[place], meanings)):
        noun = place > 0 and words[place - 1].text in _BEFORE_NOUNS and len(words[place].text) > _SHORT
        return [replace(each, guessed=False) for each in said] if noun else said, 1, None
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
