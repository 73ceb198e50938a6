"""From what a question asks to a plan, and to a sentence that says how it was read."""

from dataclasses import dataclass
from typing import Any

from holdfast.agents.profiles import Profile
from holdfast.agents.simple.findings import Choice, Findings, Group, Measure, Test
from holdfast.agents.simple.reach import Reach
from holdfast.agents.simple.reading import Reader
from holdfast.agents.simple.vocabulary import Vocabulary
from holdfast.types import Aggregate, Dataset, Operator

MOST_GROUPS = 1000
_SAID = {
    Aggregate.COUNT: "the number of rows",
    Aggregate.COUNT_DISTINCT: "the number of different values of",
    Aggregate.SUM: "the sum of",
    Aggregate.AVG: "the average of",
    Aggregate.MEDIAN: "the median of",
    Aggregate.MIN: "the lowest",
    Aggregate.MAX: "the highest",
}
_CALLED = {
    Aggregate.COUNT_DISTINCT: "different",
    Aggregate.SUM: "total",
    Aggregate.AVG: "average",
    Aggregate.MEDIAN: "median",
    Aggregate.MIN: "lowest",
    Aggregate.MAX: "highest",
}
_TESTS = {
    Operator.EQUAL: "is",
    Operator.NOT_EQUAL: "is not",
    Operator.NOT_IN: "is none of",
    Operator.LESS: "is below",
    Operator.LESS_OR_EQUAL: "is at most",
    Operator.GREATER: "is above",
    Operator.GREATER_OR_EQUAL: "is at least",
    Operator.IN: "is one of",
    Operator.BETWEEN: "is between",
    Operator.IS_NULL: "is empty",
    Operator.IS_NOT_NULL: "is not empty",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and how the question was read."""

    plan: dict[str, Any]
    explanation: str


def plan_question(
    question: str, dataset: Dataset, profile: Profile, chosen: dict[str, Choice] | None = None
) -> Planned:
    """What a simple question asks. Raises NotSure, Unclear."""
    vocabulary = Vocabulary(dataset, profile)
    found = Reader(question, vocabulary, chosen or {}).read()
    return Planned(_Plan(found, vocabulary).written(), explained(found))


class _Plan:
    def __init__(self, found: Findings, vocabulary: Vocabulary) -> None:
        self._found = found
        reach = Reach(vocabulary, found.base)
        used = [*(each.table for each in found.groups), *(each.table for each in found.tests)]
        joins = [join for table in used for join in reach.joins[table]]
        self._joins = list({join.table: join for join in joins}.values())
        self._dataset = vocabulary.dataset

    def written(self) -> dict[str, Any]:
        """The plan as JSON."""
        found = self._found
        if found.listed:
            return self._rows()
        groups = self._groups()
        measures = {self._alias(measure, groups): measure for measure in found.measures}
        selected: list[dict[str, Any]] = [
            {
                "func": each.func,
                "column": "*" if each.column == "*" else self._name(each.table, each.column),
                "alias": alias,
            }
            for alias, each in measures.items()
        ]
        plan: dict[str, Any] = {
            "dataset_id": self._dataset.id,
            "table": found.base,
            "joins": [join.model_dump(exclude_none=True) for join in self._joins],
            "select": [*groups.values(), *selected],
            "filters": [self._test(test) for test in found.tests],
            "group_by": list(groups),
            "order_by": self._order(list(groups), next(iter(measures))),
            "limit": found.limit or MOST_GROUPS,
            **({"with_ties": True} if found.rank else {}),
        }
        return {name: value for name, value in plan.items() if value != []}

    def _rows(self) -> dict[str, Any]:
        """Rows as they are: what tells them apart, what they were chosen by, and what they are ordered by."""
        found, order = self._found, self._found.order
        shown = [(found.base, name) for name in found.listed]
        if not found.distinct:
            shown += [(test.table, test.column) for test in found.tests]
            shown += [(order.table, order.column)] if order else []
        names = list(dict.fromkeys(self._name(*each) for each in shown))
        first = [{"expr": self._name(order.table, order.column), "direction": order.direction}] if order else []
        plan: dict[str, Any] = {
            "dataset_id": self._dataset.id,
            "table": found.base,
            "joins": [join.model_dump(exclude_none=True) for join in self._joins],
            "select": [{"column": name} for name in names],
            "distinct": found.distinct,
            "filters": [self._test(test) for test in found.tests],
            "order_by": [*first, *({"expr": name} for name in names if not first or name != first[0]["expr"])],
            "limit": found.limit or MOST_GROUPS,
            **({"with_ties": True} if order else {}),
        }
        return {name: value for name, value in plan.items() if value not in ([], False)}

    def _groups(self) -> dict[str, dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {}
        for group in self._found.groups:
            name = str(group.bucket) if group.bucket else group.column
            item: dict[str, Any] = {"column": self._name(group.table, group.column), "alias": name}
            groups[name] = {**item, "bucket": group.bucket} if group.bucket else item
        return groups

    def _alias(self, measure: Measure, groups: dict[str, Any]) -> str:
        name = "count" if measure.column == "*" else f"{_CALLED[measure.func]}_{measure.column}"
        return name if name not in groups else f"{name}_of_rows"

    def _name(self, table: str, column: str) -> str:
        return f"{table}.{column}" if self._joins else column

    def _test(self, test: Test) -> dict[str, Any]:
        condition = {"column": self._name(test.table, test.column), "op": test.op}
        return condition if test.value is None else {**condition, "value": test.value}

    def _order(self, groups: list[str], measure: str) -> list[dict[str, str]]:
        if not groups:
            return []
        by_groups = [{"expr": name} for name in groups]
        if self._found.rank:
            return [{"expr": measure, "direction": self._found.rank}, *by_groups]
        if any(group.bucket for group in self._found.groups):
            return by_groups
        return [{"expr": measure, "direction": "desc"}, *by_groups]


def explained(found: Findings) -> str:
    """How it was read, in words."""
    parts = [_listed(found) if found.listed else " and ".join(_measure(each) for each in found.measures)]
    if found.tests:
        parts.append("where " + " and ".join(_test(test) for test in found.tests))
    if found.groups:
        parts.append("by " + " and ".join(_group(group) for group in found.groups))
    if found.order:
        end = "highest" if found.order.direction == "desc" else "lowest"
        count = "the one" if found.limit == 1 else f"the {found.limit}"
        parts.append(f"{count} with the {end} {found.order.column}, and what is equal to it")
    elif found.listed:
        parts.append(f"{MOST_GROUPS:,} at most")
    if found.rank:
        end = "highest" if found.rank == "desc" else "lowest"
        parts.append(f"the {found.limit} {end}, and what is equal to the last of them")
    notes = f" ({'; '.join(dict.fromkeys(found.notes))})" if found.notes else ""
    return f"I read this as: {', '.join(parts)}{notes}."


def _listed(found: Findings) -> str:
    kind = "the different values of" if found.distinct else "the rows of"
    return f"{kind} {found.listed[0]} of {found.base}" if found.distinct else f"{kind} {found.base}"


def _measure(measure: Measure) -> str:
    if measure.column == "*":
        return f"{_SAID[measure.func]} of {measure.table}"
    return f"{_SAID[measure.func]} {measure.column} of {measure.table}"


def _test(test: Test) -> str:
    value = "" if test.value is None else f" {_value(test.value)}"
    return f"{test.column} {_TESTS[test.op]}{value}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _group(group: Group) -> str:
    return f"{group.bucket} of {group.column}" if group.bucket else group.column
