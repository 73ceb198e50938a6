"""Output: capped by bytes, decoded piece by piece."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.execution.output import FLOOD_FACTOR, Capture


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=8))
@settings(database=None)
def test_the_text_does_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    capture = Capture(1000)
    live = "".join([*(capture.feed(piece) for piece in pieces_of(data, cuts)), capture.finish()])
    assert live == capture.text == data.decode("utf-8", "replace")
    assert not capture.truncated


@given(st.text(max_size=100), st.integers(1, 50), st.lists(st.integers(0, 1000), max_size=8))
@settings(database=None)
def test_the_cap_counts_bytes_and_never_shows_half_a_character(text: str, cap: int, cuts: list[int]) -> None:
    data, capture = text.encode(), Capture(cap)
    for piece in pieces_of(data, cuts):
        capture.feed(piece)
    capture.finish()
    assert capture.text == data[:cap].decode("utf-8", "ignore")
    assert capture.truncated == (len(data) > cap)


def test_a_character_split_over_two_pieces_is_shown_once_it_is_whole() -> None:
    capture = Capture(10)
    assert [capture.feed(b"\xc3"), capture.feed(b"\xa9"), capture.finish()] == ["", "é", ""]


def test_a_character_left_unfinished_is_replaced() -> None:
    capture = Capture(10)
    assert [capture.feed(b"a\xc3"), capture.finish()] == ["a", "\ufffd"]


def test_exactly_the_cap_is_not_truncated() -> None:
    capture = Capture(3)
    assert capture.feed(b"abc") == "abc"
    assert not capture.truncated
    assert capture.feed(b"d") == ""
    assert capture.truncated


def test_a_flood_is_more_than_sixty_four_times_the_cap() -> None:
    capture = Capture(10)
    capture.feed(b"x" * 10 * FLOOD_FACTOR)
    assert not capture.flooded
    capture.feed(b"x")
    assert capture.flooded
    assert capture.text == "x" * 10


def test_what_is_kept_exists_once_in_memory() -> None:
    capture, piece = Capture(8 << 20), b"x" * (1 << 16)
    capture.feed(piece)
    tracemalloc.start()
    for _ in range(200):
        capture.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(capture.text) == 8 << 20
    assert peak < 10 << 20
