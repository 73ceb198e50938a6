"""Text with expressions in it: `${{ }}`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.agents.workflow.expressions.evaluating import Scope, check, evaluate, secrets_named
from holdfast.agents.workflow.expressions.syntax import Node, parse
from holdfast.agents.workflow.expressions.values import ExpressionError, Value, bounded, check_size, text_of

OPEN, CLOSE = "${{", "}}"
_INSIDE = re.compile(r"(?:'(?:[^']|'')*'|[^'}]|\}(?!\}))*")


@dataclass(frozen=True, slots=True)
class Template:
    """Pieces of text and trees, in their order."""

    pieces: tuple[str | Node, ...]

    @property
    def expressions(self) -> Iterator[Node]:
        """The trees in it."""
        return (piece for piece in self.pieces if not isinstance(piece, str))

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets it speaks of."""
        return frozenset(name for node in self.expressions for name in secrets_named(node))

    def check(self, contexts: frozenset[str], functions: frozenset[str]) -> None:
        """Raises ExpressionError for what may not be spoken of in this place."""
        for node in self.expressions:
            check(node, contexts, functions)

    def value(self, scope: Scope) -> Value:
        """A value of any kind if it is nothing but one expression, else text."""
        if len(self.pieces) == 1 and not isinstance(self.pieces[0], str):
            return evaluate(self.pieces[0], scope)
        return self.text(scope)

    def text(self, scope: Scope) -> str:
        """The text with the values in their places."""
        found, size = [], 0
        for piece in self.pieces:
            found.append(piece if isinstance(piece, str) else text_of(evaluate(piece, scope)))
            size += len(found[-1])
            check_size(size)
        return bounded("".join(found))


def template(text: str) -> Template:
    """Text in pieces. Raises ExpressionError."""
    return Template(tuple(_pieces(text)))


def _pieces(text: str) -> Iterator[str | Node]:
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        if start > at:
            yield text[at:start]
        match = _INSIDE.match(text, start + len(OPEN))
        end = match.end() if match else start
        if not text.startswith(CLOSE, end):
            raise ExpressionError(f"'{OPEN}' is not closed with '{CLOSE}'")
        yield parse(text[start + len(OPEN) : end])
        at = end + len(CLOSE)
    if at < len(text):
        yield text[at:]
