"""The store of compiled programs: whole or not at all, bounded, and named by everything the compiler reads."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.execution.building import key_of
from holdfast.execution.programs import RECENT_BYTES, Program, ProgramStore
from holdfast.languages import LANGUAGES

PROGRAM = Program(b"\x7fELF\nbinary\n", "out", "warning\n", stderr_truncated=True)


@pytest.fixture
def store(tmp_path: Path) -> ProgramStore:
    return ProgramStore(tmp_path / "programs", 10_000)


def test_a_program_comes_back_as_it_was_put(store: ProgramStore) -> None:
    assert store.get("a") is None
    store.put("a", PROGRAM)
    assert store.get("a") == PROGRAM
    assert store.get("b") is None


def test_the_directory_is_for_its_owner_only(store: ProgramStore, tmp_path: Path) -> None:
    store.put("a", PROGRAM)
    assert (tmp_path / "programs").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"\n", b"{}", b"{}\nx", b"null\n", b"0" * 64 + b"\n{}\nx"])
def test_what_is_damaged_is_dropped(store: ProgramStore, tmp_path: Path, damage: bytes) -> None:
    store.put("a", PROGRAM)
    entry = tmp_path / "programs" / "a"
    entry.write_bytes(damage)
    assert store.get("a") is None
    assert not entry.exists()


def test_one_changed_byte_is_noticed_wherever_it_is(store: ProgramStore, tmp_path: Path) -> None:
    """In the program, and in what the compiler said of it."""
    entry = tmp_path / "programs" / "a"
    store.put("a", PROGRAM)
    for position in range(entry.stat().st_size):
        store.put("a", PROGRAM)
        text = bytearray(entry.read_bytes())
        text[position] ^= 0x01
        entry.write_bytes(text)
        assert store.get("a") is None, position


def test_the_least_recently_used_go_first(store: ProgramStore, tmp_path: Path) -> None:
    large = replace(PROGRAM, content=bytes(4_000))
    for age, name in ((300, "old"), (200, "middle")):
        store.put(name, large)
        os.utime(tmp_path / "programs" / name, (1_000 - age, 1_000 - age))
    assert store.get("old") == large
    store.put("new", large)
    assert store.get("middle") is None
    assert store.get("old") == store.get("new") == large


def test_a_program_larger_than_the_store_is_not_kept(store: ProgramStore) -> None:
    store.put("a", replace(PROGRAM, content=bytes(20_000)))
    assert store.get("a") is None


def test_nothing_half_written_stays(store: ProgramStore, tmp_path: Path) -> None:
    store.put("a", PROGRAM)
    (tmp_path / "programs" / ".new-left").write_bytes(b"half")
    store.clear_unfinished()
    assert [path.name for path in (tmp_path / "programs").iterdir()] == ["a"]


def test_the_key_covers_everything_the_compiler_reads() -> None:
    go, files = LANGUAGES["go"], {"main.go": b"a", "b.txt": b"c"}
    keys = [
        key_of(go, "1", files),
        key_of(LANGUAGES["rust"], "1", files),
        key_of(go, "2", files),
        key_of(go, "1", {"main.go": b"a"}),
        key_of(go, "1", {**files, "b.txt": b"d"}),
        key_of(go, "1", {"main.go": b"a", "c.txt": b"c"}),
        key_of(go, "1", {"main.gob.txt": b"ac"}),
        key_of(replace(go, compile=("go", "build")), "1", files),
        key_of(replace(go, environment={"GOFLAGS": "-x"}), "1", files),
        key_of(go, "1", files, "layer"),
        key_of(go, "1", files, "layer", "owner"),
        key_of(go, "1", files, "", "owner"),
        key_of(go, "1", files, "", "other owner"),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of(go, "1", dict(reversed(files.items()))) == keys[0]


def test_what_was_read_is_remembered_within_bounds(tmp_path: Path) -> None:
    large = ProgramStore(tmp_path / "large", 1 << 30)
    for name in "abc":
        large.put(name, replace(PROGRAM, content=bytes(RECENT_BYTES // 2)))
        assert large.recent(name) is None
        large.remember(name, large.get(name) or PROGRAM)
    assert large.recent("a") is None
    assert large.recent("c") == large.recent("b")
