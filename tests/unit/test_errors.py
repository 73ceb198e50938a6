"""The error tree is the one that its module draws."""

import re

import pytest

from holdfast import errors
from holdfast.errors import HoldfastError

ROW = re.compile(
    r"^    (?P<branches>[│├└─ ]*)(?P<name>\w+Error)(?:\s+(?P<code>\w+)\s+(?P<http>\d+)\s+(?P<retry>yes|no))?\s*"
)


def drawn() -> dict[str, tuple[str, str, int, bool]]:
    """Name to (parent, code, HTTP status, retry helps), read from the drawing."""
    found: dict[str, tuple[str, str, int, bool]] = {}
    line_of_parents: list[str] = ["HoldfastError"]
    for line in (errors.__doc__ or "").splitlines():
        row = ROW.match(line)
        if row is None or row["code"] is None or row["code"] == "code":
            continue
        depth = len(row["branches"]) // 4
        line_of_parents[depth:] = [row["name"]]
        found[row["name"]] = (line_of_parents[depth - 1], row["code"], int(row["http"]), row["retry"] == "yes")
    return found


def classes(root: type[HoldfastError] = HoldfastError) -> list[type[HoldfastError]]:
    ours = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    return [found for kind in ours for found in (kind, *classes(kind))]


def test_the_drawing_is_the_tree() -> None:
    real = {
        kind.__name__: (kind.__mro__[1].__name__, kind.code, kind.http_status, kind.retryable) for kind in classes()
    }
    assert drawn() == real
    assert len(real) > 15


def test_every_code_is_used_once() -> None:
    codes = [kind.code for kind in classes()]
    assert len(codes) == len(set(codes))


def test_full_disk_is_ours_translates_only_a_full_disk() -> None:
    with pytest.raises(errors.StorageFullError), errors.full_disk_is_ours():
        raise OSError(28, "No space left on device")
    with pytest.raises(PermissionError), errors.full_disk_is_ours():
        raise PermissionError(13, "Permission denied")
