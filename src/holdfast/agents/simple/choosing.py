"""Which rows: values, what is true, and what has been done."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.denying import Denying
from holdfast.agents.simple.findings import NotSure, Test
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import (
    root,
    words_of_name,
)
from holdfast.types import Operator

if TYPE_CHECKING:
    pass


_HAVING = frozenset({"have", "has", "had", "with"})
_DONE = ("ed", "en", "left", "sold", "sent", "paid", "built", "made")


class Choosing(Denying):
    """Reads what rows have to be."""

    def had(self) -> None:
        """`have a trainer`: something is there."""
        chunks = self._reader.chunks
        for noun in self._unused(Piece.NOUN):
            place = self._reader.place(noun)
            said = [each.text for each in chunks[max(0, place - 2) : place]]
            columns = [each for each in noun.naming(What.COLUMN) if each.table == self._found.base]
            if len(said) < 2 or said[0] not in _HAVING or said[1] not in ("a", "an") or noun.naming(What.TABLE):
                continue
            if columns and not self._booleans_of(noun):
                best = self._reader.pick(noun, columns)
                self._refuse_nothing(noun, best)
                noun.used = True
                self._found.tests.append(Test(best.table, best.column, Operator.IS_NOT_NULL))

    def done(self) -> None:
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

    def booleans(self) -> None:
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

    def values(self) -> None:
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
        tested = {(each.table, each.column) for each in self._found.tests}
        timed_test = any(self._takes_time(*column) for column in tested)
        doing = timed_test or before in ("to", "get", "gets", "to get", "being") or not noun.text.endswith("ed")
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

    def _is_one_of(self, table: str, column: str, values: list[str]) -> Test:
        if len(values) == 1:
            return Test(table, column, Operator.EQUAL, values[0])
        if not any(chunk.piece in (Piece.AND, Piece.OR) for chunk in self._reader.chunks):
            raise NotSure(f"'{column}' cannot be {' and '.join(map(repr, values))} at once.")
        return Test(table, column, Operator.IN, values)

    def columns_beside_their_values(self) -> None:
        """`priority` in `high priority`: said already."""
        tested = {(test.table, test.column) for test in self._found.tests}
        for noun in self._unused(Piece.NOUN):
            near = [self._reader.before(noun), self._reader.after(noun)]
            columns = {(each.table, each.column) for each in noun.naming(What.COLUMN)}
            for chunk in near:
                values = {(each.table, each.column) for each in chunk.naming(What.VALUE)} if chunk else set()
                noun.used = noun.used or bool(columns & values & tested)
