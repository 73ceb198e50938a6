"""What is counted: rows, different values, or a number that is added up."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.doubts import refuse_rows_or_sum
from holdfast.agents.simple.findings import Choice, Measure, NotSure
from holdfast.agents.simple.phrases import Phrases
from holdfast.agents.simple.quantities import SUMMED, Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import NO_NOUN, words_of, words_of_name
from holdfast.types import Aggregate

if TYPE_CHECKING:
    pass


class Counting(Phrases):
    """Reads counts."""

    def count(self, operation: Chunk | None, phrase: list[Chunk]) -> None:
        """Rows, or different values of a column, by the last noun."""
        if operation is not None:
            operation.used = True
        unsaid = operation is not None and operation.text in NO_NOUN
        phrase = self._counted_before(operation) if unsaid or not phrase else phrase
        head = self._head(phrase)
        distinct = [chunk for chunk in self._reader.chunks if chunk.piece is Piece.DISTINCT]
        for chunk in distinct:
            chunk.used = True
        if distinct:
            self._set(Aggregate.COUNT_DISTINCT, head, self.counted_columns(head))
            return
        rows, columns = self.rows_of(head), self.counted_columns(head)
        if rows:
            called = [each for each in columns if each.entity or _is_called(each.column, head)]
            self._count_rows(head, rows, called)
        elif columns:
            self._set(Aggregate.COUNT_DISTINCT, head, columns)
        elif added := self._countable(head):
            self._set(Aggregate.SUM, head, added)
        else:
            self._count_filtered(head)

    def _counted_before(self, operation: Chunk | None) -> list[Chunk]:
        """`open tickets, how many?`, `harvest count by grade`, and `how often`, where there is one table."""
        if operation is not None and operation.text in NO_NOUN:
            tables = list(self._vocabulary.tables)
            named = [each for chunk in self._reader.chunks for each in chunk.naming(What.TABLE) if each.rank == 0]
            tables = list(dict.fromkeys(each.table for each in named)) or tables
            if len(tables) != 1:
                raise NotSure("I do not see what is to be counted.")
            counted = Chunk(Piece.NOUN, "rows", meanings=[Meaning(What.TABLE, tables[0])])
            self._reader.chunks.append(counted)
            return [counted]
        nouns = [chunk for chunk in self._reader.chunks if chunk.piece is Piece.NOUN and not chunk.used]
        if operation is not None:
            place = self._reader.place(operation)
            nouns = [noun for noun in nouns if self._reader.place(noun) < place]
        rows = [noun for noun in nouns if any(each.rank < 2 for each in self.rows_of(noun))]
        chosen = [noun for noun in nouns if noun.naming(What.VALUE) or self._are_all_boolean(noun)]
        if not rows and not chosen:
            raise NotSure("I do not see what is to be counted.")
        return rows[:1] or chosen[:1]

    def _countable(self, head: Chunk) -> list[Meaning]:
        """`how many kilos`, `how many visits`: a number that is added up; a rating or an age is not."""
        return [
            each
            for each in self.measurable(head, Aggregate.SUM)
            if self._is_a_count(each)
            or (each in self._added_up(head) and head.text not in SUMMED and not self._is_money_by_name(each))
        ]

    def _is_money_by_name(self, meaning: Meaning) -> bool:
        """How many fees there are is not how much they come to; how many euros is."""
        return meaning.rank < 4 and Dimension.MONEY in self._vocabulary.dimensions(meaning.table, meaning.column)

    def _is_a_count(self, meaning: Meaning) -> bool:
        """Whole numbers of something that has no other name: `visits`, `passengers`; not how many work there."""
        whole = "INT" in self._vocabulary.column(meaning.table, meaning.column).type.upper()
        plain = not self._vocabulary.dimensions(meaning.table, meaning.column)
        words = words_of(meaning.column.replace("_", " "))
        name = [word for word in words if word.text.endswith("s")] or (words if words[-1].text == "count" else [])
        working = any(word.stem.endswith(("er", "or", "ee")) for word in name) and not any(
            word.stem in ("passenger", "visitor", "customer", "order", "attendee") for word in name
        )
        return whole and plain and bool(name) and not working and meaning.rank <= 2

    def _head(self, phrase: list[Chunk]) -> Chunk:
        """The last noun; or what is said to be so by it, as in `customers returned`."""
        last = phrase[-1]
        if self.rows_of(last) or self.counted_columns(last):
            return last
        values = {(each.table, each.column) for each in last.meanings}
        counted = [
            noun
            for noun in phrase[:-1]
            if self.rows_of(noun) or any((each.table, each.column) not in values for each in self.counted_columns(noun))
        ]
        return counted[-1] if counted else last

    def _count_rows(self, head: Chunk, rows: list[Meaning], entities: list[Meaning]) -> None:
        """The rows of a table; unless its rows are of something else, and the noun is in them."""
        refuse_rows_or_sum(self.measurable(head, Aggregate.SUM))
        best = min(each.rank for each in rows)
        rows = [each for each in rows if each.rank == best]
        described = self._vocabulary.row_nouns
        own = [each for each in rows if " ".join(described.get(each.table, ())) == _singular(head)]
        rows = own or rows
        table = self._reader.pick(head, rows).table
        rivals = [
            each for each in entities if each.table == table and not self._vocabulary.is_unique(table, each.column)
        ]
        head.used = True
        if not rivals or own:
            self.begin(Measure(Aggregate.COUNT, table))
        elif table in described:
            self.begin(Measure(Aggregate.COUNT_DISTINCT, table, rivals[0].column))
        else:
            chosen = self._reader.choose(head, [Choice(f"all rows of {table}", table), _different(rivals[0])])
            func = Aggregate.COUNT_DISTINCT if chosen.column else Aggregate.COUNT
            self.begin(Measure(func, table, chosen.column or "*"))

    def _count_filtered(self, head: Chunk) -> None:
        """`anomalies` are rows of which a column is true, `bug reports` rows that have that value."""
        meanings = [each for each in head.meanings if each.what is What.VALUE or self.is_boolean(each)]
        if not meanings:
            raise NotSure(f"I do not know how to count '{head.text}'.")
        best = self._reader.pick(head, meanings)
        several = self._vocabulary.has_quantities(best.table) or self._is_of_a_part(best)
        if best.what is What.VALUE and several and not self._are_rows(head, best.table):
            raise NotSure(f"The rows of '{best.table}', or how many '{head.text}' are in them?")
        self.begin(Measure(Aggregate.COUNT, best.table))

    def _are_rows(self, noun: Chunk, table: str) -> bool:
        """`crime or poetry loans`: the rows are named after the last of them."""
        for link in self._reader.chunks[self._reader.place(noun) + 1 :]:
            if link.piece not in (Piece.OR, Piece.AND, Piece.NOUN):
                return False
            if table in {each.table for each in link.naming(What.TABLE)}:
                return True
        return False

    def _is_of_a_part(self, value: Meaning) -> bool:
        """Whether it may be said of what a row only tells of: dogs of visits with names of pets, apples by weight."""
        weighed = self._vocabulary.measuring(value.table, frozenset({Dimension.WEIGHT}))
        return bool(weighed) or bool(self._vocabulary.named_things(value.table))


def _is_called(column: str, noun: Chunk) -> bool:
    return words_of_name(column) == tuple(word.stem for word in words_of(noun.text))


def _different(meaning: Meaning) -> Choice:
    return Choice(f"different values of {meaning.column}", meaning.table, meaning.column)


def _singular(chunk: Chunk) -> str:
    return " ".join(word.stem for word in words_of(chunk.text))
