"""What is computed: rows that are counted, and what is made of the numbers of a column."""

from collections.abc import Sequence

from holdfast.agents.simple import quantities
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.counting import Counting
from holdfast.agents.simple.findings import Measure, NotSure
from holdfast.agents.simple.quantities import ADDITIVE, SUMMED, TAKINGS, Dimension
from holdfast.agents.simple.together import refuse_first_times
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import ADVERBS
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

NO_MEASURE = "I can count rows, and give sums, averages, medians, minima and maxima; I do not see which is meant."
_MIDDLES = frozenset({Aggregate.AVG, Aggregate.MEDIAN})
_OPERATIONS = (Piece.COUNT, Piece.AGGREGATE, Piece.SUPERLATIVE)
_DONE_TO = frozenset({"rated", "paid", "priced", "aged", "charged", "earning", "spending", "paying"})
_OF_ITS_OWN = frozenset({"value", "values", "amount", "amounts", "worth"})
"""Nouns that are money, unless they only follow what is measured."""
_INCOME = frozenset({Dimension.INCOME})
_GIVEN = frozenset({"give", "gave", "given", "gives"})
_IN_ALL = frozenset({"weight", "quantity", "amount", "distance", "volume"})
_HAPPENING = frozenset({"raised", "billed", "spent", "paid", "earned", "collected", "donated", "charged"})


class Measuring(Counting):
    """Reads what is computed."""

    def read(self, chunks: Sequence[Chunk]) -> None:
        """What is computed, said in these pieces. Raises NotSure, Unclear."""
        operations = self.operations(chunks)
        much = next((chunk for chunk in chunks if chunk.piece is Piece.MUCH and not chunk.used), None)
        if not operations:
            self._without_operation(much, chunks)
        elif len(operations) == 1:
            self._one(operations[0], much)
        else:
            self._several(operations)

    def _without_operation(self, much: Chunk | None, chunks: Sequence[Chunk]) -> None:
        if much is not None:
            self._much(much)
        elif not self._in_total():
            self._count_what_comes_first(chunks)

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
        refuse_first_times(operations)
        if self._share(operations):
            return
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

    def _share(self, operations: list[Chunk]) -> bool:
        """`lowest and highest temperature`: both of the same column."""
        places = [self._reader.place(each) for each in operations]
        between = self._reader.chunks[places[0] : places[-1]]
        pieces = [each.piece for each in between if each.piece is not Piece.FILLER]
        ands = pieces.count(Piece.AND)
        joined = len(pieces) == ands + len(operations) - 1 and ands == len(operations) - 1
        if not joined or any(each.piece is Piece.COUNT or self.is_count_word(each) for each in operations):
            return False
        for noun in reversed(self.noun_phrase(operations[-1])):
            found = [self._fitting(noun, each) for each in operations]
            if not all(found):
                continue
            best = self._reader.pick(noun, found[0])
            for operation in operations:
                operation.used = True
                self._set(self._func(operation, best), noun, [best])
            return True
        return False

    def _and_this(self, operation: Chunk, phrase: list[Chunk]) -> None:
        if operation.piece is Piece.COUNT:
            self.count(operation, phrase)
            if self._found.measures[-1].func is Aggregate.SUM:
                raise NotSure("I do not see whether these are to be added up.")
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
        if noun is None or noun.piece not in (Piece.NOUN, Piece.UNIT, Piece.FILLER, Piece.BY):
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
        if given := self._given_in_all(much):
            return self._set(Aggregate.SUM, much, given)
        raise NotSure("Of one, on average, or all of it? Say 'average …' or 'total …'.")

    def _given_in_all(self, much: Chunk) -> list[Meaning]:
        """`how much has she given`, where there is one sum of money that can be."""
        given = bool(_GIVEN & {chunk.text for chunk in self._reader.chunks})
        noun = self._reader.after(much)
        done = noun is not None and noun.piece is Piece.NOUN and self._is_date(noun) and noun.text.endswith("ed")
        if not (given or done) or len(self._vocabulary.tables) != 1:
            return []
        found = [each for table in self._vocabulary.tables for each in self._vocabulary.in_all(table, _INCOME)]
        return found if len(found) == 1 else []

    def _in_total(self) -> bool:
        """`what did we charge in total`: a sum, though nothing asks how much."""
        if not any(chunk.text in ("in total", "altogether", "all together") for chunk in self._reader.chunks):
            return False
        said = [chunk for chunk in self._reader.chunks if chunk.text in SUMMED and self._added_up(chunk)]
        what = next((chunk for chunk in self._reader.chunks[:1] if chunk.text in ("what", "what's")), None)
        if len(said) != 1 or what is None:
            return False
        self._set(Aggregate.SUM, said[0], self._added_up(said[0]))
        return True

    def _of_many(self) -> list[Chunk]:
        """`how much do we collect in fees`: what is said in the plural."""
        said = [
            noun
            for noun in self._reader.chunks
            if noun.piece is Piece.NOUN and noun.text.endswith("s") and self._added_up(noun) and not self.rows_of(noun)
        ]
        return said if len(said) == 1 else []

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
        if measured and self._are_many(measured[-1][0]) and not self._is_other_money(measured[-1][1]):
            self._set(Aggregate.SUM, *measured[-1])
        elif any(self.rows_of(noun) or self._are_all_boolean(noun) for noun in phrase):
            self.count(None, phrase)
        else:
            raise NotSure(NO_MEASURE)

    def _is_other_money(self, found: list[Meaning]) -> bool:
        """`salaries by department` may as well be an average."""
        dimensions = [self._vocabulary.dimensions(each.table, each.column) for each in found]
        return any(Dimension.MONEY in each and Dimension.INCOME not in each for each in dimensions)

    def _is_done(self, chunk: Chunk) -> bool:
        """`sold`, `harvested`, `raised`: what was done with all of it."""
        rows = chunk.text.endswith("ed") and bool(chunk.naming(What.TABLE))
        return chunk.piece is Piece.TRADED or rows or chunk.text in _HAPPENING

    def _phrase_of_many(self, first: Chunk) -> list[Chunk]:
        """`unsold kilos`, `apples kg`: what is counted or added up after what chooses rows."""
        phrase = self.phrase_from(first)
        following = None if first.piece is Piece.NOUN and phrase else self._reader.after(first)
        return self.phrase_from(following) if following is not None else phrase

    def _are_many(self, noun: Chunk) -> bool:
        """`revenue`, `kilos`, `nights`: `price per category` may as well be an average."""
        if noun.text in TAKINGS | {"kg", "km", "spend"}:
            return True
        if noun.text in _IN_ALL:
            near = (self._reader.before(noun), self._reader.after(noun))
            return any(each is not None and self._is_done(each) for each in near)
        return noun.text.endswith("s") and noun.text not in SUMMED and not noun.text.startswith("price")

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
            noun, found = self._named_rather_than_spoken(measured)
            self._refuse_another_value(phrase, noun, found)
            func = self._func(operation, found[0])
            self._set(func, noun, found)
            self._and_also(func, noun)
        elif implied := self._implied(operation, much):
            self._set(self._func(operation, implied[1][0]), *implied)
        elif own := self._amount_of_rows(operation, phrase):
            self._set(self._func(operation, own[1][0]), *own)
        elif operation.value is Aggregate.SUM and phrase and self._only_rows(operation, phrase):
            self.count(None, phrase)
        else:
            raise NotSure(f"I do not see what '{operation.text}' is of: it needs a column of numbers.")

    def _named_rather_than_spoken(self, measured: list[tuple[Chunk, list[Meaning]]]) -> tuple[Chunk, list[Meaning]]:
        """`total fees paid`: the fees, of which `paid` only speaks."""
        spoken = [(noun, found) for noun, found in measured if min(each.rank for each in found) >= 4]
        named = [each for each in measured if each not in spoken]
        return named[-1] if named and measured[-1] in spoken else measured[-1]

    def _amount_of_rows(self, operation: Chunk, phrase: list[Chunk]) -> tuple[Chunk, list[Meaning]] | None:
        """`average donation`: the amount of the rows that are called as money is. Raises NotSure."""
        noun = phrase[-1] if phrase else None
        plain = noun is not None and all(each.piece is Piece.NOUN for each in phrase)
        if noun is None or not plain or not quantities.is_money(noun.text) or self.is_count_word(operation):
            return None
        if operation.value is not Aggregate.SUM and noun.text.endswith("s"):
            return None
        tables = {each.table for each in self.rows_of(noun) if each.rank < 2}
        found = [each for table in sorted(tables) for each in self._vocabulary.in_all(table, _INCOME)]
        amounts = [each for each in found if quantities.is_the_amount(each.column)]
        if len(amounts) != 1:
            return None
        said = any(chunk.piece is Piece.UNIT and chunk.naming(What.COLUMN) for chunk in self._reader.chunks)
        if operation.value is Aggregate.SUM and operation.scale is None and not said:
            raise NotSure(f"How many '{noun.text}' there are, or the sum of '{amounts[0].column}'?")
        return noun, amounts

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
        if any(self._vocabulary.has_quantities(each.table) for each in self.rows_of(phrase[-1]) if len(phrase) == 1):
            return False
        between = self._reader.chunks[self._reader.place(operation) + 1 : self._reader.place(phrase[0])]
        return all(each.piece in (Piece.NOT, Piece.NOW, Piece.BEGAN_THEN) for each in between)

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


def _named(chunks: Sequence[Chunk]) -> str:
    return ", ".join(f"'{chunk.text}'" for chunk in chunks)
