"""The values of expressions, and how one becomes another: the coercions of GitHub Actions."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""None, a bool, a number, a string, or a list or mapping of values."""

MAX_TEXT = 1 << 20
"""How many characters a value may have: a few functions in one another could make it as large as they like."""

_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_OTHER_BASES = ((re.compile(r"0x[0-9a-fA-F]+"), 16), (re.compile(r"0o[0-7]+"), 8))
_WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "+Infinity": math.inf}
_INTEGER_DIGITS = 1e15


class ExpressionError(ValueError):
    """An expression is malformed, or cannot be evaluated; the sentence says why."""


class Filtered(list[Value]):
    """What `*` made: the next index is asked of every element."""


def number_of(value: Value) -> float:
    """What a value is as a number; NaN for what is none."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    return parse_number(value) if isinstance(value, str) else math.nan


def parse_number(text: str) -> float:
    """A decimal, hexadecimal or octal number; the empty text is 0, anything else NaN."""
    text = text.strip()
    if not text:
        return 0.0
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return float(text)
    for pattern, base in _OTHER_BASES:
        if pattern.fullmatch(text):
            # Beyond this it is infinite as a number, and slow to read.
            return float(int(text[2:], base)) if len(text) < 250 else math.inf
    return math.nan


def text_of(value: Value) -> str:
    """What a value is as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(float(value))
    if isinstance(value, str):
        return value
    return "Object" if isinstance(value, Mapping) else "Array"


def _number_text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number.is_integer() and abs(number) < _INTEGER_DIGITS:
        return str(int(number))
    return f"{number:.15g}".upper()


def is_true(value: Value) -> bool:
    """Everything is, but false, 0, NaN, the empty text and null."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return isinstance(value, list | Mapping) or bool(value)


def fold(text: str) -> str:
    """Text without its case, each character for itself."""
    if text.isascii():
        return text.upper()
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in text)


def equal(left: Value, right: Value) -> bool:
    """Texts without case; unlike kinds as numbers; lists and mappings only if they are the same one."""
    if _kind(left) != _kind(right):
        return number_of(left) == number_of(right)
    if isinstance(left, str):
        return fold(left) == fold(right)
    if isinstance(left, list | Mapping):
        return left is right
    return bool(left == right)


def greater(left: Value, right: Value) -> bool:
    """Texts by their characters without case, everything else as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return fold(left) > fold(right)
    return number_of(left) > number_of(right)


def _kind(value: Value) -> type:
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return list if isinstance(value, list) else dict if isinstance(value, Mapping) else type(value)


def to_json(value: Value) -> str:
    """A value as indented JSON."""
    try:
        return bounded(json.dumps(_plain(value), indent=2, ensure_ascii=False))
    except RecursionError:
        raise ExpressionError("the value is nested too deeply for toJSON") from None


def from_json(text: str) -> Value:
    """The value that JSON means."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ExpressionError(f"fromJSON was given what is no JSON: {shortened(text)!r}") from None


def _plain(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _number_text(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def bounded(text: str) -> str:
    """The text, if it is not too large to go on with."""
    check_size(len(text))
    return text


def check_size(characters: int) -> None:
    """Raises ExpressionError for more than a value may have."""
    if characters > MAX_TEXT:
        raise ExpressionError(f"a value is longer than {MAX_TEXT:,} characters")


def shortened(text: str) -> str:
    """Enough of a text to know it by."""
    return text if len(text) <= 60 else f"{text[:57]}..."
