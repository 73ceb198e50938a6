"""What is not so: booleans, values, dates and texts that are denied."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.comparing import Comparing
from holdfast.agents.simple.findings import NotSure, Test
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import (
    MISSING,
    NOTHING,
    root,
    words_of_name,
)
from holdfast.data.columns import Kind
from holdfast.types import Operator

if TYPE_CHECKING:
    pass


_LACKING = frozenset({
    "no", "without", "missing", "lacking", "don't", "doesn't", "didn't", "haven't", "hasn't", "not",
})  # fmt: skip
"""Before what is not there."""
_ENDS = frozenset({"cancelled", "canceled", "refunded", "rejected", "declined"})
"""After these nothing else becomes of a thing: what is not so has another state. What is not `shipped` may be
`delivered`."""
_WITHOUT = frozenset({"without", "no", "excluding", "lacking"})
_HAVING = frozenset({"with", "have", "has", "had", "having"})
_NEVER_NOTHING = frozenset({Dimension.TEMPERATURE, Dimension.RATING, Dimension.AGE, Dimension.HUMIDITY})
"""Of these 0 is a value as any other, or none at all."""


class Denying(Comparing):
    """Reads negations."""

    def negations(self) -> None:
        for chunk in self._unused(Piece.NOT):
            noun = next((each for each in self._denied(chunk) if self._deny(chunk, each)), None)
            if noun is None:
                raise NotSure(f"I do not see what '{chunk.text}' belongs to.")
            chunk.used = noun.used = True
            self._refuse_a_wider_reach(chunk, noun)

    def _refuse_a_wider_reach(self, chunk: Chunk, noun: Chunk) -> None:
        """`without a trainer and newsletter`: without both, or with the one and not the other?"""
        link = self._reader.after(noun)
        if link is None or link.piece not in (Piece.AND, Piece.OR):
            return
        joined = self._reader.after(link)
        following = self._reader.after(joined) if joined is not None else None
        compared = following is not None and following.piece in (Piece.COMPARE, Piece.BETWEEN, Piece.SPAN)
        place = self._reader.place(link)
        anew = self._reader.chunks[place + 1 : place + 2]
        if joined is None or joined.piece is not Piece.NOUN or any(each.text in _HAVING for each in anew):
            return
        if chunk.text in _WITHOUT or not (compared or joined.used):
            raise NotSure(f"I do not see how far '{chunk.text}' reaches.")

    def _denied(self, chunk: Chunk) -> Iterator[Chunk]:
        """What may be denied: what follows, or what is before `not met`, `missed` and `missing`."""
        after, before = self._reader.after(chunk), self._reader.before(chunk)
        follows_before = chunk.text in MISSING or (after is not None and after.piece is Piece.AFFIRM)
        if after is not None and after.piece is Piece.AFFIRM:
            after = self._reader.after(after, skipping=(Piece.FILLER, Piece.AFFIRM))
        yield from (each for each in (after, before if follows_before else None) if each is not None)

    def _deny(self, chunk: Chunk, noun: Chunk) -> bool:
        if noun.piece is not Piece.NOUN or (noun.used and not self._booleans_of(noun)):
            return False
        if booleans := self._booleans_of(noun):
            best = self._reader.pick(noun, booleans)
            self._found.tests.append(Test(best.table, best.column, Operator.EQUAL, False))
            self._affirmed()
            return True
        if self._deny_value(chunk, noun) or self._deny_done(chunk, noun):
            return True
        columns = [each for each in noun.naming(What.COLUMN) if each.table == self._found.base]
        if columns and chunk.text in _LACKING:
            best = self._reader.pick(noun, columns)
            self._refuse_what_is_subtracted(chunk, best)
            if chunk.text != "missing" and self._is_zero(best):
                self._found.tests.append(Test(best.table, best.column, Operator.EQUAL, 0))
                return True
            if chunk.text != "missing":
                self._refuse_nothing(noun, best)
            self._found.tests.append(Test(best.table, best.column, Operator.IS_NULL))
            return True
        return False

    def _deny_value(self, chunk: Chunk, noun: Chunk) -> bool:
        """`not cancelled`, where every row has a value."""
        tables = self._reader.reach.tables
        values = [each for each in noun.naming(What.VALUE) if each.table in tables]
        if not values or chunk.text in MISSING or chunk.text == "never" or noun.naming(What.TABLE):
            return False
        beside = (self._reader.before(chunk), self._reader.after(noun))
        link = beside[1]
        joined = self._reader.after(link) if link is not None and link.piece in (Piece.OR, Piece.AND) else None
        if joined is not None and joined.piece in (Piece.NOUN, Piece.NOT):
            raise NotSure(f"I do not see how far '{chunk.text}' reaches.")
        best = self._value(noun, values)
        if self._deny_done_by(noun, best.table):
            return True
        known = self._vocabulary.of(best.table, best.column)
        if noun.text.endswith("ed") and noun.text not in _ENDS and known is not None and known.distinct > 2:
            raise NotSure(f"I do not see which of the others in '{best.column}' are not '{noun.text}'.")
        if known is None or known.nulls or best.table != self._found.base:
            raise NotSure(f"I do not see whether rows without a '{best.column}' are meant as well.")
        self._found.tests.append(Test(best.table, best.column, Operator.NOT_EQUAL, best.value))
        return True

    def _deny_done_by(self, noun: Chunk, table: str) -> bool:
        """`not resolved`, where `resolved_at` is empty until it is."""
        for name in self._vocabulary.dates(table):
            known = self._vocabulary.of(table, name)
            same = root(words_of_name(name)[0]) == root(noun.text)
            if same and known is not None and known.nulls and table == self._found.base:
                self._found.tests.append(Test(table, name, Operator.IS_NULL))
                return True
        return False

    def _deny_done(self, chunk: Chunk, noun: Chunk) -> bool:
        """`not finished yet`: the date is empty."""
        dates = [each for each in self._dates_of(noun) if each.table == self._found.base]
        if len(dates) != 1 or chunk.text in MISSING or chunk.text == "never":
            return False
        known = self._vocabulary.of(dates[0].table, dates[0].column)
        if known is None or not known.nulls:
            return False
        self._found.tests.append(Test(dates[0].table, dates[0].column, Operator.IS_NULL))
        return True

    def _refuse_what_is_subtracted(self, chunk: Chunk, denied: Meaning) -> None:
        """`the amount without VAT` may be less it, and not that of rows that have none."""
        measured = [each for each in self._found.measures if each.column not in ("*", denied.column)]
        if (
            measured
            and chunk.text in ("without", "excluding")
            and self._vocabulary.kind(denied.table, denied.column) is Kind.NUMBER
        ):
            raise NotSure(f"Less the '{denied.column}', or only of rows that are '{chunk.text}' it?")

    def _is_zero(self, meaning: Meaning) -> bool:
        """Where every row has a number from 0 on, nothing is 0."""
        known = self._vocabulary.of(meaning.table, meaning.column)
        if known is None or known.nulls or self._vocabulary.kind(meaning.table, meaning.column) is not Kind.NUMBER:
            return False
        felt = self._vocabulary.dimensions(meaning.table, meaning.column) & _NEVER_NOTHING
        return not felt and known.low is not None and float(known.low) == 0

    def _refuse_nothing(self, noun: Chunk, meaning: Meaning) -> None:
        """Where there are zeros, `no fine` may be one of them, or an empty cell; and so with a text such as `none`."""
        known = self._vocabulary.of(meaning.table, meaning.column)
        if known and any(value.strip().lower() in NOTHING for value in known.values):
            raise NotSure(f"Is '{noun.text}' to be empty, or a text that says so?")
        is_number = self._vocabulary.kind(meaning.table, meaning.column) is Kind.NUMBER
        if self._vocabulary.dimensions(meaning.table, meaning.column) & _NEVER_NOTHING:
            return
        if is_number and (known is None or known.low is None or float(known.low) <= 0 <= float(known.high or 0)):
            raise NotSure(f"Is '{noun.text}' to be empty, or 0?")

    def _affirmed(self) -> bool:
        words = self._unused(Piece.AFFIRM)
        for word in words:
            word.used = True
        return bool(words)

    def _value(self, noun: Chunk, values: list[Meaning]) -> Meaning:
        """Of several columns that have it, the one that is named beside it."""
        beside = [self._reader.before(noun), self._reader.after(noun)]
        named = {(each.table, each.column) for chunk in beside if chunk for each in chunk.naming(What.COLUMN)}
        nearer = [each for each in values if (each.table, each.column) in named] or values
        spelled = [each for each in nearer if each.value.lower() == noun.text] or nearer
        return self._reader.pick(noun, spelled)
