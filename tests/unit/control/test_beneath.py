"""Files of a workspace where the kernel has no openat2: one step after the other, and never through a link."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.guest import syscalls


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "outside").write_text("secret")
    work = tmp_path / "work"
    (work / "a" / "b").mkdir(parents=True)
    (work / "a" / "b" / "file").write_text("inside")
    (work / "up").symlink_to("..")
    (work / "link").symlink_to("../outside")
    fd = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def step_by_step(root: int, path: str) -> int:
    return syscalls._open_step_by_step(root, path, os.O_RDONLY, 0)


def test_a_file_below_is_opened(root: int) -> None:
    with os.fdopen(step_by_step(root, "a/b/file")) as file:
        assert file.read() == "inside"


@pytest.mark.parametrize(
    "path", ["link", "up/outside", "../outside", "a/../../outside", "/etc/passwd", "a/b/../../link"]
)
def test_nothing_leads_out(root: int, path: str) -> None:
    with pytest.raises(OSError, match=r"symbolic links|Not a directory|cross-device"):
        step_by_step(root, path)


def test_no_descriptor_is_left_open(root: int) -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("a/b/file", "a/b/none", "up/outside", "none/x"):
        try:
            os.close(step_by_step(root, path))
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == len(before)
