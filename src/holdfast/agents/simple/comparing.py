"""How much: comparisons of columns with numbers."""

from typing import TYPE_CHECKING

from holdfast.agents.simple import units as units_of
from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.dating import Dating
from holdfast.agents.simple.findings import NotSure, Test
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.types import Operator

if TYPE_CHECKING:
    pass


class Comparing(Dating):
    """Reads comparisons."""

    def comparisons(self) -> None:
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
        self._refuse_a_number_of_rows(last, units)
        self._test_what_is_spoken_of(first, last, op, values, units)

    def _refuse_a_number_of_rows(self, number: Chunk, units: list[Chunk]) -> None:
        """`trainers with more than 15 members`: how many there are, and no column of theirs."""
        chunks = self._reader.chunks
        for each in chunks[self._reader.place(number) + 1 :] if not units else ():
            if each.piece not in (Piece.NOUN, Piece.NOT, Piece.DISTINCT, Piece.PERSON, Piece.UNIT, Piece.BUCKET):
                return
            counted = each.naming(What.TABLE) or self._reader.measuring.counted_columns(each)
            if counted or each.piece is not Piece.NOUN:
                raise NotSure(f"Which of them have so many '{each.text}' I cannot tell: that is a count of each.")

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


def _exact(value: float) -> int | float:
    return int(value) if value == int(value) else value
