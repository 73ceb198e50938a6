"""By what, and of which rows: groups, spans of time, comparisons and values in a question."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.choosing import Choosing
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Group, NotSure, Test
from holdfast.agents.simple.quantities import ADDITIVE, Dimension
from holdfast.agents.simple.vocabulary import What
from holdfast.agents.simple.words import (
    ADVERBS,
    words_of,
)
from holdfast.data.columns import Kind
from holdfast.types import Aggregate, Bucket, Operator

if TYPE_CHECKING:
    pass


class Filtering(Choosing):
    """What remains to be read when it is known what is computed."""

    def all(self) -> None:
        """Raises NotSure, Unclear."""
        self._groups()
        self.spans()
        self.comparisons()
        self.negations()
        self.booleans()
        self.values()
        self.done()
        self.had()
        self.columns_beside_their_values()
        self._known_groups()

    def _groups(self) -> None:
        for by in self._unused(Piece.BY):
            noun = self._reader.after(by)
            if noun is not None:
                self._refuse_a_ratio(by, noun)
                self._grouped(by, noun)
        for adverb in self._unused(Piece.BUCKET):
            if adverb.text in ADVERBS:
                adverb.used = True
                self._bucket(adverb)

    def _grouped(self, by: Chunk, noun: Chunk) -> None:
        if noun.piece is Piece.BUCKET and not self._is_a_column(noun):
            by.used = noun.used = True
            self._bucket(noun)
        elif self._dates_of(noun) and any(each.text in ADVERBS for each in self._unused(Piece.BUCKET)):
            by.used = True
        elif self._is_each_row(noun):
            by.used = noun.used = True
            by.value = "row"
        elif noun.piece in (Piece.NOUN, Piece.BUCKET) and not noun.used and self._reader.groups_of(noun):
            by.used = True
            self._group_by(noun)
        elif noun.piece is Piece.NOUN and noun.naming(What.VALUE) and by.value == "by":
            by.used = True

    def _refuse_a_ratio(self, by: Chunk, noun: Chunk) -> None:
        """`price per night`, `kilos per picker`, `50 euros per month`: one thing divided by another."""
        before = self._reader.chunks[self._reader.place(by) - 1 : self._reader.place(by)]
        if any(each.piece in (Piece.UNIT, Piece.NUMBER) and noun.piece is Piece.BUCKET for each in before):
            raise NotSure(f"I do not see what '{by.text} {noun.text}' belongs to.")
        moved = any(
            Dimension.DISTANCE in self._vocabulary.dimensions(each.table, each.column)
            for chunk in before
            for each in chunk.naming(What.COLUMN)
        )
        if moved and noun.piece is Piece.BUCKET and noun.value is Bucket.HOUR:
            raise NotSure(f"For each hour there was, or how fast? I cannot tell what 'per {noun.text}' asks.")
        columns = noun.naming(What.COLUMN)
        if by.text != "per" or noun.piece is not Piece.NOUN or not columns or noun.naming(What.TABLE):
            return
        kinds = {self._vocabulary.kind(each.table, each.column) for each in columns if not each.entity}
        counted = [each for each in columns if not self._vocabulary.dimensions(each.table, each.column) - ADDITIVE]
        if kinds == {Kind.NUMBER} and counted:
            raise NotSure(f"I can form sums and averages; not one thing divided by another, as 'per {noun.text}' asks.")

    def _is_each_row(self, noun: Chunk) -> bool:
        """`average fare per trip`, where each row is a trip: the plain average."""
        measures = self._found.measures
        if noun.piece is not Piece.NOUN or not measures or measures[0].func not in (Aggregate.AVG, Aggregate.MEDIAN):
            return False
        base = self._found.base
        if {each.table for each in noun.naming(What.TABLE) if each.rank == 0} != {base} or self._found.rank:
            return False
        said = tuple(word.stem for word in words_of(noun.text))
        row = self._vocabulary.row_nouns.get(base)
        columns = [each for each in noun.naming(What.COLUMN) if each.table == base]
        if any(not self._vocabulary.is_unique(base, each.column) for each in columns):
            return False
        return row == said if row is not None else True

    def _is_a_column(self, bucket: Chunk) -> bool:
        """`per year` where nothing has a date, but something is called `year`."""
        dated = any(self._vocabulary.dates(table) for table in self._reader.reach.tables)
        return not dated and bool(self._reader.groups_of(bucket))

    def _group_by(self, noun: Chunk) -> None:
        """One column, and those that follow with `and`."""
        self._add_group(noun)
        link = self._reader.after(noun)
        while link is not None and link.piece is Piece.AND:
            other = self._reader.after(link)
            if other is None or other.piece is not Piece.NOUN or not self._reader.groups_of(other):
                return
            link.used = True
            self._add_group(other)
            link = self._reader.after(other)

    def _add_group(self, noun: Chunk) -> None:
        noun.used = True
        meanings = self._reader.reach.within(self._reader.groups_of(noun), noun.text)
        best = self._reader.pick(noun, meanings)
        self._found.groups.append(Group(best.table, best.column))

    def _known_groups(self) -> None:
        """Rows of which it is not known belong to no group, and that is said."""
        for group in self._found.groups:
            known = self._vocabulary.of(group.table, group.column)
            test = Test(group.table, group.column, Operator.IS_NOT_NULL)
            if known is not None and known.nulls and test not in self._found.tests:
                self._found.tests.append(test)

    def _bucket(self, chunk: Chunk) -> None:
        table, column = self.date(chunk)
        self.refuse_what_is_too_fine(table, column, chunk.value)
        self._found.groups.append(Group(table, column, chunk.value))
        known = self._vocabulary.of(table, column)
        if known is None or known.nulls:
            self._found.tests.append(Test(table, column, Operator.IS_NOT_NULL))
