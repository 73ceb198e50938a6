"""Artifacts: patterns, bounds, and everything a hostile workspace may contain."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.guest import collect

NAMES = st.text(alphabet="abc.xyz_-", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("*.png", ["a.png", ".png"], ["d/a.png", "a.pngx"]),
        ("out/**", ["out/a", "out/d/e"], ["out", "other/out/a"]),
        ("**/*.csv", ["a.csv", "d/e/a.csv"], ["a.csv.gz"]),
        ("./plot?.svg", ["plot1.svg"], ["plot.svg", "plot12.svg", "plot/.svg"]),
        ("a[1].txt", ["a[1].txt"], ["a1.txt"]),
    ],
)
def test_a_pattern_matches_what_a_reader_expects(pattern: str, matches: list[str], misses: list[str]) -> None:
    pieces = collect.pattern_pieces(pattern)
    assert [path for path in matches if not collect.matches(pieces, path)] == []
    assert [path for path in misses if collect.matches(pieces, path)] == []


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_every_path_matches_itself_and_two_stars(parts: list[str]) -> None:
    path = "/".join(parts)
    assert collect.matches(collect.pattern_pieces("**"), path)
    assert collect.matches(collect.pattern_pieces(path), path)


@given(st.lists(st.sampled_from(["**/", "**", "*", "?", "a", "/"]), max_size=8), st.text("ab/", max_size=10))
def test_matching_agrees_with_the_same_pattern_as_a_regular_expression(pieces: list[str], path: str) -> None:
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(pieces)
    parsed = collect.pattern_pieces(pattern)
    regex = "".join(translated.get(piece, re.escape(piece)) for piece in parsed)
    assert collect.matches(parsed, path) == bool(re.fullmatch(regex, path))


def test_files_in_directories_are_taken_with_their_paths(tmp_path: Path, root: int) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "a.txt").write_bytes(b"A")
    (tmp_path / "b.txt").write_bytes(b"B")
    files, notes = collect.artifacts(root, ["**/*.txt"], 100)
    assert files == {"out/deep/a.txt": 1, "b.txt": 1}
    assert b"".join(collect.pieces(root, files)) == b"BA"
    assert notes == []


def test_links_and_pipes_are_left_out_with_a_note(tmp_path: Path, root: int) -> None:
    (tmp_path / "secret").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "out").symlink_to("/etc")
    files, notes = collect.artifacts(root, ["**"], 1 << 20)
    assert files == {}
    assert len(notes) == 3
    assert all("not a regular file" in note for note in notes)


def test_a_sparse_file_above_the_bound_is_not_read(tmp_path: Path, root: int) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    files, notes = collect.artifacts(root, ["huge"], 1 << 20)
    assert files == {}
    assert "larger than allowed" in notes[0]


def test_the_bound_holds_for_all_files_together(tmp_path: Path, root: int) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x" * 40)
    files, notes = collect.artifacts(root, ["*"], 100)
    assert sum(files.values()) == 80
    assert len(notes) == 1


def test_a_name_that_is_not_text_is_left_out_with_a_note(tmp_path: Path, root: int) -> None:
    (tmp_path / os.fsdecode(b"bad-\xff")).write_bytes(b"x")
    (tmp_path / "new\nline").write_bytes(b"x")
    files, notes = collect.artifacts(root, ["*"], 100)
    assert files == {}
    assert all("not printable" in note for note in notes)
    assert len(notes) == 2


def test_too_many_entries_end_the_walk_with_a_note(tmp_path: Path, root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_ENTRIES", 5)
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"")
    _, notes = collect.artifacts(root, ["nothing"], 100)
    assert notes == ["Artifacts are incomplete: the workspace has more than 5 entries."]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "link/x", "loop"])
def test_reading_never_leaves_the_workspace(tmp_path: Path, root: int, path: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r".+"):
        collect.open_file(root, path, 100)


def test_writing_makes_parents_and_never_follows_a_link(tmp_path: Path, root: int) -> None:
    collect.write_file(root, "a/b/c.txt", b"deep")
    assert (tmp_path / "a/b/c.txt").read_bytes() == b"deep"
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError, match=r".+"):
        collect.write_file(root, "link/x", b"escaped")
    assert list(outside.iterdir()) == []


def test_a_pipe_in_the_way_of_a_write_does_not_block(tmp_path: Path, root: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r".+"):
        collect.write_file(root, "pipe", b"data")
