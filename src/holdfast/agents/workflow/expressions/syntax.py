"""From the text of an expression to a tree: tokens, and a parser that descends by precedence."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.agents.workflow.expressions.values import ExpressionError, Value, parse_number, shortened

MAX_LENGTH = 21_000
MAX_DEPTH = 50
MAX_OPERATORS = 250
"""Of one level each makes the tree one deeper."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands for itself."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A context."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A part of a value; without `key` all parts (`*`)."""

    of: "Node"
    key: "Node | None"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and an operator between them."""

    operator: str
    left: "Node"
    right: "Node"


Node = Literal | Name | Index | Call | Not | Binary


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKENS = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>'(?:[^']|'')*')
      | (?P<operator>&&|\|\||==|!=|<=|>=|[<>!()\[\],*])
      | (?P<number>(?:[0-9]|[-+][0-9.I]|\.[0-9])[^\s()\[\],!<>=&|']*)
      | (?P<dot>\.)
      | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)""",
    re.VERBOSE,
)
_CONSTANTS: dict[str, Value] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
}
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))
"""Loosest first."""

_END = _Token("end", "", -1)


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH:,} characters")
    parser = _Parser(list(_tokens(text)))
    if parser.next.kind == "end":
        raise ExpressionError("the expression is empty")
    tree = parser.binary(0)
    if parser.next.kind != "end":
        raise parser.unexpected()
    return tree


def _tokens(text: str) -> Iterator[_Token]:
    position, last = 0, _END
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise ExpressionError(f"unexpected {shortened(text[position:])!r} at character {position + 1}")
        kind = match.lastgroup or ""
        if kind == "number" and match[0].startswith(".") and _can_be_asked(last):
            # What looks like a fraction is an index; no name begins with a digit, so the parser says so.
            match = re.compile(r"\.").match(text, position) or match
            kind = "dot"
        position = match.end()
        if kind != "space":
            last = _Token(kind, match[0], match.start())
            yield last


def _can_be_asked(token: _Token) -> bool:
    return token.kind == "word" or token.text in (")", "]", "*")


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._operators = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def unexpected(self) -> ExpressionError:
        if self.next.kind == "end":
            return ExpressionError("the expression ends too early")
        return ExpressionError(f"unexpected {shortened(self.next.text)!r} at character {self.next.position + 1}")

    def _take(self, *texts: str) -> str | None:
        if self.next.kind in ("operator", "dot") and self.next.text in texts:
            self._at += 1
            return self._tokens[self._at - 1].text
        return None

    def _expect(self, text: str) -> None:
        if self._take(text) is None:
            raise self.unexpected()

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while (operator := self._take(*_LEVELS[level])) is not None:
            self._operators += 1
            if self._operators > MAX_OPERATORS:
                raise ExpressionError(f"the expression has more than {MAX_OPERATORS} operators")
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested more than {MAX_DEPTH} deep")
        node = Not(self._unary()) if self._take("!") else self._postfix()
        self._depth -= 1
        return node

    def _postfix(self) -> Node:
        node, asked = self._primary(), 0
        while (opening := self._take(".", "[")) is not None:
            asked += 1
            if asked > MAX_DEPTH:
                raise ExpressionError(f"the expression asks for a part of a part more than {MAX_DEPTH} times")
            node = Index(node, self._property() if opening == "." else self._subscript())
        return node

    def _property(self) -> Node | None:
        if self._take("*"):
            return None
        if self.next.kind != "word":
            raise self.unexpected()
        self._at += 1
        return Literal(self._tokens[self._at - 1].text)

    def _subscript(self) -> Node | None:
        key = None if self._take("*") else self.binary(0)
        self._expect("]")
        return key

    def _primary(self) -> Node:
        if self._take("("):
            node = self.binary(0)
            self._expect(")")
            return node
        token = self.next
        if token.kind not in ("string", "number", "word"):
            raise self.unexpected()
        self._at += 1
        if token.kind == "string":
            return Literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "number":
            return Literal(_number(token))
        if self._take("("):
            return Call(token.text.lower(), self._arguments())
        return Literal(_CONSTANTS[token.text]) if token.text in _CONSTANTS else Name(token.text.lower())

    def _arguments(self) -> tuple[Node, ...]:
        if self._take(")"):
            return ()
        arguments = [self.binary(0)]
        while self._take(","):
            arguments.append(self.binary(0))
        self._expect(")")
        return tuple(arguments)


def _number(token: _Token) -> float:
    number = parse_number(token.text)
    if math.isnan(number):
        raise ExpressionError(f"{shortened(token.text)!r} at character {token.position + 1} is no number")
    return number
