"""What a question asks: what is computed, of which rows, by what. Every word has to have a part in it.

A question that is read wrongly is worse than one that is not answered: whatever is left over, and whatever can be read
in two ways, is said to be so.
"""

from collections.abc import Iterable, Sequence

from holdfast.agents.simple.chunks import Chunk, Piece, cut
from holdfast.agents.simple.doubts import ask_about_guesses, refuse_doubtful, refuse_rows_or_sum
from holdfast.agents.simple.filtering import Filtering
from holdfast.agents.simple.findings import Choice, Findings, Group, Measure, NotSure, Unclear
from holdfast.agents.simple.reach import Reach
from holdfast.agents.simple.vocabulary import Meaning, Vocabulary, What
from holdfast.agents.simple.words import FEWEST, MOST, words_of
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

_NUMERIC = frozenset({Aggregate.SUM, Aggregate.AVG, Aggregate.MEDIAN})
_ORDERED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP})
_OPERATIONS = (Piece.COUNT, Piece.AGGREGATE, Piece.SUPERLATIVE)
_NO_MEASURE = "I can count rows, and give sums, averages, medians, minima and maxima; I do not see which is meant."


class Reader:
    """Reads one question."""

    def __init__(self, question: str, vocabulary: Vocabulary, chosen: dict[str, Choice]) -> None:
        self.vocabulary = vocabulary
        self.chunks = cut(question, vocabulary)
        self.found = Findings()
        self.chosen = chosen
        """What the user said about words that were unclear."""

    def read(self) -> Findings:
        """Raises NotSure, Unclear."""
        self._refuse_what_is_not_known()
        ask_about_guesses(self)
        self._say_top()
        self._ranked() if self._ranks() else self._measured(self.chunks)
        self.reach = Reach(self.vocabulary, self.found.base)
        Filtering(self).all()
        self._use_what_says_nothing_new()
        refuse_doubtful(self)
        left = [chunk.text for chunk in self.chunks if not chunk.used and chunk.piece is not Piece.FILLER]
        if left:
            raise NotSure(f"I do not know what to make of {_listed(left)}.")
        return self.found

    def _refuse_what_is_not_known(self) -> None:
        unknown = [chunk.text for chunk in self.chunks if chunk.piece is Piece.UNKNOWN]
        if unknown:
            raise NotSure(f"I do not know what {_listed(unknown)} means here.")

    def after(self, chunk: Chunk, *, skipping: Iterable[Piece] = (Piece.FILLER,)) -> Chunk | None:
        """The next piece that says something."""
        place = self._place(chunk)
        skipped = set(skipping)
        return next((each for each in self.chunks[place + 1 :] if each.piece not in skipped), None)

    def before(self, chunk: Chunk) -> Chunk | None:
        """The piece before that says something."""
        place = self._place(chunk)
        return next((each for each in reversed(self.chunks[:place]) if each.piece is not Piece.FILLER), None)

    def _place(self, chunk: Chunk) -> int:
        return next(place for place, each in enumerate(self.chunks) if each is chunk)

    def _say_top(self) -> None:
        """`the largest 5 branches by …` is a top 5, and `the 5 branches with the most …` is which 5 have the most."""
        if self._ranks():
            return
        first = next((chunk for chunk in self.chunks if chunk.piece is not Piece.FILLER), None)
        second = first and self.after(first)
        follow = [second, second and self.after(second)]
        if first is None:
            return
        if first.piece is Piece.SUPERLATIVE and _are(follow, Piece.NUMBER, Piece.NOUN):
            first.piece, first.value = Piece.TOP, "desc" if first.value is Aggregate.MAX else "asc"
        elif first.piece is Piece.NUMBER and _are(follow, Piece.NOUN, Piece.SUPERLATIVE):
            self.chunks.insert(self._place(first), Chunk(Piece.WHICH, "which"))

    def _ranks(self) -> bool:
        return any(chunk.piece in (Piece.TOP, Piece.WHICH) for chunk in self.chunks)

    def _ranked(self) -> None:
        """`top 3 branches by total fines`, `which agent has the fewest tickets`."""
        opening = next(chunk for chunk in self.chunks if chunk.piece in (Piece.TOP, Piece.WHICH))
        for top in (chunk for chunk in self.chunks if chunk.piece is Piece.TOP):
            opening.used, opening = True, top
        opening.used = True
        count = self.after(opening)
        if count is not None and count.piece is Piece.NUMBER:
            count.used = True
            self.found.limit = int(count.value)
        elif opening.piece is Piece.TOP:
            raise NotSure("How many are the top? Say 'top 5', for example.")
        noun = self.after(count if count and count.piece is Piece.NUMBER else opening)
        if noun is None or noun.piece is not Piece.NOUN or not self.groups_of(noun):
            raise NotSure("I do not see what is to be ranked.")
        noun.used = True
        if opening.piece is Piece.TOP:
            self._ranked_by(opening, noun)
        else:
            self._ranked_by_most(noun)
        self._refuse_senseless_limits()
        self.found.groups.append(self._group(noun))

    def _refuse_senseless_limits(self) -> None:
        if self.found.limit is None:
            self.found.limit = 1
        if not 0 < self.found.limit <= 1000:
            raise NotSure("I can give the first 1 to 1,000.")

    def _ranked_by(self, top: Chunk, noun: Chunk) -> None:
        by = next((chunk for chunk in self.chunks[self._place(noun) :] if chunk.piece is Piece.BY), None)
        first = None if by is None else self.after(by)
        if by is None or first is None or by.value != "by":
            raise NotSure("By what are they ranked? Say 'by total …' or 'by number of …', for example.")
        by.used = True
        self.found.rank = top.value
        if first.piece is Piece.SUPERLATIVE:
            self.found.rank = "desc" if first.value is Aggregate.MAX else "asc"
        self._measured(self.chunks[self._place(first) :])

    def _ranked_by_most(self, noun: Chunk) -> None:
        rest = self.chunks[self._place(noun) + 1 :]
        most = next((chunk for chunk in rest if chunk.piece is Piece.SUPERLATIVE), None)
        if most is None:
            raise NotSure("I can say which has the most or least of something; I do not see of what.")
        most.used = True
        self.found.rank = "desc" if most.value is Aggregate.MAX else "asc"
        after = self.after(most)
        if after is not None and after.piece in (Piece.COUNT, Piece.AGGREGATE) and not self._is_count_word(most):
            self._measured(self.chunks[self._place(after) :])
        elif after is not None and self._is_count_word(most):
            self._count(most, self._noun_phrase(most))
        else:
            raise NotSure("Of what: the total, the average, the highest? Say 'highest average …', for example.")

    def _is_count_word(self, chunk: Chunk) -> bool:
        return chunk.text in MOST | FEWEST

    def _measured(self, chunks: Sequence[Chunk]) -> None:
        """What is computed, said in these pieces."""
        operation = self._operation(chunks)
        if operation is None:
            self._count_what_comes_first(chunks)
        elif operation.piece is Piece.COUNT:
            self._count(operation, self._noun_phrase(operation))
        else:
            self._aggregate(operation)

    def _operation(self, chunks: Sequence[Chunk]) -> Chunk | None:
        unused = [chunk for chunk in chunks if chunk.piece in _OPERATIONS and not chunk.used]
        counts = [chunk for chunk in unused if chunk.piece is Piece.COUNT]
        plain = [chunk for chunk in unused if not chunk.naming(What.COLUMN)]
        return next(iter([*counts, *plain, *unused]), None)

    def _count_what_comes_first(self, chunks: Sequence[Chunk]) -> None:
        """`tickets per channel` is a count, `channel` alone is nothing."""
        first = next((chunk for chunk in chunks if chunk.piece is not Piece.FILLER), None)
        grouped = any(chunk.piece in (Piece.BY, Piece.BUCKET) for chunk in chunks)
        if first is None or first.piece is not Piece.NOUN or not grouped:
            raise NotSure(_NO_MEASURE)
        phrase = self._phrase_from(first)
        if not any(self._rows_of(noun) for noun in phrase):
            raise NotSure(_NO_MEASURE)
        self._count(None, phrase)

    def _noun_phrase(self, chunk: Chunk) -> list[Chunk]:
        """The nouns that follow each other after a piece."""
        first = self.after(chunk, skipping=(Piece.FILLER, Piece.DISTINCT))
        return [] if first is None else self._phrase_from(first)

    def _phrase_from(self, first: Chunk) -> list[Chunk]:
        phrase: list[Chunk] = []
        for each in self.chunks[self._place(first) :]:
            if each.piece is not Piece.NOUN and not (each.naming(What.COLUMN) and each.piece is Piece.AGGREGATE):
                break
            if each.piece is Piece.NOUN and self._is_date(each) and phrase:
                break
            phrase.append(each)
        return phrase

    def _is_date(self, chunk: Chunk) -> bool:
        columns = chunk.naming(What.COLUMN)
        kinds = {self.vocabulary.kind(each.table, each.column) for each in columns}
        return bool(kinds) and kinds <= {Kind.DATE, Kind.TIMESTAMP} and not chunk.naming(What.TABLE)

    def _count(self, operation: Chunk | None, phrase: list[Chunk]) -> None:
        """Rows, or different values of a column, by the last noun."""
        if not phrase:
            raise NotSure("I do not see what is to be counted.")
        head = self._head(phrase)
        if operation is not None:
            operation.used = True
        distinct = [chunk for chunk in self.chunks if chunk.piece is Piece.DISTINCT]
        for chunk in distinct:
            chunk.used = True
        if distinct:
            self._set(Aggregate.COUNT_DISTINCT, head, self.counted_columns(head))
            return
        rows, columns = self._rows_of(head), self.counted_columns(head)
        if rows:
            self._count_rows(head, rows, [each for each in columns if each.entity])
        elif columns:
            self._set(Aggregate.COUNT_DISTINCT, head, columns)
        else:
            self._count_filtered(head)

    def _head(self, phrase: list[Chunk]) -> Chunk:
        """The last noun; or what is said to be so by it, as in `customers returned`."""
        last = phrase[-1]
        if self._rows_of(last) or self.counted_columns(last):
            return last
        values = {(each.table, each.column) for each in last.meanings}
        counted = [
            noun
            for noun in phrase[:-1]
            if self._rows_of(noun)
            or any((each.table, each.column) not in values for each in self.counted_columns(noun))
        ]
        return counted[-1] if counted else last

    def _rows_of(self, noun: Chunk) -> list[Meaning]:
        return noun.naming(What.TABLE)

    def _count_rows(self, head: Chunk, rows: list[Meaning], entities: list[Meaning]) -> None:
        """The rows of a table; unless its rows are of something else, and the noun is in them."""
        refuse_rows_or_sum(self.measurable(head, Aggregate.SUM))
        best = min(each.rank for each in rows)
        rows = [each for each in rows if each.rank == best]
        described = self.vocabulary.row_nouns
        own = [each for each in rows if " ".join(described.get(each.table, ())) == self._singular(head)]
        rows = own or rows
        table = self.pick(head, rows).table
        rivals = [
            each for each in entities if each.table == table and not self.vocabulary.is_unique(table, each.column)
        ]
        head.used = True
        if not rivals or own:
            self._begin(Measure(Aggregate.COUNT, table))
        elif table in described:
            self._begin(Measure(Aggregate.COUNT_DISTINCT, table, rivals[0].column))
        else:
            chosen = self.choose(head, [Choice(f"all rows of {table}", table), _different(rivals[0])])
            func = Aggregate.COUNT_DISTINCT if chosen.column else Aggregate.COUNT
            self._begin(Measure(func, table, chosen.column or "*"))

    def _singular(self, chunk: Chunk) -> str:
        return " ".join(word.stem for word in words_of(chunk.text))

    def _count_filtered(self, head: Chunk) -> None:
        """`anomalies` are rows of which a column is true, `bug reports` rows that have that value."""
        meanings = [each for each in head.meanings if each.what is What.VALUE or self._is_boolean(each)]
        if not meanings:
            raise NotSure(f"I do not know how to count '{head.text}'.")
        self._begin(Measure(Aggregate.COUNT, self.pick(head, meanings).table))

    def _is_boolean(self, meaning: Meaning) -> bool:
        return meaning.what is What.COLUMN and self.vocabulary.kind(meaning.table, meaning.column) is Kind.BOOLEAN

    def counted_columns(self, noun: Chunk) -> list[Meaning]:
        """Columns whose values can be counted: names, not measurements."""
        columns = noun.naming(What.COLUMN)
        return [each for each in columns if each.entity or self.vocabulary.kind(each.table, each.column) is Kind.TEXT]

    def groups_of(self, noun: Chunk) -> list[Meaning]:
        """Columns by which something can be grouped."""
        kinds = (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE)
        columns = noun.naming(What.COLUMN)
        return [each for each in columns if each.entity or self.vocabulary.kind(each.table, each.column) in kinds]

    def _aggregate(self, operation: Chunk) -> None:
        operation.used = True
        func = operation.value
        if self._is_count_word(operation):
            raise NotSure("The most of what? Say 'which … has the most …', for example.")
        phrase = self._noun_phrase(operation)
        columns = [(noun, self.measurable(noun, func)) for noun in phrase]
        measured = [(noun, found) for noun, found in columns if found]
        if measured:
            self._set(func, *measured[-1])
            self._and_also(func, measured[-1][0])
        elif func is Aggregate.SUM and phrase and not self._may_be_a_column(operation, phrase[0]):
            self._count(None, phrase)
        else:
            raise NotSure(f"I do not see what '{operation.text}' is of: it needs a column of numbers.")

    def _may_be_a_column(self, operation: Chunk, noun: Chunk) -> bool:
        """`total of orders`, where there is a column of that name, may be its sum or the number of rows."""
        adjacent = self._place(noun) == self._place(operation) + 1
        return bool(operation.naming(What.COLUMN)) and not adjacent

    def measurable(self, noun: Chunk, func: Aggregate) -> list[Meaning]:
        allowed = {Kind.NUMBER} if func in _NUMERIC else _ORDERED
        return [
            each
            for each in noun.naming(What.COLUMN)
            if not self.is_key(noun, each) and self.vocabulary.kind(each.table, each.column) in allowed
        ]

    def is_key(self, noun: Chunk, meaning: Meaning) -> bool:
        """Whether a column only tells one from another: `parcel`, a different number in each row of `parcels`."""
        rows = {each.table for each in noun.naming(What.TABLE)}
        return meaning.entity or (meaning.table in rows and self.vocabulary.is_unique(meaning.table, meaning.column))

    def _and_also(self, func: Aggregate, noun: Chunk) -> None:
        """`average temperature and humidity`."""
        link = self.after(noun)
        while link is not None and link.piece is Piece.AND:
            other = self.after(link)
            columns = [] if other is None or other.piece is not Piece.NOUN else self.measurable(other, func)
            columns = [each for each in columns if each.table == self.found.base]
            if other is None or len(columns) != 1 or other.naming(What.VALUE):
                return
            self.found.measures.append(Measure(func, self.found.base, columns[0].column))
            link.used = other.used = True
            link = self.after(other)

    def _set(self, func: Aggregate, noun: Chunk, columns: list[Meaning]) -> None:
        if not columns:
            raise NotSure(f"I do not know how to count '{noun.text}'.")
        best = self.pick(noun, columns)
        noun.used = True
        self._begin(Measure(func, best.table, best.column))

    def _begin(self, measure: Measure) -> None:
        self.found.base = measure.table
        self.found.measures.append(measure)

    def _group(self, noun: Chunk) -> Group:
        reach = Reach(self.vocabulary, self.found.base)
        best = self.pick(noun, reach.within(self.groups_of(noun), noun.text))
        return Group(best.table, best.column)

    def pick(self, noun: Chunk, meanings: list[Meaning]) -> Meaning:
        """The one that is meant: in the table of the question, then the most literal. Raises Unclear."""
        for narrowing in (self._in_base, self._of_named_tables, _most_literal):
            narrowed = narrowing(meanings)
            meanings = narrowed or meanings
        places = list(dict.fromkeys((each.table, each.column) for each in meanings))
        if len(places) == 1:
            return meanings[0]
        choices = [
            Choice(f"{column} of {table}" if column else f"rows of {table}", table, column) for table, column in places
        ]
        chosen = self.choose(noun, choices)
        return next(each for each in meanings if (each.table, each.column) == (chosen.table, chosen.column))

    def _in_base(self, meanings: list[Meaning]) -> list[Meaning]:
        return [each for each in meanings if each.table == self.found.base]

    def _of_named_tables(self, meanings: list[Meaning]) -> list[Meaning]:
        """Those of tables that the question names; not by a word that names them all."""
        named = {
            each.table
            for chunk in self.chunks
            for each in chunk.naming(What.TABLE)
            if len(chunk.naming(What.TABLE)) == 1
        }
        return [each for each in meanings if each.table in named]

    def choose(self, noun: Chunk, choices: list[Choice]) -> Choice:
        """What the user said that the word means. Raises Unclear."""
        chosen = self.chosen.get(noun.text)
        if chosen in choices:
            return chosen
        raise Unclear(noun.text, choices)

    def _use_what_says_nothing_new(self) -> None:
        """Tables that are read anyway, and words that any question may have."""
        counted = self.found.measures[0].func in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
        for chunk in self.chunks:
            tables = {each.table for each in chunk.naming(What.TABLE)}
            known = chunk.piece is Piece.NOUN and bool(tables & self.reach.tables)
            neutral = chunk.piece is Piece.BEGAN or (chunk.piece is Piece.TRADED and not counted)
            chunk.used = chunk.used or known or neutral or chunk.piece is Piece.AND


def _are(chunks: Sequence[Chunk | None], *pieces: Piece) -> bool:
    return [each.piece if each else None for each in chunks] == [*pieces]


def _most_literal(meanings: list[Meaning]) -> list[Meaning]:
    best = min(each.rank for each in meanings)
    return [each for each in meanings if each.rank == best]


def _different(meaning: Meaning) -> Choice:
    return Choice(f"different values of {meaning.column}", meaning.table, meaning.column)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words[:5])
