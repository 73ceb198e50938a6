"""Rows that are listed: the one that is the most expensive, all that cost more than so much; and when the first was."""

from typing import TYPE_CHECKING

from holdfast.agents.simple.chunks import Chunk, Piece
from holdfast.agents.simple.findings import Measure, NotSure, Order
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.vocabulary import Meaning, What
from holdfast.agents.simple.words import OFTENEST, words_of, words_of_name
from holdfast.data.columns import Kind
from holdfast.types import Aggregate

if TYPE_CHECKING:
    from holdfast.agents.simple.reading import Reader

_OPENING = frozenset({
    "which", "who", "whose", "show", "list", "what", "what's", "whats", "find", "display", "who's", "when", "give",
})  # fmt: skip
_ALL_ARE_SHOWN = 8
_IDENTIFYING = frozenset({"id", "name", "title", "number", "no", "code", "label"})
_OTHERWISE_ASKED = frozenset({Piece.COUNT, Piece.AGGREGATE, Piece.MUCH, Piece.HOW, Piece.BY, Piece.TOP})


class Listing:
    """Reads which rows are asked for."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._measuring = reader.measuring
        self._vocabulary = reader.vocabulary
        self._found = reader.found

    def read(self) -> bool:
        """Whether it was a question for rows. Raises NotSure, Unclear."""
        chunks = self._reader.chunks
        if self._top_rows():
            return True
        if any(each.piece in _OTHERWISE_ASKED and not self._is_noun(each) for each in chunks):
            return False
        opening = next((word for chunk in chunks[:3] for word in chunk.text.split() if word in _OPENING), None)
        superlatives = [each for each in chunks if each.piece is Piece.SUPERLATIVE]
        if len(superlatives) == 1 and self._is_number(self._reader.before(superlatives[0])):
            opening = opening or "list"
        if opening is None or len(superlatives) > 1:
            return False
        if opening == "when":
            return self._when(superlatives)
        if superlatives:
            return self._first_of(superlatives[0])
        return self._all_that_are(opening)

    def _top_rows(self) -> bool:
        """`top 5 rides by fare`, `5 highest rides by fare`: rows, in the order of a column."""
        self._turn()
        chunks = [each for each in self._reader.chunks if each.piece is not Piece.FILLER][:5]
        wanted = [Piece.TOP, Piece.NUMBER, Piece.NOUN, Piece.BY, Piece.NOUN]
        if [each.piece for each in chunks] != wanted or chunks[3].text != "by":
            return False
        top, number, rows, _, noun = chunks
        table = self._rows(rows)
        columns = [each for each in self._measuring.measurable(noun, Aggregate.SUM) if each.table == table]
        if table is None or not columns or not 0 < number.value <= 1000:
            return False
        best = self._reader.pick(noun, columns)
        for chunk in chunks:
            chunk.used = True
        self._list(table)
        self._found.order = Order(table, best.column, top.value)
        self._found.limit = int(number.value)
        return True

    def _turn(self) -> None:
        """`10 biggest orders` are the top 10 orders."""
        chunks = [each for each in self._reader.chunks if each.piece is not Piece.FILLER][:2]
        if [each.piece for each in chunks] != [Piece.NUMBER, Piece.SUPERLATIVE]:
            return
        number, superlative = chunks
        if superlative.scale is not None and superlative.scale.any and not self._measuring.is_count_word(superlative):
            superlative.piece = Piece.TOP
            superlative.value = "desc" if superlative.scale.any > 0 else "asc"
            self._reader.chunks.remove(superlative)
            self._reader.chunks.insert(self._reader.place(number), superlative)

    def _is_noun(self, chunk: Chunk) -> bool:
        named = chunk.piece is Piece.AGGREGATE and bool(chunk.naming(What.COLUMN)) and chunk.text != "on average"
        return named and not self._measuring.noun_phrase(chunk)

    def _when(self, superlatives: list[Chunk]) -> bool:
        """`when was the first order`: the first date there is."""
        if not superlatives:
            return False
        scale = superlatives[0].scale
        way = scale.way(frozenset({Dimension.DATE})) if scale and not scale.any else 0
        table = self._table_of_rows()
        if not way or table is None:
            raise NotSure("I can say when the first and the last were; I do not see of what.")
        superlatives[0].used = True
        self._say_when()
        self._found.base = table
        table, column = self._reader.date_of(superlatives[0])
        self._measuring.begin(Measure(Aggregate.MAX if way > 0 else Aggregate.MIN, table, column))
        return True

    def _say_when(self) -> None:
        for chunk in self._reader.chunks:
            chunk.used = chunk.used or chunk.piece is Piece.WHEN

    def _first_of(self, superlative: Chunk) -> bool:
        """`which booking was the most expensive`, `who is our oldest member`, `whose repair took the most minutes`."""
        if superlative.text in OFTENEST:
            return False
        table = self._table_of_rows(superlative)
        if table is None:
            return False
        columns = self._ordering(superlative, table)
        if not columns:
            return False
        best = self._reader.pick(superlative, columns)
        scale = superlative.scale
        way = scale.way(self._vocabulary.dimensions(table, best.column)) if scale else 0
        if not way:
            return False
        superlative.used = True
        for noun in self._measuring.noun_phrase(superlative):
            columns_said = {(each.table, each.column) for each in noun.naming(What.COLUMN)}
            noun.used = noun.used or (table, best.column) in columns_said
        self._list(table)
        self._found.order = Order(table, best.column, "desc" if way > 0 else "asc")
        self._found.limit = self._number_of_rows(superlative)
        return True

    def _is_number(self, chunk: Chunk | None) -> bool:
        return chunk is not None and chunk.piece is Piece.NUMBER

    def _number_of_rows(self, superlative: Chunk) -> int:
        """`which 3 bookings were the most expensive`."""
        which = next((chunk for chunk in self._reader.chunks if chunk.piece is Piece.WHICH), None)
        before = self._reader.before(superlative)
        number = before if self._is_number(before) else self._reader.after(which) if which else None
        if number is None or number.piece is not Piece.NUMBER:
            return 1
        number.used = True
        if not 0 < number.value <= 1000:
            raise NotSure("I can give the first 1 to 1,000.")
        return int(number.value)

    def _ordering(self, superlative: Chunk, table: str) -> list[Meaning]:
        """The column that is named, or the one that the adjective is said of."""
        scale = superlative.scale
        named: list[Meaning] = []
        nouns = self._measuring.noun_phrase(superlative)
        if self._measuring.is_count_word(superlative) and not nouns:
            nouns = [chunk for chunk in self._reader.chunks if chunk.piece is Piece.NOUN]
        for noun in nouns:
            wanted = Aggregate.AVG if scale is not None and scale.any else Aggregate.MAX
            found = [each for each in self._measuring.measurable(noun, wanted) if each.table == table]
            if scale is not None:
                found = [each for each in found if scale.way(self._vocabulary.dimensions(table, each.column))]
            if found:
                named = found
        opened = any(each.piece is Piece.WHICH for each in self._reader.chunks)
        if named or scale is None or scale.any:
            return named if opened else []
        found = self._vocabulary.measuring(table, frozenset(scale.ways) - {Dimension.DATE})
        hinted = self._dates_said(table) if Dimension.DATE in scale.ways else []
        return found or hinted or self._vocabulary.measuring(table, frozenset(scale.ways))

    def _dates_said(self, table: str) -> list[Meaning]:
        """`who was hired first`: the date that the verb names."""
        nouns = [chunk for chunk in self._reader.chunks if chunk.piece is Piece.NOUN]
        found = [
            (noun, each)
            for noun in nouns
            for each in noun.naming(What.COLUMN)
            if each.table == table and self._vocabulary.dimensions(table, each.column) == {Dimension.DATE}
        ]
        for noun, _ in found:
            noun.used = True
        return [each for _, each in found]

    def _table_of_rows(self, superlative: Chunk | None = None) -> str | None:
        """The table whose rows are asked for by name, or by `who` where its rows are persons."""
        opening = next((each for each in self._reader.chunks if each.piece is Piece.WHICH), None)
        if opening is not None and opening.text == "which":
            noun = self._reader.after(opening, skipping=(Piece.FILLER, Piece.NUMBER))
            table = self._rows(noun)
            if table is not None:
                opening.used = True
            return table
        tables = [table for noun in self._reader.chunks if (table := self._rows(noun)) is not None]
        if opening is not None:
            named = tables or list(self._vocabulary.tables)
            if len(set(named)) == 1 and (self._vocabulary.persons(named[0]) or opening.text == "whose"):
                persons = self._vocabulary.has_persons(named[0])
                beside = superlative is not None and self._is_beside(superlative, opening)
                if persons or beside:
                    opening.used = True
                    return named[0]
            return None
        return tables[0] if len(set(tables)) == 1 else None

    def _is_beside(self, superlative: Chunk, opening: Chunk) -> bool:
        """`who had the longest trip`, `whose repair took …`: the row is named beside."""
        near = self._reader.after(opening) if opening.text == "whose" else self._reader.after(superlative)
        return self._rows(near) is not None

    def _rows(self, noun: Chunk | None) -> str | None:
        """The table each row of which is one of those; not one of what its rows only belong to."""
        if noun is None or noun.piece is not Piece.NOUN:
            return None
        said = " ".join(word.stem for word in words_of(noun.text))
        rows = [each.table for each in noun.naming(What.TABLE) if each.rank < 2 or len(self._vocabulary.tables) == 1]
        own = [table for table in rows if self._is_of_rows(table, said, noun)]
        return own[0] if len(set(own)) == 1 else None

    def _is_of_rows(self, table: str, said: str, noun: Chunk) -> bool:
        described = self._vocabulary.row_nouns.get(table)
        if described is not None:
            return " ".join(described) == said or said in ("people", "person")
        called = [each for each in noun.naming(What.COLUMN) if each.table == table]
        rivals = [each for each in called if each.entity or words_of_name(each.column) == words_of_name(said)]
        return all(self._vocabulary.is_unique(table, each.column) for each in rivals)

    def _all_that_are(self, opening: str) -> bool:
        """`show me the products with …`, `which sensors have …`."""
        which = next((each for each in self._reader.chunks if each.piece is Piece.WHICH), None)
        if opening in ("what", "what's", "whats", "when", "whose") or any(
            each.piece in (Piece.BUCKET, Piece.WHEN) for each in self._reader.chunks
        ):
            return False
        if which is not None and which.text != "which":
            return self._all_persons(which)
        noun = self._reader.after(which) if which else self._first_noun()
        if noun is None or noun.piece is not Piece.NOUN:
            return False
        table = self._rows(noun)
        if table is None:
            return self._different(which, noun)
        self._use(which)
        noun.used = True
        self._list(table)
        return True

    def _use(self, which: Chunk | None) -> None:
        if which is not None:
            which.used = True

    def _first_noun(self) -> Chunk | None:
        """Of what is shown: its first noun that names rows."""
        nouns = [each for each in self._reader.chunks if each.piece is Piece.NOUN]
        return next((each for each in nouns if self._rows(each) is not None), None)

    def _all_persons(self, who: Chunk) -> bool:
        tables = [table for table in self._vocabulary.tables if self._vocabulary.has_persons(table)]
        if len(tables) != 1 or len(self._vocabulary.tables) != 1:
            return False
        who.used = True
        self._list(tables[0])
        return True

    def _different(self, which: Chunk | None, noun: Chunk) -> bool:
        """`which sensors have reported …`: each of them once."""
        columns = self._measuring.counted_columns(noun)
        if which is None or not columns:
            return False
        best = self._reader.pick(noun, columns)
        which.used = noun.used = True
        self._found.base = best.table
        self._found.listed = [best.column]
        self._found.distinct = True
        return True

    def _list(self, table: str) -> None:
        self._found.base = table
        self._found.listed = self._shown(table)

    def _shown(self, table: str) -> list[str]:
        """What tells the rows apart, who they are of, and when; all columns where there are few."""
        columns = [column.name for column in self._vocabulary.tables[table].columns]
        if len(columns) <= _ALL_ARE_SHOWN:
            return columns
        persons = set(self._vocabulary.persons(table))
        dates = {name for name in columns if self._vocabulary.kind(table, name) in (Kind.DATE, Kind.TIMESTAMP)}
        known = {name for name in columns if self._vocabulary.is_unique(table, name)}
        said = {name for name in columns if words_of_name(name)[-1:] and words_of_name(name)[-1] in _IDENTIFYING}
        exact = {
            name
            for name in known
            if self._vocabulary.kind(table, name) is not Kind.NUMBER or name in said | {columns[0]}
        }
        return [name for name in columns if name in persons | dates | said | exact]
