"""From a strategy to the jobs it means: every combination of the axes, less `exclude`, with `include`."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from holdfast.agents.workflow.checking import template_of
from holdfast.agents.workflow.expressions import ExpressionError, Scope, Value, text_of
from holdfast.types import MAX_MATRIX_JOBS, Matrix, WorkflowStrategy

Combination = Mapping[str, Value]


def combinations(strategy: WorkflowStrategy, scope: Scope) -> list[Combination]:
    """The combinations, in the order of the document; one without anything when there is no matrix.

    Raises ExpressionError.
    """
    if strategy.matrix is None:
        return [{}]
    wanted = resolved(_plain(strategy.matrix), scope)
    if not isinstance(wanted, Mapping):
        raise ExpressionError("the matrix is no mapping")
    axes = {name: _values(name, value) for name, value in wanted.items() if name not in ("include", "exclude")}
    count = 1
    for values in axes.values():
        count *= len(values)
        _check_count(count)
    made: list[Combination] = (
        [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    )
    excluded = _mappings("exclude", wanted.get("exclude"))
    made = [each for each in made if not any(_covers(each, one) for one in excluded)]
    made = _included(made, axes, _mappings("include", wanted.get("include")))
    _check_count(len(made))
    return made


def _plain(matrix: Matrix | str) -> Value:
    return matrix if isinstance(matrix, str) else matrix.model_dump()


def resolved(value: Value, scope: Scope) -> Value:
    """The value with every text in it evaluated. Raises ExpressionError."""
    if isinstance(value, str):
        return template_of(value).value(scope)
    if isinstance(value, Mapping):
        return {name: resolved(each, scope) for name, each in value.items()}
    return [resolved(each, scope) for each in value] if isinstance(value, list | tuple) else value


def _values(name: str, value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise ExpressionError(f"'{name[:60]}' of the matrix is no list")
    return value


def _mappings(name: str, value: Value) -> list[Combination]:
    found = value or []
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise ExpressionError(f"'{name}' of the matrix is no list of mappings")
    return found


def _check_count(count: int) -> None:
    if count > MAX_MATRIX_JOBS:
        raise ExpressionError(f"the matrix means more than {MAX_MATRIX_JOBS} jobs")


def _covers(combination: Combination, part: Combination) -> bool:
    return all(name in combination and _same(combination[name], value) for name, value in part.items())


def _same(one: Value, other: Value) -> bool:
    return (type(one) is type(other) and bool(one == other)) or (_is_number(one) and _is_number(other) and one == other)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _included(made: list[Combination], axes: Mapping[str, Any], included: list[Combination]) -> list[Combination]:
    """Each is added to all whose axes it does not contradict, else it is a job of its own."""
    grown: list[dict[str, Value]] = [dict(each) for each in made]
    alone: list[Combination] = []
    for one in included:
        on_axes = {name: value for name, value in one.items() if name in axes}
        fits = [
            now
            for now, before in zip(grown, made, strict=True)
            if all(_same(before[name], value) for name, value in on_axes.items())
        ]
        for each in fits:
            each.update(one)
        if not fits:
            alone.append(one)
    return [*grown, *alone]


def title(name: str, combination: Combination) -> str:
    """What a job is called among those of its matrix."""
    told = [text_of(value) for value in combination.values() if not isinstance(value, Mapping | list)]
    return f"{name} ({', '.join(told)})" if told else name
