"""Which tables a question about one table can use: those of which each of its rows has at most one row."""

from collections.abc import Sequence

from holdfast.agents.simple.findings import NotSure
from holdfast.agents.simple.vocabulary import Meaning, Vocabulary
from holdfast.types import Join


class Reach:
    """What can be joined to a table without counting a row twice."""

    def __init__(self, vocabulary: Vocabulary, base: str) -> None:
        self.base = base
        self.joins: dict[str, list[Join]] = {base: []}
        waiting = [base]
        while waiting:
            table = waiting.pop(0)
            for link in vocabulary.dataset.relationships:
                new = link.from_table == table and link.to_table not in self.joins
                if new and vocabulary.is_unique(link.to_table, link.to_column):
                    join = Join(
                        table=link.to_table,
                        type="left",
                        to=table,
                        to_column=link.from_column,
                        column=link.to_column,
                    )
                    self.joins[link.to_table] = [*self.joins[table], join]
                    waiting.append(link.to_table)

    @property
    def tables(self) -> set[str]:
        """All of them, the base as well."""
        return set(self.joins)

    def within(self, meanings: Sequence[Meaning], word: str) -> list[Meaning]:
        """Those that can be used. Raises NotSure when there are none."""
        found = [each for each in meanings if each.table in self.joins]
        if not found:
            raise NotSure(f"'{word}' is in no table that can be joined to '{self.base}' row by row.")
        return found
