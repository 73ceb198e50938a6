"""By what, and of which rows: groups, spans of time, comparisons and values in a question."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.agents.simple import units as units_of
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.dates import Relative, Span, months_between, since, whole
from holdfast.agents.simple.findings import Choice, Findings, Group, NotSure, Test
from holdfast.agents.simple.quantities import ADDITIVE, Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import (
    ADVERBS,
    BEGAN,
    BEGINNING,
    BUCKETS,
    MISSING,
    NOTHING,
    root,
    words_of,
    words_of_name,
)
from holdfast.data.columns import Kind
from holdfast.types import Aggregate, Bucket, Operator

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader


_LACKING = frozenset({
    "no", "without", "missing", "lacking", "don't", "doesn't", "didn't", "haven't", "hasn't", "not",
})  # fmt: skip
"""Before what is not there."""


_ENDS = frozenset({"cancelled", "canceled", "refunded", "rejected", "declined"})
"""After these nothing else becomes of a thing: what is not so has another state. What is not `shipped` may be
`delivered`."""

_DONE = ("ed", "en", "left", "sold", "sent", "paid", "built", "made")
_NEVER_NOTHING = frozenset({Dimension.TEMPERATURE, Dimension.RATING, Dimension.AGE, Dimension.HUMIDITY})
"""Of these 0 is a value as any other, or none at all."""


class Filtering:
    """What remains to be read when it is known what is computed."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._vocabulary = reader.vocabulary
        self._found: Findings = reader.found

    def all(self) -> None:
        """Raises NotSure, Unclear."""
        self._groups()
        self._spans()
        self._comparisons()
        self._negations()
        self._booleans()
        self._values()
        self._done()
        self._columns_beside_their_values()
        self._known_groups()

    def _unused(self, *pieces: Piece) -> list[Chunk]:
        return [chunk for chunk in self._reader.chunks if chunk.piece in pieces and not chunk.used]

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

    def refuse_what_is_too_fine(self, table: str, column: str, bucket: Bucket) -> None:
        """A day has no hours."""
        if bucket in (Bucket.HOUR, Bucket.MINUTE) and self._vocabulary.kind(table, column) is Kind.DATE:
            raise NotSure(f"'{column}' is a day: it has no {bucket}.")

    def date(self, chunk: Chunk) -> tuple[str, str]:
        """The column that says when. Raises NotSure, Unclear."""
        base = self._found.base
        hinted = [(noun, found) for noun in self._hints() if (found := self._dates_of(noun))]
        columns = {(each.table, each.column) for _, found in hinted for each in found}
        if len(columns) == 1:
            for noun, _ in hinted:
                noun.used = True
            return columns.pop()
        if columns:
            raise NotSure("I do not see which of these dates is meant.")
        self._refuse_another_calendar(base)
        dates = self._vocabulary.dates(base)
        began = (Piece.BEGAN, Piece.BEGAN_THEN)
        if len(dates) > 1 and any(each.piece in began for each in self._reader.chunks):
            dates = [name for name in dates if words_of_name(name)[0] in BEGAN | BEGINNING] or dates
        if len(dates) > 1:
            return base, self._reader.choose(chunk, [Choice(f"by {name}", base, name) for name in dates]).column
        return (base, dates[0]) if dates else self._date_elsewhere()

    def _refuse_another_calendar(self, base: str) -> None:
        """A column `year` beside dates may be what `in 2022` is about."""
        said = [column.name for column in self._vocabulary.tables[base].columns if column.name.lower() in BUCKETS]
        if said:
            raise NotSure(f"By a date, or by '{said[0]}'? I cannot tell.")

    def _hints(self) -> list[Chunk]:
        """Words that may name a date: nouns, and `received`, which otherwise says nothing."""
        pieces = (Piece.NOUN, Piece.FILLER, Piece.BEGAN, Piece.BEGAN_THEN)
        return [each for each in self._reader.chunks if each.piece in pieces and not each.used]

    def _dates_of(self, noun: Chunk) -> list[Meaning]:
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in self._reader.reach.tables
            and self._vocabulary.kind(each.table, each.column) in (Kind.DATE, Kind.TIMESTAMP)
        ]

    def _date_elsewhere(self) -> tuple[str, str]:
        tables = self._reader.reach.tables
        dates = [(table, name) for table in tables for name in self._vocabulary.dates(table)]
        if len(dates) != 1:
            raise NotSure("I do not see which column says when that was.")
        return dates[0]

    def _spans(self) -> None:
        for chunk in self._unused(Piece.SPAN):
            chunk.used = True
            if self._is_in_a_name(chunk):
                continue
            table, column = self.date(chunk)
            if chunk.value.relative is not None and chunk.value.relative.count:
                self._lately(chunk.value.relative, table, column)
                continue
            span = self._whole(chunk.value, table, column)
            if span.start is not None:
                self._bound(Test(table, column, Operator.GREATER_OR_EQUAL, span.start.isoformat()))
            if span.end is not None:
                self._bound(Test(table, column, Operator.LESS, span.end.isoformat()))

    def _is_in_a_name(self, chunk: Chunk) -> bool:
        """`how many visits last month`, where the column is `visits_last_month`."""
        said = words_of_name(chunk.text.replace(" ", "_"))
        names = [words_of_name(measure.column) for measure in self._found.measures]
        return any(len(name) > len(said) and name[-len(said) :] == said for name in names)

    def _bound(self, test: Test) -> None:
        """One end of a span. Two spans are two sets of rows, and none is in both."""
        if any((each.table, each.column, each.op) == (test.table, test.column, test.op) for each in self._found.tests):
            raise NotSure("I can look at one span of time at once. Say 'from … to …', or 'per month', for example.")
        self._found.tests.append(test)

    def _newest(self, table: str, column: str) -> datetime:
        """The newest moment of a column, from which `last month` is told; and that is said. Raises NotSure."""
        known = self._vocabulary.of(table, column)
        try:
            newest = datetime.fromisoformat(known.high or "") if known else None
        except ValueError:
            newest = None
        if newest is None:
            raise NotSure(f"I do not see what the newest '{column}' is, from which that would be told.")
        self._found.notes.append(f"told from the newest {column} there is, {newest:%Y-%m-%d}")
        return newest

    def _lately(self, relative: Relative, table: str, column: str) -> None:
        """`in the last 7 days`: so many days with the newest one, or so much time up to the newest moment."""
        start = since(relative, self._newest(table, column))
        daily = self._vocabulary.kind(table, column) is Kind.DATE
        if start is None or (daily and relative.unit == "hour"):
            raise NotSure(f"I cannot tell {relative.count} {relative.unit}s from '{column}'.")
        op = Operator.GREATER if daily else Operator.GREATER_OR_EQUAL
        value = start.date().isoformat() if daily else start.isoformat(sep=" ")
        self._bound(Test(table, column, op, value))

    def _whole(self, span: Span, table: str, column: str) -> Span:
        if span.relative is not None:
            found = whole(span.relative, self._newest(table, column).date())
            if found is None:
                raise NotSure(f"Which {span.relative.unit}s are meant? Say 'in the last 7 days', or name the dates.")
            return found
        if span.vague:
            raise NotSure("On that day, or since then? Say 'on …' or 'since …'.")
        if span.month_only is None:
            return span
        known = self._vocabulary.of(table, column)
        low, high = (known.low, known.high) if known else (None, None)
        spans = months_between(span.month_only, low, high, span.day_only) if low and high else []
        if len(spans) != 1:
            raise NotSure("Of which year? Name it with the month.")
        return spans[0]

    def _comparisons(self) -> None:
        for chunk in self._unused(Piece.COMPARE):
            number = self._reader.after(chunk, skipping=(Piece.FILLER, Piece.UNIT))
            if number is None or number.piece is not Piece.NUMBER:
                raise NotSure(f"'{chunk.text}' needs a number.")
            chunk.used = number.used = True
            self._test(chunk, number, chunk.value, number.value)
        for chunk in self._unused(Piece.BETWEEN):
            self._between(chunk)
        self._ranges()
        self._given()
        for number in self._unused(Piece.NUMBER):
            noun = self._reader.before(number)
            if noun is not None and noun.piece is Piece.NOUN and not noun.used and self._numbers(noun):
                number.used = True
                self._test(number, number, Operator.EQUAL, number.value)

    def _ranges(self) -> None:
        """`aged 30 to 39`: from the one to the other."""
        chunks = self._reader.chunks
        for low, link, high in zip(chunks, chunks[1:], chunks[2:], strict=False):
            numbers = low.piece is Piece.NUMBER and high.piece is Piece.NUMBER
            if numbers and link.text in ("to", "through") and not (low.used or high.used):
                low.used = high.used = True
                self._test(low, high, Operator.BETWEEN, low.value, high.value)

    def _given(self) -> None:
        """`how often did they give us a 5`: a rating, where there is one."""
        said = {chunk.text for chunk in self._reader.chunks}
        columns = self._vocabulary.measuring(self._found.base, frozenset({Dimension.RATING}))
        for number in self._unused(Piece.NUMBER):
            place = self._reader.place(number)
            article = place > 0 and self._reader.chunks[place - 1].text == "a"
            if article and len(columns) == 1 and said & {"give", "gave", "given", "got", "get"}:
                number.used = True
                self._found.tests.append(
                    Test(columns[0].table, columns[0].column, Operator.EQUAL, _exact(number.value))
                )

    def _between(self, chunk: Chunk) -> None:
        skipped = (Piece.FILLER, Piece.UNIT)
        low = self._reader.after(chunk, skipping=skipped)
        link = self._reader.after(low, skipping=skipped) if low else None
        high = self._reader.after(link, skipping=skipped) if link else None
        if not (low and link and high and link.piece is Piece.AND):
            return
        if low.piece is not Piece.NUMBER or high.piece is not Piece.NUMBER:
            return
        for each in (chunk, low, link, high):
            each.used = True
        self._test(chunk, high, Operator.BETWEEN, low.value, high.value)

    def _test(self, first: Chunk, last: Chunk, op: Operator, *values: float) -> None:
        """A comparison with the column named before it, or right after it."""
        units = self._units(first, last)
        for unit in units:
            unit.used = True
        after = self._reader.after(last, skipping=(Piece.FILLER, Piece.UNIT))
        near = [each for each in (self._reader.before(first), after) if each is not None]
        for noun in near:
            noun_is_free = noun.piece in (Piece.NOUN, Piece.AGGREGATE) and not noun.used
            if noun_is_free and (columns := self._numbers(noun)):
                best = self._reader.pick(noun, self._reader.reach.within(columns, noun.text))
                noun.used = True
                known = self._vocabulary.of(best.table, best.column)
                said, high = [unit.text for unit in units], known.high if known else None
                written = [_exact(units_of.converted(each, said, best.column, high)) for each in values]
                value = written if op is Operator.BETWEEN else written[0]
                self._found.tests.append(Test(best.table, best.column, op, value))
                return
        self._test_what_is_spoken_of(first, last, op, values, units)

    def _test_what_is_spoken_of(
        self, first: Chunk, last: Chunk, op: Operator, values: tuple[float, ...], units: list[Chunk]
    ) -> None:
        """By the adjective (`older than`) or the unit (`more than 50 euros`), where one column is so."""
        base = self._found.base
        found = self._vocabulary.measuring(base, first.about) if first.about else []
        spoken = [each for unit in units for each in unit.naming(What.COLUMN) if each.table == base]
        narrowed = [each for each in found if each.column in {said.column for said in spoken}]
        found = narrowed or found or spoken or self._spoken_anywhere(base) or self._age(base, units)
        if not found:
            raise NotSure(f"I do not see which column is to be compared with '{last.text}'.")
        best = self._reader.pick(first, found)
        known = self._vocabulary.of(best.table, best.column)
        said, high = [unit.text for unit in units], known.high if known else None
        written = [_exact(units_of.converted(each, said, best.column, high)) for each in values]
        self._found.tests.append(Test(best.table, best.column, op, written if op is Operator.BETWEEN else written[0]))

    def _age(self, base: str, units: list[Chunk]) -> list[Meaning]:
        """`employees over 50`."""
        persons = self._vocabulary.has_persons(base) and not units
        return self._vocabulary.measuring(base, frozenset({Dimension.AGE})) if persons else []

    def _spoken_anywhere(self, base: str) -> list[Meaning]:
        """`members paying more than 50`: a verb of money that is left."""
        return [
            each
            for noun in self._unused(Piece.NOUN)
            for each in self._numbers(noun)
            if each.rank >= 4 and each.table == base
        ]

    def _units(self, first: Chunk, last: Chunk) -> list[Chunk]:
        chunks = self._reader.chunks
        start, end = (next(i for i, each in enumerate(chunks) if each is edge) for edge in (first, last))
        inside = [each for each in chunks[start : end + 1] if each.piece is Piece.UNIT]
        follows = chunks[end + 1 : end + 3]
        if follows and follows[0].piece in (Piece.UNIT, Piece.BUCKET):
            inside.append(follows[0])
            if len(follows) > 1 and follows[1].piece is Piece.UNIT:
                inside.append(follows[1])
        return inside

    def _numbers(self, noun: Chunk) -> list[Meaning]:
        tables = self._reader.reach.tables
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in tables
            and not self._reader.measuring.is_key(noun, each)
            and self._vocabulary.kind(each.table, each.column) is Kind.NUMBER
        ]

    def _negations(self) -> None:
        for chunk in self._unused(Piece.NOT):
            noun = next((each for each in self._denied(chunk) if self._deny(chunk, each)), None)
            if noun is None:
                raise NotSure(f"I do not see what '{chunk.text}' belongs to.")
            chunk.used = noun.used = True

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

    def _done(self) -> None:
        """`finished`, where nothing asks when: there is a date."""
        for noun in self._unused(Piece.NOUN):
            dates = [each for each in self._dates_of(noun) if each.table == self._found.base]
            if len(dates) != 1 or noun.naming(What.TABLE) or not noun.text.endswith(_DONE):
                continue
            known = self._vocabulary.of(dates[0].table, dates[0].column)
            if known is None:
                continue
            noun.used = True
            if known.nulls:
                self._found.tests.append(Test(dates[0].table, dates[0].column, Operator.IS_NOT_NULL))

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

    def _booleans_of(self, noun: Chunk) -> list[Meaning]:
        tables = self._reader.reach.tables
        return [
            each
            for each in noun.naming(What.COLUMN)
            if each.table in tables and self._vocabulary.kind(each.table, each.column) is Kind.BOOLEAN
        ]

    def _booleans(self) -> None:
        for noun in self._unused(Piece.NOUN):
            booleans = self._booleans_of(noun)
            if not booleans or self._is_alternative(noun):
                continue
            best = self._reader.pick(noun, booleans)
            if best.rank >= 2 and not self._affirmed():
                raise NotSure(f"I do not see whether '{noun.text}' has to be so or not.")
            self._affirmed()
            noun.used = True
            self._found.tests.append(Test(best.table, best.column, Operator.EQUAL, True))

    def _is_alternative(self, noun: Chunk) -> bool:
        """Whether it is a value beside an `or`, whatever else it may be."""
        beside = (self._reader.before(noun), self._reader.after(noun))
        joined = any(each is not None and each.piece is Piece.OR for each in beside)
        return joined and bool(noun.naming(What.VALUE))

    def _values(self) -> None:
        wanted: dict[tuple[str, str], list[str]] = {}
        places: dict[int, tuple[str, str]] = {}
        for noun in self._unused(Piece.NOUN):
            values = [each for each in noun.naming(What.VALUE) if each.table in self._reader.reach.tables]
            if not values:
                continue
            if self._is_what_takes_time(noun):
                noun.used = True
                continue
            best = self._value(noun, values)
            self._refuse_another_date(noun, best)
            noun.used = True
            places[id(noun)] = (best.table, best.column)
            wanted.setdefault((best.table, best.column), []).append(best.value)
        self._alternatives(places)
        for (table, column), found in wanted.items():
            self._found.tests.append(self._is_one_of(table, column, list(dict.fromkeys(found))))

    def _refuse_another_date(self, noun: Chunk, value: Meaning) -> None:
        """`were delivered` may be a state, or a date that is there; `delivered parcels` are in that state."""
        after = self._reader.after(noun)
        if not noun.text.endswith("ed") or (after is not None and bool(after.naming(What.TABLE))):
            return
        for name in self._vocabulary.dates(value.table):
            known = self._vocabulary.of(value.table, name)
            if known is not None and known.nulls and root(words_of_name(name)[0]) == root(noun.text):
                raise NotSure(f"Is '{noun.text}' its '{value.column}', or whether '{name}' is there?")

    def _is_what_takes_time(self, noun: Chunk) -> bool:
        """`how long does it take to resolve`: what the resolution time is of, and no choice of rows."""
        place = self._reader.place(noun)
        before = self._reader.chunks[place - 1].text if place else ""
        doing = before in ("to", "get", "gets", "to get", "being") or not noun.text.endswith("ed")
        timed = [name for table, name in self._found.columns() if self._takes_time(table, name)]
        start = root(noun.text)[:5]
        return doing and any(word.startswith(start) for name in timed for word in words_of_name(name))

    def _takes_time(self, table: str, name: str) -> bool:
        return Dimension.DURATION in self._vocabulary.dimensions(table, name)

    def _alternatives(self, places: dict[int, tuple[str, str]]) -> None:
        """`in Berlin or Paris`: two values of one column; between anything else, `or` is not understood."""
        for link in self._unused(Piece.OR):
            beside = [self._reader.before(link), self._reader.after(link)]
            columns = [places.get(id(each)) for each in beside]
            link.used = columns[0] is not None and columns[0] == columns[1]

    def _value(self, noun: Chunk, values: list[Meaning]) -> Meaning:
        """Of several columns that have it, the one that is named beside it."""
        beside = [self._reader.before(noun), self._reader.after(noun)]
        named = {(each.table, each.column) for chunk in beside if chunk for each in chunk.naming(What.COLUMN)}
        nearer = [each for each in values if (each.table, each.column) in named] or values
        spelled = [each for each in nearer if each.value.lower() == noun.text] or nearer
        return self._reader.pick(noun, spelled)

    def _is_one_of(self, table: str, column: str, values: list[str]) -> Test:
        if len(values) == 1:
            return Test(table, column, Operator.EQUAL, values[0])
        if not any(chunk.piece in (Piece.AND, Piece.OR) for chunk in self._reader.chunks):
            raise NotSure(f"'{column}' cannot be {' and '.join(map(repr, values))} at once.")
        return Test(table, column, Operator.IN, values)

    def _columns_beside_their_values(self) -> None:
        """`priority` in `high priority`: said already."""
        tested = {(test.table, test.column) for test in self._found.tests}
        for noun in self._unused(Piece.NOUN):
            near = [self._reader.before(noun), self._reader.after(noun)]
            columns = {(each.table, each.column) for each in noun.naming(What.COLUMN)}
            for chunk in near:
                values = {(each.table, each.column) for each in chunk.naming(What.VALUE)} if chunk else set()
                noun.used = noun.used or bool(columns & values & tested)


def _exact(value: float) -> int | float:
    return int(value) if value == int(value) else value
