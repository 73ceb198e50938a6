"""When: the column that says it, and spans of time."""

from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.dates import Relative, Span, months_between, since, whole
from holdfast.agents.simple.findings import Choice, NotSure, Test
from holdfast.agents.simple.nouns import Nouns
from holdfast.agents.simple.words import (
    BEGAN,
    BEGINNING,
    BUCKETS,
    words_of_name,
)
from holdfast.data.columns import Kind
from holdfast.types import Bucket, Operator

if TYPE_CHECKING:
    pass


class Dating(Nouns):
    """Reads dates."""

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
