"""The joins of a plan: each along a relationship that the dataset declares."""

from dataclasses import dataclass

from holdfast.data.columns import find_table, quoted, wrong
from holdfast.data.policy.lists import lower
from holdfast.types import Dataset, DatasetTable, Join, QueryPlan, Relationship


@dataclass(frozen=True, slots=True)
class Joined:
    """A table that is joined, and on what."""

    table: DatasetTable
    sql: str
    condition: str


@dataclass(frozen=True, slots=True)
class _Link:
    """A relationship as the joined table sees it."""

    column: str
    other: str
    other_column: str


def joined(plan: QueryPlan, dataset: Dataset, first: DatasetTable) -> list[Joined]:
    """Raises InvalidFieldError."""
    known, found = [first.name], []
    for index, join in enumerate(plan.joins):
        path = f"joins[{index}]"
        table = find_table(dataset, join.table, f"{path}.table")
        if table.name in known:
            wrong(f"{path}.table", f"'{table.name}' is in the plan already.")
        link = _the_one(dataset, join, table.name, known, path)
        here = f"{quoted(table.name)}.{quoted(link.column)}"
        condition = f"{quoted(link.other)}.{quoted(link.other_column)} = {here}"
        found.append(Joined(table, join.type.upper(), condition))
        known.append(table.name)
    return found


def _the_one(dataset: Dataset, join: Join, table: str, known: list[str], path: str) -> _Link:
    links = dict.fromkeys(link for each in dataset.relationships for link in _seen_from(table, each))
    possible = [link for link in links if link.other in known and _is_meant(link, join)]
    if not possible:
        others = ", ".join(f"'{name}'" for name in known)
        wrong(f"{path}.table", f"no such relationship of '{table}' with {others} is declared.")
    if len(possible) > 1:
        choices = " or ".join(f"'{link.other}', '{link.other_column}' and '{link.column}'" for link in possible)
        wrong(path, f"'{table}' can be joined in several ways; give 'to', 'to_column' and 'column': {choices}.")
    return possible[0]


def _seen_from(table: str, each: Relationship) -> list[_Link]:
    links = []
    if lower(each.from_table) == lower(table):
        links.append(_Link(each.from_column, each.to_table, each.to_column))
    if lower(each.to_table) == lower(table):
        links.append(_Link(each.to_column, each.from_table, each.from_column))
    return links


def _is_meant(link: _Link, join: Join) -> bool:
    wanted = ((join.to, link.other), (join.to_column, link.other_column), (join.column, link.column))
    return all(name is None or lower(name) == lower(given) for name, given in wanted)
