"""What is computed: rows that are counted, and what is made of the numbers of a column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.doubts import refuse_rows_or_sum
from holdfast.agents.simple.findings import Choice, Measure, NotSure
from holdfast.agents.simple.quantities import ADDITIVE, FELT, SUMMED, TAKINGS, Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import ADVERBS, FEWEST, MOST, NO_NOUN, words_of, words_of_name
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

NO_MEASURE = "I can count rows, and give sums, averages, medians, minima and maxima; I do not see which is meant."
_NUMERIC = frozenset({Aggregate.SUM, Aggregate.AVG, Aggregate.MEDIAN})
_ORDERED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP})
_MIDDLES = frozenset({Aggregate.AVG, Aggregate.MEDIAN})
_OPERATIONS = (Piece.COUNT, Piece.AGGREGATE, Piece.SUPERLATIVE)
_DONE_TO = frozenset({"rated", "paid", "priced", "aged", "charged", "earning", "spending", "paying"})
_NEVER_ADDED = FELT | {Dimension.SHARE, Dimension.RATING, Dimension.AGE}
_OF_ITS_OWN = frozenset({"value", "values", "amount", "amounts", "worth"})
"""Nouns that are money, unless they only follow what is measured."""


class Measuring:
    """Reads what is computed."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._vocabulary = reader.vocabulary
        self._found = reader.found

    def read(self, chunks: Sequence[Chunk]) -> None:
        """What is computed, said in these pieces. Raises NotSure, Unclear."""
        operations = self.operations(chunks)
        much = next((chunk for chunk in chunks if chunk.piece is Piece.MUCH and not chunk.used), None)
        if not operations:
            self._much(much) if much is not None else self._count_what_comes_first(chunks)
        elif len(operations) == 1:
            self._one(operations[0], much)
        else:
            self._several(operations)

    def operations(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """What says how it is computed; `total` after another such word may be a column."""
        found: list[Chunk] = []
        for chunk in chunks:
            named = chunk.piece is Piece.AGGREGATE and bool(chunk.naming(What.COLUMN)) and self._is_noun(chunk)
            if chunk.piece in _OPERATIONS and not chunk.used and not named:
                found.append(chunk)
        return found

    def _is_noun(self, chunk: Chunk) -> bool:
        before = self._reader.chunks[: self._reader.place(chunk)]
        if not any(each.piece in _OPERATIONS for each in before):
            return False
        following = self._reader.after(chunk)
        return following is None or not self.measurable(following, Aggregate.SUM)

    def _one(self, operation: Chunk, much: Chunk | None) -> None:
        if much is not None:
            much.used = True
        if operation.piece is Piece.COUNT:
            self.count(operation, self.noun_phrase(operation))
        else:
            self.aggregate(operation, much)

    def _several(self, operations: list[Chunk]) -> None:
        """`how many nights on average`, or one after the other: `number of …, the average … and the highest …`."""
        first, second = operations[:2]
        if len(operations) == 2 and {first.piece, second.piece} == {Piece.COUNT, Piece.AGGREGATE}:
            count, other = (first, second) if first.piece is Piece.COUNT else (second, first)
            if self._made_of_a_number(count, other):
                return
        for operation, following in zip(operations, [*operations[1:], None], strict=True):
            phrase = self.noun_phrase(operation)
            if not phrase or (following is not None and self._reader.after(operation) is following):
                raise NotSure("I do not see what each of these is of: " + _named(operations))
            before = len(self._found.measures)
            self._and_this(operation, phrase)
            if len(self._found.measures) == before or len({each.table for each in self._found.measures}) > 1:
                raise NotSure("I can only compute them at once where they are in one table.")

    def _and_this(self, operation: Chunk, phrase: list[Chunk]) -> None:
        if operation.piece is Piece.COUNT:
            self.count(operation, phrase)
        else:
            self.aggregate(operation, None)

    def _made_of_a_number(self, count: Chunk, other: Chunk) -> bool:
        """`how many pickers on average` is the average of a column, where nothing is called so that can be counted."""
        phrase = self.noun_phrase(count)
        numbers = [(noun, self.measurable(noun, other.value)) for noun in phrase]
        measured = [(noun, found) for noun, found in numbers if found]
        if other.text == "total" and not measured:
            return False
        if not phrase or self.rows_of(phrase[-1]) or self.counted_columns(phrase[-1]) or not measured:
            if self.noun_phrase(other):
                return False
            raise NotSure("An average of how many there are needs groups of groups, which I cannot form.")
        if self.noun_phrase(other) and other.text != "on average":
            return False
        count.used = other.used = True
        self._set(other.value, *measured[-1])
        return True

    def _much(self, much: Chunk) -> None:
        """`how much weight did we harvest` and `how much did they pay` are sums; `how much does one cost` is not."""
        noun = self._reader.after(much)
        if noun is None or noun.piece not in (Piece.NOUN, Piece.UNIT, Piece.FILLER):
            raise NotSure(NO_MEASURE)
        summed = [chunk for chunk in self._reader.chunks if chunk.text in SUMMED and chunk.naming(What.COLUMN)]
        adjacent = self._reader.chunks[self._reader.place(much) + 1] is noun
        nouns = [noun] if adjacent and self._added_up(noun) else summed[-1:] or self._of_many()
        for each in nouns:
            columns = self._added_up(each)
            if columns and not self._reader.is_compared(each):
                much.used = True
                self._set(Aggregate.SUM, each, columns)
                return
        raise NotSure("Of one, on average, or all of it? Say 'average …' or 'total …'.")

    def _of_many(self) -> list[Chunk]:
        """`how much do we collect in fees`: what is said in the plural."""
        said = [
            noun
            for noun in self._reader.chunks
            if noun.piece is Piece.NOUN and noun.text.endswith("s") and self._added_up(noun) and not self.rows_of(noun)
        ]
        return said if len(said) == 1 else []

    def _added_up(self, noun: Chunk) -> list[Meaning]:
        return [
            each
            for each in self.measurable(noun, Aggregate.SUM)
            if self._vocabulary.dimensions(each.table, each.column) & ADDITIVE
            and not self._vocabulary.is_of_one(each.table, each.column)
        ]

    def _count_what_comes_first(self, chunks: Sequence[Chunk]) -> None:
        """`tickets per channel` is a count, `kilos per week` a sum, `channel` alone is nothing."""
        skipped = (Piece.FILLER, Piece.BEGAN_THEN)
        said = [chunk for chunk in chunks if chunk.piece not in skipped and chunk.text not in ADVERBS]
        first = next(iter(said), None)
        grouped = any(chunk.piece in (Piece.BY, Piece.BUCKET) for chunk in chunks)
        if first is None or first.piece not in (Piece.NOUN, Piece.UNIT, Piece.NOT) or not grouped:
            raise NotSure(NO_MEASURE)
        phrase = self._phrase_of_many(first)
        sums = [(noun, self._added_up(noun)) for noun in phrase]
        measured = [(noun, found) for noun, found in sums if found and not self.rows_of(noun)]
        if measured and self._are_many(measured[-1][0]):
            self._set(Aggregate.SUM, *measured[-1])
        elif any(self.rows_of(noun) or self._are_all_boolean(noun) for noun in phrase):
            self.count(None, phrase)
        else:
            raise NotSure(NO_MEASURE)

    def _phrase_of_many(self, first: Chunk) -> list[Chunk]:
        """`unsold kilos`, `apples kg`: what is counted or added up after what chooses rows."""
        phrase = self.phrase_from(first)
        following = None if first.piece is Piece.NOUN and phrase else self._reader.after(first)
        return self.phrase_from(following) if following is not None else phrase

    def _are_many(self, noun: Chunk) -> bool:
        """`revenue`, `kilos`, `nights`: `price per category` may as well be an average."""
        if noun.text in TAKINGS | {"kg", "km"}:
            return True
        return noun.text.endswith("s") and noun.text not in SUMMED and not noun.text.startswith("price")

    def _are_all_boolean(self, noun: Chunk) -> bool:
        columns = noun.naming(What.COLUMN)
        return bool(columns) and all(self.is_boolean(each) for each in columns)

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
            if self._is_a_count(each) or (each in self._added_up(head) and head.text not in SUMMED)
        ]

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

    def rows_of(self, noun: Chunk) -> list[Meaning]:
        """The tables whose rows it names."""
        return noun.naming(What.TABLE)

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
        if best.what is What.VALUE and self._vocabulary.has_quantities(best.table):
            raise NotSure(f"The rows of '{best.table}', or how many '{head.text}' are in them?")
        self.begin(Measure(Aggregate.COUNT, best.table))

    def is_boolean(self, meaning: Meaning) -> bool:
        """Whether it is a column that is true or false."""
        return meaning.what is What.COLUMN and self._vocabulary.kind(meaning.table, meaning.column) is Kind.BOOLEAN

    def counted_columns(self, noun: Chunk) -> list[Meaning]:
        """Columns whose values can be counted: names, not measurements."""
        columns = noun.naming(What.COLUMN)
        return [each for each in columns if each.entity or self._vocabulary.kind(each.table, each.column) is Kind.TEXT]

    def aggregate(self, operation: Chunk, much: Chunk | None) -> None:
        """What is made of a column: of the one that follows, or else the only one there is in the question."""
        operation.used = True
        if self.is_count_word(operation):
            raise NotSure("The most of what? Say 'which … has the most …', for example.")
        phrase = self.noun_phrase(operation)
        measured = [(noun, found) for noun in phrase if (found := self._fitting(noun, operation))]
        if operation.scale is not None and any(noun.text in _DONE_TO for noun, _ in measured):
            raise NotSure(f"The {operation.text} on average, or of one?")
        if measured:
            noun, found = measured[-1]
            self._refuse_another_value(phrase, noun, found)
            func = self._func(operation, found[0])
            self._set(func, noun, found)
            self._and_also(func, noun)
        elif implied := self._implied(operation, much):
            self._set(self._func(operation, implied[1][0]), *implied)
        elif operation.value is Aggregate.SUM and phrase and self._only_rows(operation, phrase):
            self.count(None, phrase)
        else:
            raise NotSure(f"I do not see what '{operation.text}' is of: it needs a column of numbers.")

    def _func(self, operation: Chunk, meaning: Meaning) -> Aggregate:
        if operation.scale is None:
            func: Aggregate = operation.value
            return func
        scaled = operation.scale.func(self._vocabulary.dimensions(meaning.table, meaning.column))
        if scaled is None:
            raise NotSure(f"I do not see what '{operation.text}' is of.")
        return scaled

    def _fitting(self, noun: Chunk, operation: Chunk) -> list[Meaning]:
        """The columns of which that can be said."""
        found = self.measurable(noun, operation.value)
        if operation.scale is None:
            return found
        dimensions, kind = self._vocabulary.dimensions, self._vocabulary.kind
        if operation.scale.any:
            return [each for each in found if kind(each.table, each.column) is Kind.NUMBER]
        return [each for each in found if operation.scale.func(dimensions(each.table, each.column))]

    def _refuse_another_value(self, phrase: list[Chunk], noun: Chunk, found: list[Meaning]) -> None:
        """`stock value` is not the stock."""
        following = self._reader.chunks[self._reader.place(noun) + 1 : self._reader.place(noun) + 2]
        for each in following:
            dimensions = self._vocabulary.dimensions(found[0].table, found[0].column)
            if each.text in _OF_ITS_OWN and Dimension.MONEY not in dimensions and dimensions & ADDITIVE:
                raise NotSure(f"I do not see what the '{each.text}' of '{noun.text}' is.")

    def _implied(self, operation: Chunk, much: Chunk | None) -> tuple[Chunk, list[Meaning]] | None:
        """`what is an order worth on average`, `how humid is it on average`, `how much was the smallest order`."""
        if (how := next((each for each in self._reader.chunks if each.piece is Piece.HOW), None)) is not None:
            how.used = True
            return self._spoken(how, how.about, operation)
        before = self._reader.before(operation)
        if operation.scale is None and before is not None and (found := self.measurable(before, operation.value)):
            return before, found
        if operation.scale is not None:
            return self._spoken(operation, frozenset({Dimension.INCOME}), operation) if much is not None else None
        if operation.text != "on average" and operation.value is Aggregate.SUM:
            return None
        if operation.text != "on average" and self.noun_phrase(operation) and operation.value in _MIDDLES:
            return self._asked_for(operation, spoken_only=True)
        asked = self._asked_for(operation, spoken_only=False)
        if asked is None and much is not None:
            return self._spoken(much, frozenset({Dimension.INCOME}), operation)
        return asked

    def _spoken(
        self, chunk: Chunk, about: frozenset[Dimension], operation: Chunk
    ) -> tuple[Chunk, list[Meaning]] | None:
        """The columns of the tables that are named, or of all, which measure that."""
        named = self._reader.named_tables() or set(self._vocabulary.tables)
        found = [each for table in sorted(named) for each in self._vocabulary.measuring(table, about)]
        if operation.scale is not None:
            dimensions = self._vocabulary.dimensions
            found = [each for each in found if operation.scale.func(dimensions(each.table, each.column))]
        return (chunk, found) if found else None

    def _asked_for(self, operation: Chunk, spoken_only: bool) -> tuple[Chunk, list[Meaning]] | None:
        """The only noun of the question that is a number and not compared with one; the most literal."""
        nouns = [
            (noun, found)
            for noun in self._reader.chunks
            if noun.piece in (Piece.NOUN, Piece.HOW)
            and not noun.used
            and not self._reader.is_compared(noun)
            and (found := self.measurable(noun, operation.value))
        ]
        if spoken_only:
            nouns = [(noun, found) for noun, found in nouns if min(each.rank for each in found) >= 4]
        if not nouns:
            return None
        best = min(each.rank for _, found in nouns for each in found)
        literal = [(noun, found) for noun, found in nouns if min(each.rank for each in found) == best]
        columns = {frozenset((each.table, each.column) for each in found) for _, found in literal}
        return literal[0] if len(columns) == 1 else None

    def _only_rows(self, operation: Chunk, phrase: list[Chunk]) -> bool:
        """`total orders` is their number; `total order value` is not, and `total of orders` may be a sum."""
        if any(each.text in _OF_ITS_OWN for each in self._reader.chunks):
            return False
        between = self._reader.chunks[self._reader.place(operation) + 1 : self._reader.place(phrase[0])]
        return all(each.piece in (Piece.NOT, Piece.NOW, Piece.BEGAN_THEN) for each in between)

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

    def _and_also(self, func: Aggregate, noun: Chunk) -> None:
        """`average temperature and humidity`."""
        link = self._reader.after(noun)
        while link is not None and link.piece is Piece.AND:
            other = self._reader.after(link)
            columns = [] if other is None or other.piece is not Piece.NOUN else self.measurable(other, func)
            columns = [each for each in columns if each.table == self._found.base]
            if other is None or len(columns) != 1 or other.naming(What.VALUE):
                return
            self._found.measures.append(Measure(func, self._found.base, columns[0].column))
            link.used = other.used = True
            link = self._reader.after(other)

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


def _is_called(column: str, noun: Chunk) -> bool:
    return words_of_name(column) == tuple(word.stem for word in words_of(noun.text))


def _different(meaning: Meaning) -> Choice:
    return Choice(f"different values of {meaning.column}", meaning.table, meaning.column)


def _singular(chunk: Chunk) -> str:
    return " ".join(word.stem for word in words_of(chunk.text))


def _named(chunks: Sequence[Chunk]) -> str:
    return ", ".join(f"'{chunk.text}'" for chunk in chunks)
