"""How what a program wrote is compared."""

import pytest

from holdfast.grading.texts import has_line, same_text
from holdfast.types import Comparator


@pytest.mark.parametrize(
    ("comparator", "written", "expected", "same"),
    [
        ("exact", "a\n", "a\n", True),
        ("exact", "a\n", "a", False),
        ("stripped", "\n a b \n", "a b", True),
        ("stripped", "a \nb", "a\nb", False),
        ("trimmed", "a  \nb\n\n", "a\nb", True),
        ("trimmed", "a\r\nb\r\n", "a\nb", True),
        ("trimmed", " a", "a", False),
        ("trimmed", "", "\n", True),
        ("tokens", "a\n  b\tc", "a b c", True),
        ("tokens", "a b", "ab", False),
        ("float", "x 0.30000000000000004", "x 0.3", True),
        ("float", "1e3", "1000.0", True),
        ("float", "0.31", "0.3", False),
        ("float", "1 2", "1", False),
        ("float", "nan", "0", False),
        ("float", "abc", "abd", False),
    ],
)
def test_each_comparator_ignores_what_it_says_and_no_more(
    comparator: str, written: str, expected: str, same: bool
) -> None:
    assert same_text(written, expected, Comparator(comparator), 1e-9) is same


def test_a_tolerance_is_absolute_and_relative() -> None:
    assert same_text("1000.5", "1000", Comparator.FLOAT, 0.001)
    assert same_text("0.0005", "0", Comparator.FLOAT, 0.001)
    assert not same_text("1002", "1000", Comparator.FLOAT, 0.001)


def test_a_line_is_found_without_the_blanks_around_it() -> None:
    assert has_line("one\n  two  \n", "two")
    assert not has_line("one two", "two")
