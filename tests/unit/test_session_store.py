"""What is kept of sessions on disk."""

import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.errors import NotFoundError
from holdfast.sessions.store import BLOCK, MAX_LOST_OF_A_KEY, Record, SavedFile, SessionStore, cost
from holdfast.testing.unisolated import NO_ISOLATION, NO_LIMITS
from holdfast.types import Session

NAME = "ses-" + "a" * 32


def record(store: SessionStore, contents: Mapping[str, bytes], name: str = NAME, seconds: float = 60) -> Record:
    now = datetime.now(UTC)
    session = Session(
        session_id=name,
        image="python",
        status="idle",
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
        idle_seconds=1,
        lifetime_seconds=seconds,
        limits=NO_LIMITS,
        isolation=NO_ISOLATION,
    )
    files = {
        path: SavedFile(sha256=store.put(name, data), size_bytes=len(data), stamp=1) for path, data in contents.items()
    }
    return Record(session=session, owner=None, files=files)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1000)
    saved = record(store, {"one": b"1", "two": b"2"})
    store.save(saved)
    again = SessionStore(tmp_path, 1000)
    assert again.load() == [saved]
    assert again.get(NAME, saved.files["two"]) == b"2"


def test_names_that_a_program_chose_are_never_names_of_ours(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1000)
    store.save(record(store, {"../../escape": b"x", "/etc/passwd": b"x", "record.json": b"y"}))
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        [NAME, "record.json", *(record(store, {"a": b"x", "b": b"y"}).files[name].sha256 for name in "ab")]
    )


def test_contents_that_no_file_has_any_more_are_removed(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1000)
    store.save(record(store, {"a": b"old"}))
    store.save(record(store, {"a": b"new"}))
    assert len(list((tmp_path / NAME).iterdir())) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"session": 1}'])
def test_a_damaged_record_is_forgotten(tmp_path: Path, damage: str) -> None:
    store = SessionStore(tmp_path, 1000)
    store.save(record(store, {}))
    (tmp_path / NAME / "record.json").write_text(damage)
    assert SessionStore(tmp_path, 1000).load() == []
    assert not (tmp_path / NAME).exists()


def test_a_record_past_its_lifetime_is_forgotten(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1000)
    store.save(record(store, {}, seconds=-1))
    assert SessionStore(tmp_path, 1000).load() == []


def test_room_is_what_the_others_leave(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 10 * BLOCK)
    first = record(store, {"a": bytes(3 * BLOCK), "b": bytes(3 * BLOCK)})
    store.save(first)
    other = "ses-" + "b" * 32
    assert (store.room(NAME), store.room(other), store.excess({NAME: first})) == (10 * BLOCK, 7 * BLOCK, [])
    store.save(record(store, {"a": bytes(7 * BLOCK)}, other))
    assert store.excess({NAME: first}) == [NAME]
    store.remove([NAME])
    assert (store.room(other), store.excess({})) == (10 * BLOCK, [])
    with pytest.raises(NotFoundError):
        store.get(NAME, SavedFile(sha256="0" * 64, size_bytes=1, stamp=1))


def test_what_is_about_to_be_kept_takes_room_from_the_others_at_once(tmp_path: Path) -> None:
    store, other = SessionStore(tmp_path, 100), "ses-" + "1" * 32
    store.expect(NAME, 30)
    store.expect(NAME, 40)
    assert (store.room(NAME), store.room(other)) == (100, 30)
    store.remove([NAME])
    assert store.room(other) == 100


def test_a_file_counts_as_what_it_takes_on_a_disk(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 100 * BLOCK)
    store.save(record(store, {f"f{number}": str(number).encode() for number in range(60)}))
    assert store.room("ses-" + "b" * 32) == 40 * BLOCK
    assert [cost(size) for size in (0, 1, BLOCK, BLOCK + 1)] == [BLOCK, BLOCK, BLOCK, 2 * BLOCK]


def owned(store: SessionStore, number: int, owner: str, files: int) -> Record:
    """A saved session of a key, with so many files of one block."""
    name = f"ses-{number:032x}"
    saved = record(store, {f"f{each}": f"{number} {each}".encode() for each in range(files)}, name)
    saved = saved.model_copy(update={"owner": owner})
    store.save(saved)
    return saved


def test_one_key_fills_its_own_share_and_never_that_of_others(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 40 * BLOCK)
    lost = {f"ses-{number:032x}": owned(store, number, "greedy", 5) for number in range(2)}
    lost |= {f"ses-{2:032x}": owned(store, 2, "modest", 1)}
    assert (store.room("new", "greedy"), store.room("new", "modest")) == (0, 9 * BLOCK)
    assert store.excess(lost) == [f"ses-{0:032x}"]
    again = SessionStore(tmp_path, 40 * BLOCK)
    again.load()
    assert again.room("new", "greedy") == 0


def test_of_many_lost_sessions_those_of_the_key_that_has_most_go_first(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1 << 30)
    one = owned(store, 0, "modest", 0)
    greedy = owned(store, 1, "greedy", 0)
    lost = {"modest": one} | {f"greedy-{number}": greedy for number in range(MAX_LOST_OF_A_KEY + 3)}
    assert store.excess(lost) == ["greedy-0", "greedy-1", "greedy-2"]


def test_what_is_too_much_can_be_asked_while_others_save_and_remove(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, 1 << 30)
    lost = {f"ses-{number:032x}": owned(store, number, "one", 0) for number in range(100)}
    failures: list[BaseException] = []
    over = threading.Event()

    def look() -> None:
        try:
            while not over.is_set():
                store.excess(lost)
        except BaseException as error:
            failures.append(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    looker = threading.Thread(target=look)
    looker.start()
    try:
        for number in range(200, 500):
            store.remove([owned(store, number, "other", 0).session.session_id])
    finally:
        over.set()
        looker.join()
        sys.setswitchinterval(usual)
    assert failures == []
