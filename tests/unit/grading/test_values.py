"""Values as a sandbox describes them, and which of them equal what a test expects."""

import sys
from typing import Any

import pytest

from holdfast.grading.values import Seen, decode, equals, is_whole, show

INT, TRUE, TEXT = ["int", "0x5"], ["bool", 1], ["str", b"5".hex()]


def seen(tree: Any) -> Seen:
    return decode(tree)


@pytest.mark.parametrize(
    ("tree", "expected", "same"),
    [
        (INT, 5, True),
        (INT, 5.0, True),
        (["float", "0x1.4p+2"], 5, True),
        (INT, "5", False),
        (INT, True, False),
        (["int", "0x1"], True, False),
        (TRUE, True, True),
        (TRUE, 1, False),
        (TEXT, "5", True),
        (TEXT, 5, False),
        (["NoneType"], None, True),
        (["NoneType"], False, False),
        (["int", "-0x5"], -5, True),
        (["int", hex(2**100)], 2**100, True),
        (["int", hex(2**100)], 2**100 + 1, False),
        (["int", hex(10**400)], 1.0, False),
        (["float", (0.1 + 0.2).hex()], 0.3, True),
        (["float", (0.3001).hex()], 0.3, False),
        (["float", "nan"], 0, False),
        (["float", "inf"], 1e308, False),
        (["list", 2, [INT, TEXT]], [5, "5"], True),
        (["list", 2, [INT, TEXT]], [5, 5], False),
        (["list", 1, [INT]], [5, 5], False),
        (["tuple", 1, [INT]], [5], False),
        (["list", 1, [["list", 1, [TRUE]]]], [[True]], True),
        (["dict", 1, [TEXT, INT]], {"5": 5}, True),
        (["dict", 1, [INT, INT]], {"5": 5}, False),
        (["dict", 1, [TEXT, INT]], {"5": 5, "6": 6}, False),
        (["", b"int".hex()], 5, False),
        (["list", 1, None], [5], False),
        (["str", None], "5", False),
    ],
)
def test_values_are_equal_by_value_with_types_respected(tree: Any, expected: Any, same: bool) -> None:
    assert equals(seen(tree), expected, 1e-9) is same


@pytest.mark.parametrize(
    ("kind", "expected", "same"),
    [
        ("set", [1, 2], True),
        ("set", [2, 1], True),
        ("set", [1, 1], False),
        ("set", [1, 3], False),
        ("list", [1, 2], False),
    ],
)
def test_a_named_type_says_what_a_json_array_stands_for(kind: str, expected: list[int], same: bool) -> None:
    members = ["set", 2, [["int", "0x1"], ["int", "0x2"]]]
    assert equals(seen(members), expected, 1e-9, kind) is same


def test_members_of_a_set_may_differ_by_the_tolerance_and_have_parts() -> None:
    fraction, pair = ["float", (0.1 + 0.2).hex()], ["tuple", 1, [INT]]
    assert equals(seen(["set", 2, [fraction, INT]]), [5, 0.3], 1e-9, "set")
    assert not equals(seen(["set", 1, [pair]]), [[5]], 1e-9, "set"), "a tuple is not a list"
    assert not equals(seen(["set", 2, [TRUE, INT]]), [5, 1], 1e-9, "set")


def test_a_large_set_takes_no_quadratic_time() -> None:
    members = ["set", 40_000, [["int", hex(number)] for number in range(40_000)]]
    assert equals(seen(members), list(reversed(range(40_000))), 1e-9, "set")
    assert not equals(seen(members), list(range(1, 40_001)), 1e-9, "set")


def test_numbers_chosen_for_their_hash_take_no_quadratic_time() -> None:
    numbers = [number * sys.hash_info.modulus for number in range(40_000)]
    members = ["set", 40_000, [["int", hex(number)] for number in numbers]]
    assert equals(seen(members), list(reversed(numbers)), 1e-9, "set")
    assert not equals(seen(members), [1, *numbers[1:]], 1e-9, "set")


def test_a_forged_set_of_lists_is_not_compared_list_by_list() -> None:
    lists = [["list", 1, [INT]]]
    assert not equals(seen(["set", 1, lists]), [[5]], 1e-9, "set")


def test_equal_numbers_in_a_set_are_one_whatever_their_type() -> None:
    members = ["set", 3, [["float", (2.0**60).hex()], ["float", (-0.0).hex()], ["float", "inf"]]]
    assert equals(seen(members), [0, 1 << 60, float("inf")], 1e-9, "set")
    assert not equals(seen(["set", 1, [["float", "nan"]]]), [float("nan")], 1e-9, "set")


@pytest.mark.parametrize(
    "tree",
    [
        None,
        True,
        5,
        "int",
        [],
        [[]],
        ["int"],
        ["int", None, None],
        ["int", "x"],
        ["int", "0x5", "0x5"],
        ["bool"],
        ["bool", []],
        ["str", "zz"],
        ["str", 5],
        ["list"],
        ["list", 2, [INT]],
        ["list", "2", []],
        ["dict", 1, [INT]],
        ["dict", 1, {}],
        ["complex", "0x1p+0"],
        ["Fake"],
        ["", None, None],
        ["list", 1, [["x"]]],
    ],
    ids=repr,
)
def test_a_malformed_description_is_no_value_or_an_unequal_one(tree: Any) -> None:
    try:
        value = decode(tree)
    except ValueError:
        return
    candidates: tuple[Any, ...] = (5, True, None, "5", [], {}, "", 0, [5])
    assert not any(equals(value, expected, 1e-9) for expected in candidates)


def test_what_is_nested_too_deep_is_no_value() -> None:
    tree: Any = INT
    for _ in range(500):
        tree = ["list", 1, [tree]]
    with pytest.raises(ValueError, match="not a description"):
        decode(tree)


def test_a_value_is_whole_when_nothing_in_it_was_cut() -> None:
    assert is_whole(seen(["list", 1, [INT]]))
    assert not is_whole(seen(["list", 1, [["str", None]]]))
    assert not is_whole(seen(["dict", 1, [TEXT, ["list", 3, None]]]))


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        (INT, 5),
        (TRUE, True),
        (["NoneType"], None),
        (TEXT, "5"),
        (["float", "nan"], "nan"),
        (["int", hex(2**60)], str(2**60)),
        (["int", hex(1 << 20_000)], "<large int>"),
        (["list", 2, [INT, TEXT]], [5, "5"]),
        (["tuple", 1, [INT]], "(5,)"),
        (["tuple", 0, []], "()"),
        (["set", 1, [TEXT]], "{'5'}"),
        (["set", 0, []], "set()"),
        (["frozenset", 1, [INT]], "frozenset({5})"),
        (["dict", 1, [TEXT, INT]], "{'5': 5}"),
        (["list", 1000000, None], "<list of 1000000 items>"),
        (["bytes", "00ff"], "b'\\x00\\xff'"),
        (["complex", "0x1p+0", "0x1p+1"], "(1+2j)"),
        (["", b"DataFrame".hex()], "<DataFrame>"),
        (["function"], "<function>"),
        (["str", "\udc80".encode("utf-8", "surrogatepass").hex()], "\\udc80"),
    ],
)
def test_a_value_is_shown_as_json_where_json_can_say_it(tree: Any, shown: Any) -> None:
    assert show(seen(tree)) == shown


def test_what_is_shown_is_short() -> None:
    text = show(seen(["str", ("x" * 100_000).encode().hex()]))
    many = show(seen(["list", 5000, [INT] * 5000]))
    assert len(text) < 3000
    assert len(many) < 3000
