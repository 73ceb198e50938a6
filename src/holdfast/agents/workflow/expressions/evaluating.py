"""From a tree and what is known to a value, and what a tree may speak of where it stands."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from holdfast.agents.workflow.expressions.functions import FUNCTIONS, SIGNATURES
from holdfast.agents.workflow.expressions.syntax import Binary, Call, Index, Literal, Name, Node, Not
from holdfast.agents.workflow.expressions.values import (
    ExpressionError,
    Filtered,
    Value,
    equal,
    fold,
    greater,
    is_true,
    number_of,
    text_of,
)

_MAX_PARTS = 100_000
SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known: contexts by name, and the functions that depend on where the expression stands."""

    contexts: Mapping[str, Value]
    functions: Mapping[str, Callable[..., Value]] = field(default_factory=dict)


def evaluate(node: Node, scope: Scope) -> Value:
    """The value of a tree. Raises ExpressionError."""
    match node:
        case Literal(value):
            return value
        case Name(name):
            return scope.contexts.get(name)
        case Not(of):
            return not is_true(evaluate(of, scope))
        case Index(of, key):
            whole = evaluate(of, scope)
            return _all_parts(whole) if key is None else _part(whole, evaluate(key, scope))
        case Call(name, arguments):
            function = scope.functions.get(name) or FUNCTIONS[name]
            return function(*(evaluate(each, scope) for each in arguments))
        case Binary(operator, left, right):
            return _binary(operator, left, right, scope)


def _binary(operator: str, left: Node, right: Node, scope: Scope) -> Value:
    first = evaluate(left, scope)
    if operator in ("&&", "||"):
        return evaluate(right, scope) if is_true(first) == (operator == "&&") else first
    return _COMPARISONS[operator](first, evaluate(right, scope))


_COMPARISONS: Mapping[str, Callable[[Value, Value], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    ">": greater,
    "<": lambda left, right: greater(right, left),
    ">=": lambda left, right: equal(left, right) or greater(left, right),
    "<=": lambda left, right: equal(left, right) or greater(right, left),
}


def _part(whole: Value, key: Value) -> Value:
    if isinstance(whole, Filtered):
        return Filtered(_found(whole, key))
    return next(_found([whole], key), None)


def _found(wholes: list[Value], key: Value) -> Iterator[Value]:
    """The part of each that has it."""
    for whole in wholes:
        if isinstance(whole, Mapping) and not isinstance(key, list | Mapping):
            yield from _named(whole, text_of(key))
        elif isinstance(whole, list):
            number = number_of(key)
            if not math.isnan(number) and 0 <= number < len(whole):
                yield whole[int(number)]


def _named(whole: Mapping[str, Value], name: str) -> Iterator[Value]:
    """The entry of this name; of two that differ in case alone the one that is written so."""
    if name in whole:
        yield whole[name]
        return
    folded = fold(name)
    yield from [value for known, value in whole.items() if fold(known) == folded][:1]


def _all_parts(whole: Value) -> Filtered:
    wholes = whole if isinstance(whole, Filtered) else [whole]
    found = Filtered()
    for each in wholes:
        parts = each.values() if isinstance(each, Mapping) else each if isinstance(each, list) else ()
        found.extend(parts)
        if len(found) > _MAX_PARTS:
            raise ExpressionError(f"'*' found more than {_MAX_PARTS:,} values")
    return found


def check(node: Node, contexts: frozenset[str], functions: frozenset[str]) -> None:
    """Raises ExpressionError for what an expression may not speak of in its place."""
    match node:
        case Name(name):
            _check_name(name, contexts)
        case Call(name, arguments):
            _check_call(name, len(arguments), functions)
        case Index(Name(name), Literal(str())) if name == SECRETS and SECRETS in contexts:
            return
        case _:
            pass
    for child in children(node):
        check(child, contexts, functions)


def _check_name(name: str, contexts: frozenset[str]) -> None:
    if name not in contexts:
        raise ExpressionError(f"there is no '{name[:60]}' here; there are {', '.join(sorted(contexts)) or 'none'}")
    if name == SECRETS:
        raise ExpressionError("a secret is given only to who names it; write secrets.NAME")


def _check_call(name: str, given: int, functions: frozenset[str]) -> None:
    signature = SIGNATURES.get(name)
    if signature is None or (name not in FUNCTIONS and name not in functions):
        known = ", ".join(sorted({*FUNCTIONS, *functions}))
        raise ExpressionError(f"there is no function '{name[:60]}' here; there are {known}")
    if not signature.least <= given <= signature.most:
        wanted = str(signature.least) if signature.least == signature.most else f"at least {signature.least}"
        raise ExpressionError(f"'{name}' takes {wanted} arguments, not {given}")


def children(node: Node) -> tuple[Node, ...]:
    """The trees directly in a tree."""
    match node:
        case Not(of):
            return (of,)
        case Index(of, key):
            return (of,) if key is None else (of, key)
        case Call(_, arguments):
            return arguments
        case Binary(_, left, right):
            return (left, right)
        case _:
            return ()


def speaks_of(node: Node, functions: frozenset[str]) -> bool:
    """Whether one of these functions is called anywhere in it."""
    if isinstance(node, Call) and node.name in functions:
        return True
    return any(speaks_of(child, functions) for child in children(node))


def secrets_named(node: Node) -> Iterator[str]:
    """The names of the secrets it speaks of."""
    if isinstance(node, Index) and node.of == Name(SECRETS) and isinstance(node.key, Literal):
        yield text_of(node.key.value)
    for child in children(node):
        yield from secrets_named(child)
