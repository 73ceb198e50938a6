"""What the names in a plan mean: tables and columns of the dataset, as the schema spells them."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, TypeVar

from holdfast.data.policy.lists import lower
from holdfast.errors import InvalidFieldError
from holdfast.types import Column, Dataset, DatasetTable

_T = TypeVar("_T")
_MOST_NAMES = 12


class Kind(StrEnum):
    """What can be done with the values of a type."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    OTHER = "other"


_KINDS = (
    (
        re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|REAL|(DECIMAL|NUMERIC)(\(.*\))?|BIGNUM"),
        Kind.NUMBER,
    ),
    (re.compile(r"VARCHAR|TEXT|STRING|CHAR"), Kind.TEXT),
    (re.compile(r"BOOL(EAN)?"), Kind.BOOLEAN),
    (re.compile(r"DATE"), Kind.DATE),
    (re.compile(r"(TIMESTAMP|DATETIME)(_S|_MS|_NS|_US)?( WITH TIME ZONE)?|TIMESTAMPTZ"), Kind.TIMESTAMP),
    (re.compile(r"TIME"), Kind.TIME),
)


@dataclass(frozen=True, slots=True)
class Expression:
    """Something with a value, as SQL. `name` is what people call it."""

    sql: str
    kind: Kind
    name: str
    type: str = ""
    aggregated: bool = False


def kind_of(type_name: str) -> Kind:
    """Unknown types can be counted, selected, ordered and tested for null."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(type_name.upper().strip())), Kind.OTHER)


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def wrong(path: str, sentence: str) -> NoReturn:
    """Raises InvalidFieldError for that place in the plan."""
    raise InvalidFieldError(f"{path}: {sentence}", field=path)


def find_table(dataset: Dataset, name: str, path: str) -> DatasetTable:
    """Raises InvalidFieldError."""
    found = _matching(name, {table.name: table for table in dataset.tables})
    if found is None:
        names = [table.name for table in dataset.tables]
        wrong(path, f"'{name}' is no table of '{dataset.id}'. {_instead(name, names, 'Its tables are')}")
    return found


class Columns:
    """The columns of the tables of one plan, in the order of the tables."""

    def __init__(self, tables: Iterable[DatasetTable], *, qualified: bool) -> None:
        self.tables = {table.name: table for table in tables}
        self._qualified = qualified

    def find(self, name: str, path: str) -> Expression:
        """What `column` or `table.column` means. Raises InvalidFieldError."""
        found = [(table, column) for table in self.tables.values() if (column := _column(table, name))]
        if not found:
            found = self._of_table(name)
        if not found:
            wrong(path, f"there is no column '{name}'. {_instead(name, self._names(), 'There are')}")
        if len(found) > 1:
            choices = " or ".join(f"'{table.name}.{column.name}'" for table, column in found)
            wrong(path, f"'{name}' is a column of several tables; write {choices}.")
        return self.expression(*found[0])

    def expression(self, table: DatasetTable, column: Column) -> Expression:
        """A column as SQL."""
        before = f"{quoted(table.name)}." if self._qualified else ""
        return Expression(f"{before}{quoted(column.name)}", kind_of(column.type), column.name, column.type)

    def all(self) -> list[tuple[DatasetTable, Column]]:
        """Every column of every table."""
        return [(table, column) for table in self.tables.values() for column in table.columns]

    def _of_table(self, name: str) -> list[tuple[DatasetTable, Column]]:
        splits = (index for index, letter in enumerate(name) if letter == ".")
        named = ((_matching(name[:index], self.tables), name[index + 1 :]) for index in splits)
        return [(table, column) for table, rest in named if table and (column := _column(table, rest))][:1]

    def _names(self) -> list[str]:
        return [column.name if len(self.tables) == 1 else f"{table.name}.{column.name}" for table, column in self.all()]


def _column(table: DatasetTable, name: str) -> Column | None:
    return _matching(name, {column.name: column for column in table.columns})


def _matching(name: str, candidates: Mapping[str, _T]) -> _T | None:
    """By the very name, or else as DuckDB compares them; the seed's plans may quote."""
    if name in candidates:
        return candidates[name]
    wanted = {lower(name), lower(name[1:-1]) if len(name) > 2 and name[0] == name[-1] == '"' else lower(name)}
    return next((value for candidate, value in candidates.items() if lower(candidate) in wanted), None)


def _instead(name: str, names: list[str], listing: str) -> str:
    close = difflib.get_close_matches(lower(name), {lower(each): each for each in names}, 1)
    if close:
        return f"Did you mean '{next(each for each in names if lower(each) == close[0])}'?"
    return f"{listing}: {', '.join(names[:_MOST_NAMES])}{', …' if len(names) > _MOST_NAMES else ''}."
