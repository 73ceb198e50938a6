"""The functions every expression may use; those about the state of a job are given by who evaluates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from holdfast.agents.workflow.expressions.values import (
    ExpressionError,
    Value,
    bounded,
    check_size,
    equal,
    fold,
    from_json,
    text_of,
    to_json,
)


@dataclass(frozen=True, slots=True)
class Signature:
    """How many arguments a function takes."""

    least: int
    most: int


SIGNATURES = {
    "contains": Signature(2, 2),
    "startswith": Signature(2, 2),
    "endswith": Signature(2, 2),
    "format": Signature(1, 255),
    "join": Signature(1, 2),
    "tojson": Signature(1, 1),
    "fromjson": Signature(1, 1),
    "hashfiles": Signature(1, 255),
    "success": Signature(0, 0),
    "failure": Signature(0, 0),
    "always": Signature(0, 0),
    "cancelled": Signature(0, 0),
}
STATUS_FUNCTIONS = frozenset({"success", "failure", "always", "cancelled"})
_PIECES = re.compile(r"\{\{|\}\}|\{(\d{1,4})\}|[{}]")


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(equal(each, what) for each in where)
    if isinstance(where, Mapping) or isinstance(what, list | Mapping):
        return False
    return fold(text_of(what)) in fold(text_of(where))


def _starts_with(text: Value, start: Value) -> bool:
    return _are_simple(text, start) and fold(text_of(text)).startswith(fold(text_of(start)))


def _ends_with(text: Value, end: Value) -> bool:
    return _are_simple(text, end) and fold(text_of(text)).endswith(fold(text_of(end)))


def _are_simple(*values: Value) -> bool:
    return not any(isinstance(value, list | Mapping) for value in values)


def _format(pattern: Value, *values: Value) -> str:
    pieces, at, size = [], 0, 0
    text = text_of(pattern)
    for match in _PIECES.finditer(text):
        pieces += [text[at : match.start()], _piece(match, values)]
        at = match.end()
        size += len(pieces[-1]) + len(pieces[-2])
        check_size(size)
    return bounded("".join([*pieces, text[at:]]))


def _piece(match: re.Match[str], values: tuple[Value, ...]) -> str:
    if match[0] in ("{{", "}}"):
        return match[0][0]
    if match[1] is None:
        raise ExpressionError("the first argument of format has a single '{' or '}'; write '{{' or '}}' for one")
    if int(match[1]) >= len(values):
        raise ExpressionError(f"format was given no argument for {match[0]}")
    return text_of(values[int(match[1])])


def _join(values: Value, separator: Value = ",") -> str:
    if not isinstance(values, list):
        return "" if isinstance(values, Mapping) else text_of(values)
    between = text_of(separator) if _are_simple(separator) else ","
    check_size(len(between) * max(0, len(values) - 1))
    return bounded(between.join(text_of(value) for value in values))


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "contains": _contains,
    "startswith": _starts_with,
    "endswith": _ends_with,
    "format": _format,
    "join": _join,
    "tojson": to_json,
    "fromjson": lambda text: from_json(text_of(text)),
}
