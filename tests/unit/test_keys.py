"""API keys: what is stored, what is accepted, and what is refused."""

import hashlib
import stat
import threading
from pathlib import Path

import pytest

from holdfast.errors import ConfigurationError, InvalidFieldError, NotFoundError
from holdfast.keys import KeyStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "keys.json"


def test_a_key_is_accepted_and_only_its_digest_is_stored(path: Path) -> None:
    secret = KeyStore(path).add("first", "admin")
    found = KeyStore(path).find(secret.encode())
    assert found is not None
    assert (found.name, found.scope) == ("first", "admin")
    assert secret not in path.read_text()
    assert hashlib.sha256(secret.encode()).hexdigest() in path.read_text()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    KeyStore(path).add("first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keys_are_never_the_same(path: Path) -> None:
    store = KeyStore(path)
    assert store.add("a") != store.add("b")


def test_a_revoked_key_is_not_accepted_by_a_store_that_was_open_all_along(path: Path) -> None:
    open_store = KeyStore(path)
    secret = KeyStore(path).add("first")
    assert open_store.find(secret.encode()) is not None
    KeyStore(path).revoke("first")
    assert open_store.find(secret.encode()) is None


@pytest.mark.parametrize("presented", [b"", b"wrong", b"\xff\xfe\x00", "schlüssel".encode(), b"x" * 100_000])
def test_anything_else_is_not_accepted(path: Path, presented: bytes) -> None:
    store = KeyStore(path, ["fixed"])
    store.add("first")
    assert store.find(presented) is None


def test_fixed_keys_are_accepted_beside_the_file_and_may_do_everything(path: Path) -> None:
    key = KeyStore(path, ["fixed", "schlüssel"]).find("schlüssel".encode())
    assert key is not None
    assert key.scope == "admin"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "x" * 65, "a\n", "ä"])
def test_a_name_that_would_confuse_a_log_is_refused(path: Path, name: str) -> None:
    with pytest.raises(InvalidFieldError):
        KeyStore(path).add(name)


def test_a_name_is_given_once(path: Path) -> None:
    store = KeyStore(path)
    store.add("first")
    with pytest.raises(InvalidFieldError, match="already"):
        store.add("first")


def test_revoking_an_unknown_name_says_so(path: Path) -> None:
    with pytest.raises(NotFoundError, match="no key named"):
        KeyStore(path).revoke("nobody")


def test_a_damaged_file_is_refused_and_not_taken_for_no_keys(path: Path) -> None:
    KeyStore(path).add("first")
    path.write_text('[{"name": "first"}]')
    with pytest.raises(ConfigurationError, match="damaged"):
        KeyStore(path).all()


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    makers = [threading.Thread(target=KeyStore(path).add, args=(f"key-{number}",)) for number in range(12)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert {key.name for key in KeyStore(path).all()} == {f"key-{number}" for number in range(12)}
