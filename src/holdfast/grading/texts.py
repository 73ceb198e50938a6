"""Whether what a program wrote is what a test expects."""

import math
from collections.abc import Callable, Mapping

from holdfast.types import Comparator


def same_text(written: str, expected: str, comparator: Comparator, tolerance: float) -> bool:
    """Compare the way a test asks for."""
    return _COMPARE[comparator](written, expected, tolerance)


def has_line(written: str, expected: str) -> bool:
    """Whether some line, without the blanks around it, is the expected one."""
    return any(line.strip() == expected.strip() for line in written.splitlines())


def _trimmed(text: str) -> list[str]:
    """The lines without blanks at their ends, and without empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n").split("\n")


def _same_number(one: str, other: str, tolerance: float) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=tolerance, abs_tol=tolerance)
    except ValueError:
        return False


def _same_tokens(written: str, expected: str, tolerance: float) -> bool:
    ours, theirs = written.split(), expected.split()
    return len(ours) == len(theirs) and all(
        one == other or _same_number(one, other, tolerance) for one, other in zip(ours, theirs, strict=True)
    )


_COMPARE: Mapping[Comparator, Callable[[str, str, float], bool]] = {
    Comparator.EXACT: lambda written, expected, _: written == expected,
    Comparator.STRIPPED: lambda written, expected, _: written.strip() == expected.strip(),
    Comparator.TRIMMED: lambda written, expected, _: _trimmed(written) == _trimmed(expected),
    Comparator.TOKENS: lambda written, expected, _: written.split() == expected.split(),
    Comparator.FLOAT: _same_tokens,
}
