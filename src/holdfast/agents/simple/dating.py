"""When: the column that says it, and spans of time."""

from datetime import datetime

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.dates import Relative, Span, months_between, since, whole
from holdfast.agents.simple.findings import Choice, NotSure, Test
from holdfast.agents.simple.nouns import Nouns
from holdfast.agents.simple.vocabulary import What
from holdfast.agents.simple.words import (
    BEGAN,
    BEGAN_THEN,
    BEGINNING,
    BUCKETS,
    HAPPENED,
    words_of_name,
)
from holdfast.data.columns import Kind
from holdfast.types import Aggregate, Bucket, Operator

_BEGUN = frozenset({"created", "opened", "placed", "submitted", "ordered"})
"""What rows are before anything becomes of them."""


class Dating(Nouns):
    """Reads dates."""

    def date(self, chunk: Chunk) -> tuple[str, str]:
        """The column that says when. Raises NotSure, Unclear."""
        base = self._found.base
        hinted = [(noun, found) for noun in self._hints() if (found := self._dates_of(noun))]
        if chunk.piece is Piece.SPAN and (named := self._named_before(chunk)) is not None:
            return named
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
        if len(dates) > 1 and (own := self._own_date(dates)) is not None:
            return base, own
        if len(dates) > 1:
            return base, self._reader.choose(chunk, [Choice(f"by {name}", base, name) for name in dates]).column
        return (base, dates[0]) if dates else self._date_elsewhere()

    def _own_date(self, dates: list[str]) -> str | None:
        """That of the row itself: a column called `date`, or where rows are counted, `created_at`; and that is said."""
        plain = [name for name in dates if name.lower() in ("date", "timestamp")]
        counted = bool(self._found.measures) and all(each.func is Aggregate.COUNT for each in self._found.measures)
        begun = [name for name in dates if words_of_name(name)[0] in _BEGUN] if counted else []
        own = plain or begun
        if len(own) != 1:
            return None
        self._found.notes.append(f"by {own[0]}, not by {' or '.join(name for name in dates if name != own[0])}")
        return own[0]

    def _named_before(self, span: Chunk) -> tuple[str, str] | None:
        """Of verbs with dates the nearest before it: `opened in December … resolved in January`. Raises NotSure."""
        if len(self._vocabulary.dates(self._found.base)) < 2:
            return None
        verbs, place = self._verbs(), self._reader.place
        spans = [each for each in self._reader.chunks if each.piece is Piece.SPAN]
        start = max((place(each) for each in spans if place(each) < place(span)), default=-1)
        before = [each for each in verbs if start < place(each[0]) < place(span)]
        told = {column for _, column in verbs}
        if len(told) < 2 and (not told or before or (len(spans) == 1 and self._reader.before(span) is None)):
            return None
        between = self._reader.chunks[place(before[-2][0]) : place(before[-1][0])] if len(before) > 1 else []
        if not before or before[-1][1] is None or any(each.piece in (Piece.AND, Piece.OR) for each in between):
            raise NotSure("I do not see which of these dates is meant.")
        noun, column = before[-1]
        noun.used = True
        assert column is not None
        return column

    def _verbs(self) -> list[tuple[Chunk, tuple[str, str] | None]]:
        """What names a date, in its order; `None` for what names one that is not known here."""
        base = self._found.base
        found: list[tuple[Chunk, tuple[str, str] | None]] = []
        for chunk in self._reader.chunks:
            columns = {(each.table, each.column) for each in self._dates_of(chunk)}
            if len(columns) == 1 and not chunk.naming(What.TABLE):
                found.append((chunk, columns.pop()))
            elif chunk.text in BEGAN | BEGAN_THEN | HAPPENED and not columns:
                dates = self._vocabulary.dates(base)
                begun = [name for name in dates if words_of_name(name)[0] in BEGAN | BEGINNING | {"date"}]
                found.append((chunk, (base, begun[0]) if len(begun) == 1 else None))
        return found

    def refuse_what_is_too_fine(self, table: str, column: str, bucket: Bucket) -> None:
        """A day has no hours."""
        if bucket in (Bucket.HOUR, Bucket.MINUTE) and self._vocabulary.kind(table, column) is Kind.DATE:
            raise NotSure(f"'{column}' is a day: it has no {bucket}.")

    def _refuse_another_calendar(self, base: str) -> None:
        """A column `year` beside dates may be what `in 2022` is about."""
        said = [column.name for column in self._vocabulary.tables[base].columns if column.name.lower() in BUCKETS]
        if said:
            raise NotSure(f"By a date, or by '{said[0]}'? I cannot tell.")

    def _hints(self) -> list[Chunk]:
        """Words that may name a date: nouns, and `received`, which otherwise says nothing."""
        pieces = (Piece.NOUN, Piece.FILLER, Piece.BEGAN, Piece.BEGAN_THEN)
        return [each for each in self._reader.chunks if each.piece in pieces and not each.used]

    def _date_elsewhere(self) -> tuple[str, str]:
        tables = self._reader.reach.tables
        dates = [(table, name) for table in tables for name in self._vocabulary.dates(table)]
        if len(dates) != 1:
            raise NotSure("I do not see which column says when that was.")
        return dates[0]

    def spans(self) -> None:
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
