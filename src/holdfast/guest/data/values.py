"""Values of DuckDB as JSON: with the type of its column, every value can be told from its JSON.

Each column is turned twice: an SQL expression makes DuckDB write as text what Python has no exact value for (a date
beyond the year 9999, an interval of months, nanoseconds), then a function makes of the Python value what JSON has.
Where there is nothing to turn, neither exists.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Turn = Callable[[Any], Any] | None

MOST_EXACT = 2**53 - 1
"""Integers beyond it are text: JavaScript, and many readers of JSON, would round them."""

AS_THEY_ARE = frozenset({"boolean", "tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "null"})
TEXTS = frozenset({"varchar"})
INTEGERS = frozenset({"bigint", "ubigint", "hugeint", "uhugeint"})
FLOATS = frozenset({"float", "double"})
LISTS = frozenset({"list", "array"})


def quoted(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def select(types: list[Any]) -> str | None:
    """The select list that turns columns of these types; None when all can stay as they are."""
    turned = [_expression(f"#{number}", kind, 0) for number, kind in enumerate(types, 1)]
    if all(expression == f"#{number}" for number, expression in enumerate(turned, 1)):
        return None
    return ", ".join(turned)


def _expression(value: str, kind: Any, depth: int) -> str:
    """`value`, an expression of this type, as one whose Python value is exact."""
    name = kind.id
    if name in AS_THEY_ARE or name in TEXTS or name in INTEGERS or name in FLOATS:
        return value
    if name == "blob":
        return f"base64({value})"
    if name == "variant":
        return f"CAST(CAST({value} AS JSON) AS VARCHAR)"
    nested = _NESTED.get(name)
    return f"CAST({value} AS VARCHAR)" if nested is None else nested(value, kind, depth)


def _list_expression(value: str, kind: Any, depth: int) -> str:
    item = f"item{depth}"
    turned = _expression(item, kind.children[0][1], depth + 1)
    return value if turned == item else f"list_transform({value}, lambda {item}: {turned})"


def _struct_expression(value: str, kind: Any, depth: int) -> str:
    members = [(name, f"struct_extract({value}, {literal(name)})", member) for name, member in kind.children]
    turned = [(name, was, _expression(was, member, depth)) for name, was, member in members]
    if all(was == now for _, was, now in turned):
        return value
    return _unless_null(value, "{" + ", ".join(f"{quoted(name)}: {now}" for name, _, now in turned) + "}")


def _tuple_expression(value: str, kind: Any, depth: int) -> str:
    members = [(f"struct_extract({value}, {number})", member) for number, (_, member) in enumerate(kind.children, 1)]
    turned = [(was, _expression(was, member, depth)) for was, member in members]
    if all(was == now for was, now in turned):
        return value
    return _unless_null(value, f"row({', '.join(now for _, now in turned)})")


def _map_expression(value: str, kind: Any, depth: int) -> str:
    item = f"item{depth}"
    (_, key), (_, held) = kind.children
    pair = [
        _expression(f"struct_extract({item}, {literal(part)})", member, depth + 1)
        for part, member in (("key", key), ("value", held))
    ]
    return f"list_transform(map_entries({value}), lambda {item}: row({', '.join(pair)}))"


def _union_expression(value: str, kind: Any, depth: int) -> str:
    members = [
        _expression(f"union_extract({value}, {literal(name)})", member, depth) for name, member in kind.children[1:]
    ]
    return _unless_null(value, f"row(CAST(union_tag({value}) AS VARCHAR), {', '.join(members)})")


def _unless_null(value: str, expression: str) -> str:
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {expression} END"


_NESTED = {
    "list": _list_expression,
    "array": _list_expression,
    "struct": _struct_expression,
    "tuple": _tuple_expression,
    "map": _map_expression,
    "union": _union_expression,
}


def turn(kind: Any) -> Turn:
    """What makes JSON of the Python values of a column of this type, `select`ed as above; None for nothing."""
    name = kind.id
    if name in INTEGERS:
        return whole
    if name in FLOATS:
        return number
    if name == "bignum":
        return _whole_text
    if name == "variant":
        return _json
    maker = _TURNS.get(name)
    return None if maker is None else maker(kind)


def whole(value: Any) -> Any:
    """An integer: a number as far as every reader has it exactly, else its digits."""
    if value is None or -MOST_EXACT <= value <= MOST_EXACT:
        return value
    return str(value)


def number(value: Any) -> Any:
    """A floating point number; what JSON has no number for is null."""
    return value if value is None or value - value == 0 else None


def _whole_text(value: Any) -> Any:
    return int(value) if value is not None and len(value) <= len(str(MOST_EXACT)) - 1 else value


def _json(value: Any) -> Any:
    return None if value is None else json.loads(value)


def _list_turn(kind: Any) -> Turn:
    each = turn(kind.children[0][1])
    if each is None:
        return None
    return lambda value: None if value is None else [each(item) for item in value]


def _struct_turn(kind: Any) -> Turn:
    turns = {name: made for name, member in kind.children if (made := turn(member)) is not None}
    if not turns:
        return None
    return lambda value: None if value is None else _with(value, turns)


def _with(value: dict[str, Any], turns: dict[str, Any]) -> dict[str, Any]:
    return {name: turns[name](item) if name in turns else item for name, item in value.items()}


def _tuple_turn(kind: Any) -> Turn:
    turns = [turn(member) for _, member in kind.children]
    return lambda value: None if value is None else _each(value, turns)


def _map_turn(kind: Any) -> Turn:
    turns = [turn(member) for _, member in kind.children]
    return lambda value: None if value is None else [_each(pair, turns) for pair in value]


def _each(values: Any, turns: list[Turn]) -> list[Any]:
    return [item if made is None else made(item) for item, made in zip(values, turns, strict=True)]


def _union_turn(kind: Any) -> Turn:
    names = [name for name, _ in kind.children[1:]]
    turns = [turn(member) for _, member in kind.children[1:]]

    def tagged(value: Any) -> Any:
        if value is None:
            return None
        place = names.index(value[0])
        made, item = turns[place], value[1 + place]
        return {value[0]: item if made is None else made(item)}

    return tagged


_TURNS: dict[str, Callable[[Any], Turn]] = {
    "list": _list_turn,
    "array": _list_turn,
    "struct": _struct_turn,
    "tuple": _tuple_turn,
    "map": _map_turn,
    "union": _union_turn,
}
