"""What the words of a question may mean in one dataset: its tables, columns and values, by their singular words."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.agents.profiles import ColumnProfile, Profile
from holdfast.agents.simple import people, quantities
from holdfast.agents.simple.demonyms import COUNTRY_OF
from holdfast.agents.simple.naming import ENTITY_ENDS, Phrase, names
from holdfast.agents.simple.quantities import Dimension
from holdfast.agents.simple.words import (
    AGGREGATES,
    FILLER,
    HIGHEST,
    LOWEST,
    NAME_UNITS,
    NEGATING,
    ROWS_OTHERWISE,
    SYNONYMS,
    Word,
    root,
    stem,
    words_of,
    words_of_name,
)
from holdfast.data.columns import Kind, kind_of
from holdfast.types import Column, Dataset, DatasetTable

_ROW_OF = re.compile(r"^One row (?:for|per) (?:each |every )?([\w-]+(?: [\w-]+)?)\.")
_SHORT = 5
_BEGINNINGS = frozenset(
    {"hire", "join", "start", "end", "finish", "delivery", "arrival", "departure", "payment", "release"}
)
_SHORTEST_ROOT = 3
_IRREGULAR = {"pay": "paid", "pays": "paid", "paying": "paid", "sell": "sold", "sells": "sold", "led": "lead"}
_ALIKE = 0.87
_LONGEST = 6


class What(StrEnum):
    """What a phrase may name."""

    TABLE = "table"
    COLUMN = "column"
    VALUE = "value"
    PART = "part"
    """A word of a column's name, which says nothing alone."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing a phrase may mean. The lower its `rank`, the more literally."""

    what: What
    table: str
    column: str = ""
    value: str = ""
    rank: int = 0
    entity: bool = False
    guessed: bool = False
    """Whether the word is only spelled nearly like this."""


class Vocabulary:
    """The phrases of a dataset."""

    def __init__(self, dataset: Dataset, profile: Profile) -> None:
        self.dataset = dataset
        self.profile = profile
        self.tables = {table.name: table for table in dataset.tables}
        self.row_nouns: dict[str, Phrase] = {}
        self._phrases: dict[Phrase, list[Meaning]] = defaultdict(list)
        self._parts: dict[str, list[Meaning]] = defaultdict(list)
        for table in dataset.tables:
            self._add_table(table)
            for column in table.columns:
                self._add_column(table, column)
        self._add_synonyms()
        self._roots = self._rooted()
        self._letters: dict[str, list[Meaning]] = defaultdict(list)
        for (table_name, column_name), known in profile.items():
            for value in known.values if table_name in self.tables else ():
                if len(value) == 1:
                    self._letters[value].append(Meaning(What.VALUE, table_name, column_name, value))

    def at(self, words: Sequence[Word], place: int) -> tuple[list[Meaning], int]:
        """What the longest phrase from here on may mean, and how many words it has."""
        for length in range(min(_LONGEST, len(words) - place), 0, -1):
            phrase = tuple(word.stem for word in words[place : place + length])
            found = self._phrases.get(phrase) or self._dated(phrase)
            if found and length == 1 and words[place].stem in ("cost", "charge"):
                found = self._or_all_of_it(words[place], found)
            if found:
                best = min(meaning.rank for meaning in found)
                return [meaning for meaning in found if meaning.rank <= best + 1], length
        word = words[place]
        return self._inflected(word) or self._speaking(word) or self._people(word) or self._part(word) or self._alike(
            word
        ), 1

    def _or_all_of_it(self, word: Word, found: list[Meaning]) -> list[Meaning]:
        """What a thing costs is not the `parts_cost` alone, where there is a price as well."""
        best = min(each.rank for each in found)
        if best < 2:
            return found
        return [*found, *(replace(each, rank=best) for each in self._speaking(word) if each not in found)]

    def letter(self, word: Word) -> list[Meaning]:
        """What a single letter is, such as the grade `A`."""
        return self._letters.get(word.written, [])

    def is_known(self, phrase: Phrase) -> bool:
        """Whether these words name something here."""
        return any(each.what is not What.PART for each in self._phrases.get(phrase, ()))

    def dimensions(self, table: str, name: str) -> frozenset[Dimension]:
        """What a column measures."""
        kind = self.kind(table, name)
        if kind in (Kind.DATE, Kind.TIMESTAMP):
            return frozenset({Dimension.DATE})
        return quantities.dimensions(name, self.column(table, name).description) if kind is Kind.NUMBER else frozenset()

    def measuring(self, table: str, wanted: frozenset[Dimension]) -> list[Meaning]:
        """The columns of a table that measure one of these."""
        return [
            Meaning(What.COLUMN, table, column.name, rank=4)
            for column in self.tables[table].columns
            if self.dimensions(table, column.name) & wanted
        ]

    def in_all(self, table: str, wanted: frozenset[Dimension]) -> list[Meaning]:
        """Of several sums of money the one that is the amount; a fee beside it is a part of it, or on top."""
        found = self.measuring(table, wanted)
        amounts = [each for each in found if quantities.is_the_amount(each.column)]
        money = bool(wanted & {Dimension.INCOME, Dimension.COST})
        return amounts if money and len(amounts) == 1 else found

    def is_of_one(self, table: str, name: str) -> bool:
        """Whether a number is that of one piece or kilo, and says nothing when it is added up."""
        if quantities.is_a_rate(name):
            return True
        pieces = self.measuring(table, frozenset({Dimension.PIECES}))
        return bool(pieces) and "price" in words_of_name(name)

    def persons(self, table: str) -> list[str]:
        """The columns that name persons; in a table of persons its name."""
        columns = [column.name for column in self.tables[table].columns]
        if self.has_persons(table):
            return [name for name in columns if name.lower() in ("name", "full_name", "fullname")]
        kinds = {name: self.kind(table, name) for name in columns}
        return [
            name
            for name in columns
            if people.names_persons(name) and (kinds[name] is Kind.TEXT or words_of_name(name)[-1] in ENTITY_ENDS)
        ]

    def has_persons(self, table: str) -> bool:
        """Whether each row is a person."""
        row = self.row_nouns.get(table)
        if row:
            return row[-1] in people.PERSONS
        rows = words_of_name(table)[-1:]
        repeated = any(
            words_of_name(column.name) == rows and not self.is_unique(table, column.name)
            for column in self.tables[table].columns
        )
        return people.is_of_persons(table) and not repeated

    def named_things(self, table: str) -> list[str]:
        """Columns with names that are neither of persons nor of the rows, such as `pet_name`: several may have one."""
        persons, row = self.persons(table), self.row_nouns.get(table) or words_of_name(table)
        own = [("name",), (row[-1], "name"), (row[-1], "title")]
        return [
            column.name
            for column in self.tables[table].columns
            if words_of_name(column.name)[-1:] in (("name",), ("title",))
            and words_of_name(column.name) not in own
            and column.name not in persons
            and not self.is_unique(table, column.name)
        ]

    def has_quantities(self, table: str) -> bool:
        """Whether each row may be several pieces."""
        columns = self.tables[table].columns
        return any({"quantity", "qty", "piece", "unit"} & set(words_of_name(column.name)) for column in columns)

    def is_done(self, word: str) -> bool:
        """Whether rows are so, or not."""
        known = self._phrases.get((stem(word),), [])
        return any(self._is_done(stem(word), each) for each in known)

    def _people(self, word: Word) -> list[Meaning]:
        if word.stem not in people.NOBODY_ELSE:
            return []
        rows = [Meaning(What.TABLE, table, rank=3) for table in self.tables if self.has_persons(table)]
        return rows or [
            Meaning(What.COLUMN, table, name, rank=3, entity=True)
            for table in self.tables
            for name in self.persons(table)
        ]

    def _speaking(self, word: Word) -> list[Meaning]:
        wanted = quantities.speaks_of(word)
        summed = word.text in quantities.SUMMED | {"value", "amount", "worth", "cost", "costs", "costing"}
        return [
            each
            for table in self.tables
            for each in (self.in_all(table, wanted) if wanted else ())
            if quantities.in_that_unit(word.text, each.column, self.column(table, each.column).description)
            and not (summed and self.is_of_one(table, each.column))
            and not quantities.goes_the_other_way(word.text, table, each.column)
        ]

    def _part(self, word: Word) -> list[Meaning]:
        if word.text in _SAID_BY_ALL:
            return []
        return self._parts.get(word.stem) or self._parts.get(_IRREGULAR.get(word.text, ""), [])

    def _rooted(self) -> dict[str, list[Meaning]]:
        """What is done with rows, by the root of its verb: columns that are true, or dates, and values: `returned`."""
        roots: dict[str, list[Meaning]] = defaultdict(list)
        for phrase, meanings in self._phrases.items():
            if len(phrase) == 1 and len(root(phrase[0])) >= _SHORTEST_ROOT:
                roots[root(phrase[0])] += [each for each in meanings if self._is_done(phrase[0], each)]
        return roots

    def _is_done(self, word: str, meaning: Meaning) -> bool:
        if meaning.rank > 2 or meaning.what not in (What.VALUE, What.COLUMN):
            return False
        if meaning.what is What.VALUE:
            return word.endswith("ed")
        kind = self.kind(meaning.table, meaning.column)
        dated = kind in (Kind.DATE, Kind.TIMESTAMP) and not any(name == word for name in self.tables)
        return kind is Kind.BOOLEAN or (dated and (word.endswith("ed") or word in _BEGINNINGS))

    def _inflected(self, word: Word) -> list[Meaning]:
        """`cancellations` for `cancelled`, `finish` for `finished_on`."""
        if word.text in _SAID_BY_ALL or not word.text.isalpha():
            return []
        found = self._roots.get(root(_IRREGULAR.get(word.text, word.text)), ()) or self._lasting(word)
        rows = [
            Meaning(What.TABLE, table, rank=3)
            for table in self.tables
            if word.text.endswith("ed") and root(word.text) == root(words_of_name(table)[-1])
        ]
        return [replace(each, rank=each.rank + 1) for each in found] or rows

    def _lasting(self, word: Word) -> list[Meaning]:
        """`waited` for `wait_min`."""
        return [
            each
            for table in self.tables
            for each in self.measuring(table, frozenset({Dimension.DURATION}))
            if word.text.endswith(("ed", "ing")) and words_of_name(each.column)[0] == root(word.text)
        ]

    def column(self, table: str, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.tables[table].columns if column.name == name)

    def kind(self, table: str, name: str) -> Kind:
        """What can be done with it."""
        return kind_of(self.column(table, name).type)

    def dates(self, table: str) -> list[str]:
        """The columns of a table that say when."""
        kinds = (Kind.DATE, Kind.TIMESTAMP)
        return [column.name for column in self.tables[table].columns if kind_of(column.type) in kinds]

    def of(self, table: str, column: str) -> ColumnProfile | None:
        """What is known of its values."""
        return self.profile.get((table, column))

    def is_unique(self, table: str, column: str) -> bool:
        """Whether no two rows have the same value in it."""
        known = self.of(table, column)
        return known is not None and known.nulls == 0 and known.distinct == self.tables[table].row_count

    def _add(self, phrase: Iterable[str], meaning: Meaning) -> None:
        key = tuple(phrase)
        if key and not (len(key) == 1 and (key[0].isdigit() or len(key[0]) < 2)):
            self._phrases[key].append(meaning)

    def _add_table(self, table: DatasetTable) -> None:
        name = words_of_name(table.name)
        said = _ROW_OF.match(table.description)
        row = tuple(word.stem for word in words_of(said[1])) if said else ()
        if row:
            self.row_nouns[table.name] = row
            self._add(row, Meaning(What.TABLE, table.name))
        self._add(name, Meaning(What.TABLE, table.name))
        if len(name) > 1:
            self._add(name[-1:], Meaning(What.TABLE, table.name, rank=1))
        for other in ROWS_OTHERWISE.get(name[-1], ()):
            self._add((*name[:-1], other), Meaning(What.TABLE, table.name, rank=1))
        self._add(("row",), Meaning(What.TABLE, table.name, rank=1))
        self._add(("record",), Meaning(What.TABLE, table.name, rank=1))

    def _add_column(self, table: DatasetTable, column: Column) -> None:
        words = words_of_name(column.name)
        kind = kind_of(column.type)
        for rank, phrase, entity in names(words, kind, column.description):
            self._add(phrase, Meaning(What.COLUMN, table.name, column.name, rank=rank, entity=entity))
        for word in dict.fromkeys(words):
            if len(words) > 1 and word != "per" and word not in NAME_UNITS:
                self._parts[word].append(Meaning(What.PART, table.name, column.name, rank=5))
        known = self.profile.get((table.name, column.name))
        for value in known.values if known and kind is Kind.TEXT else ():
            phrase = tuple(word.stem for word in words_of(value.replace("_", " ")))
            if phrase not in _NO_VALUE:
                self._add(phrase, Meaning(What.VALUE, table.name, column.name, value))
            for called in COUNTRY_OF.get(value.lower(), ()):
                self._add((called,), Meaning(What.VALUE, table.name, column.name, value, rank=1))

    def _add_synonyms(self) -> None:
        for phrase, meanings in list(self._phrases.items()):
            if len(phrase) > 2:
                continue
            for group in SYNONYMS:
                self._say_otherwise(phrase, meanings, group)

    def _say_otherwise(self, phrase: Phrase, meanings: list[Meaning], group: set[str]) -> None:
        for place, word in enumerate(phrase):
            for other in group - {word} if word in group else ():
                said = (*phrase[:place], other, *phrase[place + 1 :])
                columns = [each for each in meanings if each.what is What.COLUMN and each.rank < 2]
                known = {(each.table, each.column) for each in self._phrases.get(said, ())}
                for each in columns:
                    if (each.table, each.column) not in known:
                        self._add(said, Meaning(each.what, each.table, each.column, rank=3, entity=each.entity))

    def _dated(self, phrase: Phrase) -> list[Meaning]:
        """`resolution date` for the column `resolved_at`."""
        if len(phrase) != 2 or phrase[1] not in ("date", "time", "day") or len(phrase[0]) < _SHORT:
            return []
        return [
            Meaning(What.COLUMN, table.name, name, rank=2)
            for table in self.dataset.tables
            for name in self.dates(table.name)
            if words_of_name(name)[0][:_SHORT] == phrase[0][:_SHORT]
        ]

    def _alike(self, word: Word) -> list[Meaning]:
        """What a word that is not known was probably meant to be."""
        if len(word.stem) < _SHORT or not word.stem.isalpha() or word.text in _SAID_BY_ALL:
            return []
        single = [phrase[0] for phrase in self._phrases if len(phrase) == 1 and len(phrase[0]) >= _SHORT]
        close = difflib.get_close_matches(word.stem, single, 2, _ALIKE)
        if len(close) != 1 or close[0][0] != word.stem[0]:
            return []
        return [replace(each, rank=3, guessed=True) for each in self._phrases[(close[0],)] if each.rank < 2]


_NO_VALUE = frozenset({(word,) for word in ("no", "yes", "all", "none", "other", "a", "n", "y", "not", "na")} | {()})
_SAID_BY_ALL = FILLER | NEGATING | HIGHEST | LOWEST | frozenset(AGGREGATES) | frozenset(quantities.SUPERLATIVES)
