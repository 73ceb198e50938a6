"""Values that a program described, and whether they equal what a test expects.

What arrives was written inside the sandbox by whoever was there, so it is taken apart with care; a description that is
malformed is no value at all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.types import BUILT_IN_TYPES

MAX_SHOWN_CHARACTERS = 2_000
MAX_DEPTH = 80
MAX_UNORDERED = 1_000
"""Sets with fractions in them are compared member by member, so only up to this size. What has parts is no member of
a set, at least not as JSON can say it."""

SEQUENCES = ("list", "tuple", "set", "frozenset")
_OPAQUE = BUILT_IN_TYPES - {"bool", "int", "float", "complex", "str", "bytes", "dict", *SEQUENCES}
_SCALARS = (bool, int, float, str, type(None))
_BRACKETS = {"list": ("[", "]"), "tuple": ("(", ")"), "set": ("{", "}"), "dict": ("{", "}")}


@dataclass(frozen=True, slots=True)
class Seen:
    """A value as it was described. `kind` is an exact built-in type, or empty for any other, which `name` tells.

    `value` is a Python value for scalars, a tuple of `Seen` for sequences, of pairs for dictionaries, and nothing when
    it was too large to describe (`cut`).
    """

    kind: str
    name: str
    value: Any = None
    length: int | None = None
    cut: bool = False


def decode(tree: Any, depth: int = 0) -> Seen:
    """The value a description means. Raises ValueError."""
    match tree:
        case [str(kind), *rest] if depth <= MAX_DEPTH:
            return _decoders(kind)(kind, rest, depth)
        case _:
            raise ValueError("not a description")


def printable(text: str) -> str:
    """The text without halves of surrogate pairs, which no answer of ours can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def text_of(digits: Any) -> str:
    """The text that was sent as hexadecimal digits. Raises ValueError."""
    if not isinstance(digits, str):
        raise ValueError("not hexadecimal digits")
    return bytes.fromhex(digits).decode("utf-8", "surrogatepass")


def _decoders(kind: str) -> Callable[[str, list[Any], int], Seen]:
    if kind in SEQUENCES:
        return _sequence
    return _dictionary if kind == "dict" else _scalar


def _scalar(kind: str, rest: list[Any], depth: int) -> Seen:
    if kind in _OPAQUE and not rest:
        return Seen(kind, kind)
    if rest == [None] and kind in ("int", "str", "bytes"):
        return Seen(kind, kind, cut=True)
    texts = [str(part) for part in rest]
    if kind == "" and len(texts) == 1:
        return Seen("", text_of(texts[0]))
    read = _READ.get(kind)
    if read is None or len(texts) != (2 if kind == "complex" else 1):
        raise ValueError("not a description")
    return Seen(kind, kind, read(*texts))


_READ: Mapping[str, Callable[..., Any]] = {
    "bool": lambda digit: digit == "1",
    "int": lambda text: int(text, 16),
    "float": float.fromhex,
    "complex": lambda real, imaginary: complex(float.fromhex(real), float.fromhex(imaginary)),
    "str": text_of,
    "bytes": bytes.fromhex,
}


def _sequence(kind: str, rest: list[Any], depth: int) -> Seen:
    match rest:
        case [int(length), None]:
            return Seen(kind, kind, length=length, cut=True)
        case [int(length), list(items)] if len(items) == length:
            return Seen(kind, kind, tuple(decode(item, depth + 1) for item in items), length)
        case _:
            raise ValueError("not a sequence")


def _dictionary(kind: str, rest: list[Any], depth: int) -> Seen:
    match rest:
        case [int(length), None]:
            return Seen(kind, kind, length=length, cut=True)
        case [int(length), list(parts)] if len(parts) == 2 * length:
            seen = [decode(part, depth + 1) for part in parts]
            return Seen(kind, kind, tuple(zip(seen[::2], seen[1::2], strict=True)), length)
        case _:
            raise ValueError("not a dictionary")


def is_whole(seen: Seen) -> bool:
    """Whether nothing of it was too large to describe."""
    if seen.cut:
        return False
    parts = seen.value if isinstance(seen.value, tuple) else ()
    return all(is_whole(part) for item in parts for part in (item if isinstance(item, tuple) else (item,)))


def equals(seen: Seen, expected: Any, tolerance: float, kind: str | None = None) -> bool:
    """Whether a value is the expected one: by value, with types respected.

    JSON has one kind of number, so 5 is 5 and 5.0, but never True and never "5". It has one kind of sequence, which is
    a list, unless `kind` says what it stands for.
    """
    if kind is not None and seen.kind != kind:
        return False
    if isinstance(expected, list):
        return _same_items(seen, expected, tolerance, kind or "list")
    if isinstance(expected, dict):
        return seen.kind == "dict" and _same_entries(seen, expected, tolerance)
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return seen.kind in ("int", "float") and not seen.cut and _close(seen.value, expected, tolerance)
    return seen.kind == type(expected).__name__ and not seen.cut and bool(seen.value == expected)


def _close(number: int | float, expected: int | float, tolerance: float) -> bool:
    if isinstance(number, int) and isinstance(expected, int):
        return number == expected
    try:
        return math.isclose(number, expected, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def _same_items(seen: Seen, expected: list[Any], tolerance: float, kind: str) -> bool:
    if seen.kind != kind or seen.cut or len(seen.value) != len(expected):
        return False
    if kind in ("list", "tuple"):
        return all(equals(one, other, tolerance) for one, other in zip(seen.value, expected, strict=True))
    return _same_members(seen.value, expected, tolerance)


def _same_members(seen: Sequence[Seen], expected: list[Any], tolerance: float) -> bool:
    """Sets have no order: every expected item is one member, and none is left."""
    if {_tagged(each.value) for each in seen} == {_tagged(item) for item in expected}:
        return True
    if len(expected) > MAX_UNORDERED or not all(isinstance(item, _SCALARS) for item in expected):
        return False
    left = list(seen)
    for item in expected:
        found = next((each for each in left if equals(each, item, tolerance)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _tagged(value: Any) -> tuple[str, Any]:
    """A member of a set so that Python's own equality is ours; what is equal to nothing is a mark of its own.

    A number becomes text, because anybody can find as many numbers with the same hash as they like.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", _digits(value)
    return type(value).__name__, value if isinstance(value, _SCALARS) else object()


def _digits(number: int | float) -> object:
    """The same text for numbers that are equal."""
    if isinstance(number, int) or number.is_integer():
        return hex(int(number))
    return object() if math.isnan(number) else number.hex()


def _same_entries(seen: Seen, expected: dict[str, Any], tolerance: float) -> bool:
    if seen.cut or len(seen.value) != len(expected):
        return False
    found = {key.value: value for key, value in seen.value if key.kind == "str" and not key.cut}
    return all(key in found and equals(found[key], value, tolerance) for key, value in expected.items())


def show(seen: Seen) -> Any:
    """A value as a result tells it: as JSON where JSON can say it, else as text."""
    if seen.kind in ("bool", "str", "NoneType") and not seen.cut:
        return _shortened(printable(seen.value)) if isinstance(seen.value, str) else seen.value
    if seen.kind in ("int", "float") and _is_plain_number(seen):
        return seen.value
    if seen.kind == "list" and _is_plain_list(seen):
        return [show(item) for item in seen.value]
    return _shortened(printable(write(seen)))


def _is_plain_number(seen: Seen) -> bool:
    return not seen.cut and (abs(seen.value) < 1 << 53 if seen.kind == "int" else math.isfinite(seen.value))


def _is_plain_list(seen: Seen) -> bool:
    """Whether it holds few scalars that JSON tells apart."""
    if seen.cut or len(seen.value) > 100:
        return False
    return (
        all(
            item.kind in ("bool", "NoneType", "str") or (item.kind in ("int", "float") and _is_plain_number(item))
            for item in seen.value
        )
        and len(write(seen)) <= MAX_SHOWN_CHARACTERS
    )


def write(seen: Seen) -> str:
    """A value as Python would write it, roughly and not much longer than is shown."""
    if seen.kind == "":
        return f"<{seen.name}>"
    if seen.cut:
        return f"<{seen.kind} of {seen.length} items>" if seen.length is not None else f"<large {seen.kind}>"
    if seen.kind == "int" and seen.value.bit_length() > 1 << 12:
        return "<large int>"
    if isinstance(seen.value, _SCALARS) and (seen.value is not None or seen.kind == "NoneType"):
        return repr(seen.value[: MAX_SHOWN_CHARACTERS + 1] if isinstance(seen.value, str) else seen.value)
    if seen.kind in SEQUENCES or seen.kind == "dict":
        return _written_items(seen)
    return f"<{seen.kind}>" if seen.value is None else repr(seen.value)


def _written_items(seen: Seen) -> str:
    parts, size = [], 0
    for item in seen.value:
        parts.append(f"{write(item[0])}: {write(item[1])}" if isinstance(item, tuple) else write(item))
        size += len(parts[-1])
        if size > MAX_SHOWN_CHARACTERS:
            break
    text = ", ".join(parts)
    if seen.kind not in _BRACKETS or (seen.kind == "set" and not parts):
        return f"{seen.kind}({{{text}}})" if parts else f"{seen.kind}()"
    opening, closing = _BRACKETS[seen.kind]
    return f"{opening}{text}{',' if seen.kind == 'tuple' and len(parts) == 1 else ''}{closing}"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
