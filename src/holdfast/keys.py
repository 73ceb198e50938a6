"""API keys: made once, shown once, stored as SHA-256, compared in constant time."""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from holdfast.errors import ConfigurationError, InvalidFieldError, NotFoundError, full_disk_is_ours
from holdfast.types import Frozen

Scope = Literal["run", "admin"]

KEY_PREFIX = "hf_"
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ApiKey(Frozen):
    """A key without its secret: what it is called, what it may do, and the digest it is known by."""

    name: str
    scope: Scope
    sha256: str
    created_at: datetime


_FILE = TypeAdapter(tuple[ApiKey, ...])


class KeyStore:
    """The keys in one file of the state directory, plus fixed ones from the settings.

    The file may be changed by another process; it is read again when it did.
    """

    def __init__(self, path: Path, fixed: Iterable[str] = ()) -> None:
        self._path = path
        self._fixed = tuple(_fixed_key(number, secret) for number, secret in enumerate(fixed, start=1))
        self._stored: tuple[ApiKey, ...] = ()
        self._read_at: tuple[int, int, int] | None = None

    def all(self) -> tuple[ApiKey, ...]:
        """Every key that is accepted now. Raises ConfigurationError when the file is damaged."""
        stamp = _stamp(self._path)
        if stamp != self._read_at:
            self._stored = _read(self._path) if stamp else ()
            self._read_at = stamp
        return self._stored + self._fixed

    def find(self, presented: bytes) -> ApiKey | None:
        """The key whose secret these bytes are."""
        digest = hashlib.sha256(presented).hexdigest()
        found = None
        for key in self.all():
            # No early exit: how long this takes says nothing about which key was nearly right.
            found = key if hmac.compare_digest(key.sha256, digest) else found
        return found

    def add(self, name: str, scope: Scope = "run") -> str:
        """Make a key and return its secret, which is not kept. Raises InvalidFieldError, ConfigurationError."""
        if _NAME.fullmatch(name) is None:
            raise InvalidFieldError("A key's name is up to 64 letters, digits, '.', '_' and '-'.", field="name")
        secret = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        with self._locked() as stored:
            if any(key.name == name for key in stored):
                raise InvalidFieldError(f"There is already a key named '{name}'; revoke it first.", field="name")
            key = ApiKey(name=name, scope=scope, sha256=_digest(secret), created_at=datetime.now(UTC))
            self._write((*stored, key))
        return secret

    def revoke(self, name: str) -> None:
        """Accept the key of this name no longer. Raises NotFoundError, ConfigurationError."""
        with self._locked() as stored:
            kept = tuple(key for key in stored if key.name != name)
            if len(kept) == len(stored):
                raise NotFoundError(f"There is no key named {name[:64]!r}.", field="name")
            self._write(kept)

    @contextmanager
    def _locked(self) -> Iterator[tuple[ApiKey, ...]]:
        with full_disk_is_ours():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield _read(self._path) if self._path.exists() else ()

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        fresh = self._path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_FILE.dump_json(keys, indent=2))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def _fixed_key(number: int, secret: str) -> ApiKey:
    # The operator wrote these into the server's own settings, so they may do everything.
    return ApiKey(name=f"settings-{number}", scope="admin", sha256=_digest(secret), created_at=datetime.now(UTC))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        return _FILE.validate_json(path.read_bytes())
    except ValidationError:
        raise ConfigurationError(f"The key file {path} is damaged; restore it, or remove it and add keys.") from None
