"""What a question was found to ask, before it is a plan; and what is said when it was not."""

from dataclasses import dataclass, field
from typing import Any

from holdfast.types import Aggregate, Bucket, Operator


class NotSure(Exception):
    """The question is not understood, or not all of it; `str` is a sentence that says what is missing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to read a question: what it is called, and the words that choose it."""

    label: str
    table: str
    column: str = ""


class Unclear(Exception):
    """The question may mean one of several things; `word` is what is unclear in it."""

    def __init__(self, word: str, choices: list[Choice]) -> None:
        super().__init__(word)
        self.word = word
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Measure:
    """What is computed; the column `*` counts rows."""

    func: Aggregate
    table: str
    column: str = "*"


@dataclass(frozen=True, slots=True)
class Group:
    """By what it is computed."""

    table: str
    column: str
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """What the rows have to be."""

    table: str
    column: str
    op: Operator
    value: Any = None


@dataclass(frozen=True, slots=True)
class Order:
    """By what rows are listed."""

    table: str
    column: str
    direction: str


@dataclass(slots=True)
class Findings:
    """All of it. `rank` orders the groups by the first measure; `listed` are columns, where rows are asked for."""

    base: str = ""
    measures: list[Measure] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rank: str | None = None
    limit: int | None = None
    listed: list[str] = field(default_factory=list)
    distinct: bool = False
    order: Order | None = None

    def columns(self) -> set[tuple[str, str]]:
        """Those that have a part in the answer."""
        used = {(each.table, each.column) for each in self.measures if each.column != "*"}
        used |= {(each.table, each.column) for each in self.tests} | {(each.table, each.column) for each in self.groups}
        return used | ({(self.order.table, self.order.column)} if self.order else set())
