"""What has the most of something: `top 3 branches by …`, `which agent has the fewest …`, `in which month …`."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Group, Measure, NotSure
from holdfast.agents.simple.quantities import ADDITIVE, FELT, SUMMED, TAKINGS, Dimension
from holdfast.agents.simple.reach import Reach
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import OFTENEST
from holdfast.types import Aggregate

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

_SUMMED = ADDITIVE - {Dimension.MONEY}
"""What somebody has the most of in sum; not a salary, of which there is one a month, or on average."""

_MOMENT = frozenset({"recorded", "measured", "seen", "observed", "reached", "logged", "ever", "single", "reported"})
"""With these the highest is that of one row."""


class Ranking:
    """Reads what is ranked, and by what."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._measuring = reader.measuring
        self._vocabulary = reader.vocabulary
        self._found = reader.found

    def read(self) -> None:
        """Raises NotSure, Unclear."""
        pieces = (Piece.TOP, Piece.WHICH)
        opening = next(chunk for chunk in self._reader.chunks if chunk.piece in pieces)
        for top in (chunk for chunk in self._reader.chunks if chunk.piece is Piece.TOP):
            opening.used, opening = True, top
        opening.used = True
        count = self._limit(opening)
        noun = self._ranked_noun(opening, count)
        if opening.piece is Piece.TOP:
            self._by(opening, noun)
        else:
            self._by_most(noun)
        self._refuse_senseless_limits()
        self._found.groups.append(self._group(noun))

    def _limit(self, opening: Chunk) -> Chunk | None:
        count = self._reader.after(opening)
        if count is not None and count.piece is Piece.NUMBER:
            count.used = True
            self._found.limit = int(count.value)
            return count
        if opening.piece is Piece.TOP:
            raise NotSure("How many are the top? Say 'top 5', for example.")
        return None

    def _ranked_noun(self, opening: Chunk, count: Chunk | None) -> Chunk:
        if opening.text in ("who", "whose"):
            return self._person(opening)
        noun = self._reader.after(count or opening)
        if noun is not None and noun.piece is Piece.BUCKET and not self._of_week(noun):
            noun.used = True
            return noun
        if noun is None or noun.piece is not Piece.NOUN or not self._reader.groups_of(noun):
            raise NotSure("I do not see what is to be ranked.")
        noun.used = True
        return noun

    def _of_week(self, bucket: Chunk) -> bool:
        """`day of the week` is another thing than a day."""
        after = self._reader.after(bucket)
        return after is not None and after.piece is Piece.BUCKET

    def _person(self, who: Chunk) -> Chunk:
        """The column that names persons; of several, the one whose name is said."""
        named = self._reader.named_tables() or set(self._vocabulary.tables)
        persons = [(table, name) for table in sorted(named) for name in self._vocabulary.persons(table)]
        said = {
            (each.table, each.column)
            for chunk in self._reader.chunks
            for each in chunk.meanings
            if each.what in (What.PART, What.COLUMN)
        }
        narrowed = [each for each in persons if each in said]
        if not persons:
            raise NotSure("I do not see which column says who.")
        who.piece, who.used = Piece.NOUN, True
        who.meanings = [Meaning(What.COLUMN, table, name, entity=True) for table, name in narrowed or persons]
        for chunk in self._reader.chunks:
            parts = {(each.table, each.column) for each in chunk.naming(What.PART)}
            chunk.used = chunk.used or (bool(parts & set(narrowed)) and not chunk.naming(What.COLUMN))
        return who

    def _refuse_senseless_limits(self) -> None:
        if self._found.limit is None:
            self._found.limit = 1
        if not 0 < self._found.limit <= 1000:
            raise NotSure("I can give the first 1 to 1,000.")

    def _by(self, top: Chunk, noun: Chunk) -> None:
        following = self._reader.chunks[self._reader.place(noun) :]
        by = next((chunk for chunk in following if chunk.piece is Piece.BY), None)
        first = None if by is None else self._reader.after(by)
        if by is None or first is None or by.value != "by":
            raise NotSure("By what are they ranked? Say 'by total …' or 'by number of …', for example.")
        by.used = True
        self._found.rank = top.value
        if first.piece is Piece.SUPERLATIVE:
            self._found.rank = "desc" if first.value is Aggregate.MAX else "asc"
        following = self._reader.chunks[self._reader.place(first) :]
        if not self._measuring.operations(following) and self._sum_of(first):
            return
        self._measuring.read(following)

    def _sum_of(self, noun: Chunk) -> bool:
        """`top 3 drivers by revenue`."""
        found = self._summed(noun)
        if noun.text not in TAKINGS or not found:
            return False
        noun.used = True
        best = self._reader.pick(noun, found)
        self._measuring.begin(Measure(Aggregate.SUM, best.table, best.column))
        return True

    def _by_most(self, noun: Chunk) -> None:
        most = next((chunk for chunk in self._reader.chunks if chunk.piece is Piece.SUPERLATIVE), None)
        if most is None:
            raise NotSure("I can say which has the most or least of something; I do not see of what.")
        most.used = True
        self._found.rank = "desc" if most.value is Aggregate.MAX else "asc"
        if most.text in OFTENEST:
            self._by_rows(noun)
        elif self._measuring.is_count_word(most):
            self._by_count(most)
        else:
            self._by_measure(most)

    def _by_rows(self, noun: Chunk) -> None:
        """`the most common job`: of which there are the most rows."""
        tables = {each.table for each in self._reader.groups_of(noun)} or set(self._vocabulary.tables)
        named = self._reader.named_tables() & tables
        if len(tables) > 1:
            tables = named
        if len(tables) != 1:
            raise NotSure("The most of what? Say 'which … has the most …', for example.")
        self._measuring.begin(Measure(Aggregate.COUNT, tables.pop()))

    def _by_count(self, most: Chunk) -> None:
        """The most rows, or the most of what can be added up: `the most weight`, `spent the most`."""
        phrase = self._measuring.noun_phrase(most)
        if not phrase or self._is_spent(most):
            return self._by_what_is_said(most)
        sums = [noun for noun in phrase if self._summed(noun)]
        rows = [noun for noun in phrase if self._measuring.rows_of(noun)]
        if sums and not rows and not self._measuring.counted_columns(phrase[-1]):
            head = sums[-1]
            head.used = True
            best = self._reader.pick(head, self._summed(head))
            return self._measuring.begin(Measure(Aggregate.SUM, best.table, best.column))
        return self._measuring.count(None, phrase)

    def _is_spent(self, most: Chunk) -> bool:
        """`spent the most in total, excluding cancelled bookings`: what follows is no part of it."""
        before = self._reader.before(most)
        adjacent = self._reader.chunks[self._reader.place(most) + 1 :][:1]
        spent = (
            before is not None and before.piece is Piece.NOUN and before.text in SUMMED and bool(self._summed(before))
        )
        return spent and not any(each.piece in (Piece.NOUN, Piece.UNIT) for each in adjacent)

    def _by_what_is_said(self, most: Chunk) -> None:
        """`spent the most`; `which room type is booked the most` says nothing that can be added up."""
        said = [
            chunk
            for chunk in self._reader.chunks
            if chunk.piece is Piece.NOUN and not chunk.used and self._summed(chunk) and not self._is_one(chunk)
        ]
        if len(said) != 1:
            raise NotSure(f"The {most.text} of what?")
        said[0].used = True
        best = self._reader.pick(said[0], self._summed(said[0]))
        self._measuring.begin(Measure(Aggregate.SUM, best.table, best.column))

    def _is_one(self, chunk: Chunk) -> bool:
        return chunk.text in ("cost", "costs", "take", "takes", "worth", "priced")

    def _summed(self, noun: Chunk) -> list[Meaning]:
        return [
            each
            for each in self._measuring.measurable(noun, Aggregate.SUM)
            if self._vocabulary.dimensions(each.table, each.column) & _SUMMED
            and not self._vocabulary.is_of_one(each.table, each.column)
        ]

    def _by_measure(self, most: Chunk) -> None:
        """`has the highest average price`, `is the warmest on average`, `had the lowest temperature recorded`."""
        operations = self._measuring.operations(self._reader.chunks)
        if len(operations) == 1 and operations[0].piece in (Piece.COUNT, Piece.AGGREGATE):
            return self._by_operation(most, operations[0])
        if operations:
            raise NotSure("I can rank by one thing at a time.")
        return self._by_moment(most)

    def _by_operation(self, most: Chunk, operation: Chunk) -> None:
        scale = most.scale
        if operation.piece is Piece.COUNT:
            if scale is None or not scale.any:
                raise NotSure(f"I do not see what '{most.text}' is of.")
            return self._measuring.count(operation, self._measuring.noun_phrase(operation))
        phrase = [*self._measuring.noun_phrase(operation), *self._measuring.noun_phrase(most)]
        measured = [noun for noun in phrase if self._measuring.measurable(noun, operation.value)]
        if measured or (scale is not None and scale.any):
            self._measuring.read(self._reader.chunks)
        else:
            self._spoken(most, operation)
        return self._point(most)

    def _spoken(self, most: Chunk, operation: Chunk) -> None:
        """What the adjective is said of, in the one table it can be said in."""
        assert most.scale is not None
        operation.used = True
        named = self._reader.named_tables() or set(self._vocabulary.tables)
        found = [
            each for table in sorted(named) for each in self._vocabulary.measuring(table, frozenset(most.scale.ways))
        ]
        if not found:
            raise NotSure(f"I do not see which column says what is '{most.text}'.")
        best = self._reader.pick(most, found)
        self._measuring.begin(Measure(operation.value, best.table, best.column))

    def _point(self, most: Chunk) -> None:
        """Whether the adjective asks for the high or the low end of what is measured."""
        measure = self._found.measures[0]
        way = most.scale.way(self._vocabulary.dimensions(measure.table, measure.column)) if most.scale else 0
        if not way:
            raise NotSure(f"I do not see how '{measure.column}' is '{most.text}'.")
        self._found.rank = "desc" if way > 0 else "asc"

    def _by_moment(self, most: Chunk) -> None:
        """The highest of one row, where it is said to be that, or can be nothing else."""
        phrase = self._measuring.noun_phrase(most)
        measured = [noun for noun in phrase if self._measuring.measurable(noun, Aggregate.AVG)]
        if not measured:
            raise NotSure("Of what: the total, the average, the highest? Say 'highest average …', for example.")
        best = self._reader.pick(measured[-1], self._measuring.measurable(measured[-1], Aggregate.AVG))
        felt = self._vocabulary.dimensions(best.table, best.column) & FELT
        words = {word for chunk in self._reader.chunks for word in chunk.text.split()}
        if not (words & _MOMENT or (felt and words & {"had", "was"})):
            raise NotSure("Of what: the total, the average, the highest? Say 'highest average …', for example.")
        scale = most.scale
        way = scale.way(self._vocabulary.dimensions(best.table, best.column)) if scale else 0
        if not way:
            raise NotSure(f"I do not see how '{best.column}' is '{most.text}'.")
        self._found.rank = "desc" if way > 0 else "asc"
        measured[-1].used = True
        self._measuring.begin(Measure(Aggregate.MAX if way > 0 else Aggregate.MIN, best.table, best.column))

    def _group(self, noun: Chunk) -> Group:
        reach = Reach(self._vocabulary, self._found.base)
        if noun.piece is Piece.BUCKET:
            return self._reader.dated_group(noun)
        best = self._reader.pick(noun, reach.within(self._reader.groups_of(noun), noun.text))
        if self._vocabulary.is_unique(best.table, best.column) and best.table == self._found.base:
            raise NotSure(f"Every '{best.column}' is there once: there is nothing to rank.")
        return Group(best.table, best.column)
