"""The nouns after a word that asks for something, and which columns they can mean."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Measure, NotSure
from holdfast.agents.simple.quantities import ADDITIVE, FELT, Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import FEWEST, MOST
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

_NUMERIC = frozenset({Aggregate.SUM, Aggregate.AVG, Aggregate.MEDIAN})
_ORDERED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP})
_NEVER_ADDED = FELT | {Dimension.SHARE, Dimension.RATING, Dimension.AGE}
_OF_ITS_OWN = frozenset({"value", "values", "amount", "amounts", "worth"})
"""Nouns that are money, unless they only follow what is measured."""


class Phrases:
    """Reads noun phrases."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._vocabulary = reader.vocabulary
        self._found = reader.found

    def noun_phrase(self, chunk: Chunk) -> list[Chunk]:
        """The nouns that follow each other after a piece."""
        skipped = (Piece.DISTINCT, Piece.BEGAN_THEN, Piece.NOT, Piece.NOW, Piece.FILLER)
        first = self._reader.after(chunk, skipping=skipped)
        neutral = self._neutral_after(chunk)
        if neutral is not None:
            return [neutral]
        return [] if first is None else self.phrase_from(first)

    def _neutral_after(self, chunk: Chunk) -> Chunk | None:
        """`total value of orders`: the value, not the orders."""
        place = self._reader.place(chunk)
        following = self._reader.chunks[place + 1 : place + 2]
        return next((each for each in following if each.text in _OF_ITS_OWN and each.naming(What.COLUMN)), None)

    def phrase_from(self, first: Chunk) -> list[Chunk]:
        """The nouns from this one on."""
        phrase: list[Chunk] = []
        for each in self._reader.chunks[self._reader.place(first) :]:
            own = each.text in _OF_ITS_OWN and bool(each.naming(What.COLUMN)) and bool(phrase)
            named = each.piece is Piece.AGGREGATE and bool(each.naming(What.COLUMN))
            if each.piece is not Piece.NOUN and not named and not own:
                break
            if each.piece is Piece.NOUN and self._is_date(each) and phrase:
                break
            phrase.append(each)
        return phrase

    def _is_date(self, chunk: Chunk) -> bool:
        columns = chunk.naming(What.COLUMN)
        kinds = {self._vocabulary.kind(each.table, each.column) for each in columns}
        return bool(kinds) and kinds <= {Kind.DATE, Kind.TIMESTAMP} and not chunk.naming(What.TABLE)

    def measurable(self, noun: Chunk, func: Aggregate) -> list[Meaning]:
        """The columns it names of which that can be made."""
        allowed = {Kind.NUMBER} if func in _NUMERIC else _ORDERED
        return [
            each
            for each in noun.naming(What.COLUMN)
            if not self.is_key(noun, each) and self._vocabulary.kind(each.table, each.column) in allowed
        ]

    def is_key(self, noun: Chunk, meaning: Meaning) -> bool:
        """Whether a column only tells one from another: `parcel`, a different number in each row of `parcels`."""
        rows = {each.table for each in noun.naming(What.TABLE)}
        return meaning.entity or (meaning.table in rows and self._vocabulary.is_unique(meaning.table, meaning.column))

    def _added_up(self, noun: Chunk) -> list[Meaning]:
        return [
            each
            for each in self.measurable(noun, Aggregate.SUM)
            if self._vocabulary.dimensions(each.table, each.column) & ADDITIVE
            and not self._vocabulary.is_of_one(each.table, each.column)
        ]

    def rows_of(self, noun: Chunk) -> list[Meaning]:
        """The tables whose rows it names."""
        return noun.naming(What.TABLE)

    def counted_columns(self, noun: Chunk) -> list[Meaning]:
        """Columns whose values can be counted: names, not measurements."""
        columns = noun.naming(What.COLUMN)
        return [each for each in columns if each.entity or self._vocabulary.kind(each.table, each.column) is Kind.TEXT]

    def is_boolean(self, meaning: Meaning) -> bool:
        """Whether it is a column that is true or false."""
        return meaning.what is What.COLUMN and self._vocabulary.kind(meaning.table, meaning.column) is Kind.BOOLEAN

    def _are_all_boolean(self, noun: Chunk) -> bool:
        columns = noun.naming(What.COLUMN)
        return bool(columns) and all(self.is_boolean(each) for each in columns)

    def _set(self, func: Aggregate, noun: Chunk, columns: list[Meaning]) -> None:
        if not columns:
            raise NotSure(f"I do not know how to count '{noun.text}'.")
        best = self._reader.pick(noun, columns)
        noun.used = True
        felt = self._vocabulary.dimensions(best.table, best.column) & _NEVER_ADDED
        if func is Aggregate.SUM and (felt or self._vocabulary.is_of_one(best.table, best.column)):
            raise NotSure(f"'{best.column}' added up says nothing.")
        self.begin(Measure(func, best.table, best.column))

    def begin(self, measure: Measure) -> None:
        """One more measure."""
        self._found.base = self._found.base or measure.table
        self._found.measures.append(measure)

    def is_count_word(self, chunk: Chunk) -> bool:
        """Whether it asks for a number of rows."""
        return chunk.text in MOST | FEWEST
