"""By what, and of which rows: groups, spans of time, comparisons and values in a question."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.agents.simple import units as units_of
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.dates import Relative, Span, months_between, since, whole
from holdfast.agents.simple.findings import Choice, Findings, Group, NotSure, Test
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import ADVERBS, BEGAN, BUCKETS, MISSING, NOTHING, words_of_name
from holdfast.data.columns import Kind
from holdfast.types import Operator

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader


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
        self._columns_beside_their_values()

    def _unused(self, *pieces: Piece) -> list[Chunk]:
        return [chunk for chunk in self._reader.chunks if chunk.piece in pieces and not chunk.used]

    def _groups(self) -> None:
        for by in self._unused(Piece.BY):
            noun = self._reader.after(by)
            if noun is None:
                continue
            if noun.piece is Piece.BUCKET and not self._is_a_column(noun):
                by.used = noun.used = True
                self._bucket(noun)
            elif noun.piece in (Piece.NOUN, Piece.BUCKET) and not noun.used and self._reader.groups_of(noun):
                by.used = True
                self._group_by(noun)
            elif noun.piece is Piece.NOUN and noun.naming(What.VALUE) and by.value == "by":
                by.used = True
        for adverb in self._unused(Piece.BUCKET):
            if adverb.text in ADVERBS:
                adverb.used = True
                self._bucket(adverb)

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

    def _bucket(self, chunk: Chunk) -> None:
        table, column = self._date(chunk)
        self._found.groups.append(Group(table, column, chunk.value))
        known = self._vocabulary.of(table, column)
        if known is None or known.nulls:
            self._found.tests.append(Test(table, column, Operator.IS_NOT_NULL))

    def _date(self, chunk: Chunk) -> tuple[str, str]:
        """The column that says when. Raises NotSure, Unclear."""
        base = self._found.base
        hinted = [each for noun in self._unused(Piece.NOUN) for each in self._dates_of(noun)]
        for noun in self._unused(Piece.NOUN):
            noun.used = noun.used or bool(self._dates_of(noun))
        if hinted:
            return hinted[0].table, hinted[0].column
        self._refuse_another_calendar(base)
        dates = self._vocabulary.dates(base)
        if len(dates) > 1 and any(each.piece is Piece.BEGAN for each in self._reader.chunks):
            dates = [name for name in dates if words_of_name(name)[0] in BEGAN] or dates
        if len(dates) > 1:
            return base, self._reader.choose(chunk, [Choice(f"by {name}", base, name) for name in dates]).column
        return (base, dates[0]) if dates else self._date_elsewhere()

    def _refuse_another_calendar(self, base: str) -> None:
        """A column `year` beside dates may be what `in 2022` is about."""
        said = [column.name for column in self._vocabulary.tables[base].columns if column.name.lower() in BUCKETS]
        if said:
            raise NotSure(f"By a date, or by '{said[0]}'? I cannot tell.")

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
            table, column = self._date(chunk)
            if chunk.value.relative is not None and chunk.value.relative.count:
                self._lately(chunk.value.relative, table, column)
                continue
            span = self._whole(chunk.value, table, column)
            if span.start is not None:
                self._bound(Test(table, column, Operator.GREATER_OR_EQUAL, span.start.isoformat()))
            if span.end is not None:
                self._bound(Test(table, column, Operator.LESS, span.end.isoformat()))

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
        spans = months_between(span.month_only, low, high) if low and high else []
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
        for number in self._unused(Piece.NUMBER):
            noun = self._reader.before(number)
            if noun is not None and noun.piece is Piece.NOUN and not noun.used and self._numbers(noun):
                number.used = True
                self._test(number, number, Operator.EQUAL, number.value)

    def _between(self, chunk: Chunk) -> None:
        low = self._reader.after(chunk)
        link = self._reader.after(low) if low else None
        high = self._reader.after(link) if link else None
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
        raise NotSure(f"I do not see which column is to be compared with '{last.text}'.")

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
            and not self._reader.is_key(noun, each)
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
        columns = [each for each in noun.naming(What.COLUMN) if each.table == self._found.base]
        if columns and chunk.text in ("no", "without", "missing", "lacking"):
            best = self._reader.pick(noun, columns)
            if chunk.text != "missing":
                self._refuse_nothing(noun, best)
            self._found.tests.append(Test(best.table, best.column, Operator.IS_NULL))
            return True
        return False

    def _refuse_nothing(self, noun: Chunk, meaning: Meaning) -> None:
        """Where there are zeros, `no fine` may be one of them, or an empty cell; and so with a text such as `none`."""
        known = self._vocabulary.of(meaning.table, meaning.column)
        if known and any(value.strip().lower() in NOTHING for value in known.values):
            raise NotSure(f"Is '{noun.text}' to be empty, or a text that says so?")
        is_number = self._vocabulary.kind(meaning.table, meaning.column) is Kind.NUMBER
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
            best = self._value(noun, values)
            noun.used = True
            places[id(noun)] = (best.table, best.column)
            wanted.setdefault((best.table, best.column), []).append(best.value)
        self._alternatives(places)
        for (table, column), found in wanted.items():
            self._found.tests.append(self._is_one_of(table, column, list(dict.fromkeys(found))))

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
