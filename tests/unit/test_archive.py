"""A layer on its way: what is packed comes out the same, and nothing that arrives is trusted."""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.guest.archive import DIRECTORY, END, ENTRY, FILE, LINK, Packer, Refused, Unpacker, check_link

PLENTY = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "layer").mkdir()
    fd = os.open(tmp_path / "layer", os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def entry(kind: bytes, path: bytes, content: bytes = b"", *, size: int | None = None) -> bytes:
    return ENTRY.pack(kind, 0, len(path), 0, len(content) if size is None else size) + path + content


def unpack(root: int, *entries: bytes, max_bytes: int = PLENTY) -> Unpacker:
    stream = io.BytesIO(b"".join(entries) + ENTRY.pack(END, 0, 0, 0, 0))
    unpacker = Unpacker(root, stream, max_bytes)
    unpacker.unpack()
    return unpacker


def test_what_is_packed_comes_out_the_same(tmp_path: Path, root: int) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "tool").write_text("#!/bin/sh\n")
    (source / "bin" / "tool").chmod(0o755)
    (source / "data").write_bytes(bytes(range(256)) * 3000)
    os.utime(source / "data", (1_000_000, 1_000_000))
    (source / "again").symlink_to("bin/tool")
    (source / "empty").mkdir()
    packed = io.BytesIO()
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    Packer(fd, packed.write).pack()
    os.close(fd)
    packed.seek(0)
    unpacker = Unpacker(root, packed, PLENTY)
    unpacker.unpack()
    made = tmp_path / "layer"
    assert sorted(str(path.relative_to(made)) for path in made.rglob("*")) == [
        "again", "bin", "bin/tool", "data", "empty",
    ]  # fmt: skip
    assert (made / "data").read_bytes() == (source / "data").read_bytes()
    assert (made / "data").stat().st_mtime == 1_000_000
    assert stat.S_IMODE((made / "bin/tool").stat().st_mode) == 0o755
    assert str((made / "again").readlink()) == "bin/tool"
    assert unpacker.entries == 5


def test_no_set_uid_bit_and_no_other_right_comes_through(tmp_path: Path, root: int) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "rooted").write_text("x")
    (source / "rooted").chmod(0o6777)
    packed = io.BytesIO()
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    Packer(fd, packed.write).pack()
    os.close(fd)
    packed.seek(0)
    Unpacker(root, packed, PLENTY).unpack()
    assert stat.S_IMODE((tmp_path / "layer" / "rooted").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "path", [b"../x", b"/x", b"a/../x", b"a//x", b"./x", b"", b"a\0b", b"n" * 256, b"d/" * 64 + b"x"]
)
def test_a_path_that_is_none_is_refused(root: int, path: bytes) -> None:
    with pytest.raises(Refused):
        unpack(root, entry(FILE, path, b"content"))


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"x", b"/etc/shadow"),
        (b"x", b"../outside"),
        (b"a/b/x", b"../../../outside"),
        (b"x", b"a/../../outside"),
        (b"x", b"/opt/holdfast/../../etc"),
        (b"x", b"/usr/../etc"),
        (b"x", b""),
        (b"x", b"a\0b"),
    ],
)
def test_a_link_that_leads_out_is_refused(path: bytes, target: bytes) -> None:
    with pytest.raises(Refused, match="leads"):
        check_link(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [(b"x", b"y"), (b"a/b/x", b"../../y"), (b"bin/python", b"/opt/holdfast/env/bin/python"), (b"x", b"/usr/bin/env")],
)
def test_a_link_that_stays_inside_or_leads_to_what_everybody_sees_is_kept(path: bytes, target: bytes) -> None:
    check_link(path, target)


def test_nothing_is_written_through_a_link(tmp_path: Path, root: int) -> None:
    (tmp_path / "outside").mkdir()
    with pytest.raises(OSError):
        unpack(root, entry(DIRECTORY, b"d"), entry(LINK, b"l", b"d"), entry(FILE, b"l/x", b"content"))
    with pytest.raises(OSError):
        unpack(root, entry(LINK, b"f", b"target"), entry(FILE, b"f", b"content"))
    assert not (tmp_path / "layer" / "target").exists()


def test_nothing_is_written_twice(root: int) -> None:
    with pytest.raises(FileExistsError):
        unpack(root, entry(FILE, b"x", b"one"), entry(FILE, b"x", b"two"))


def test_more_than_there_is_room_for_is_refused_before_it_is_read(root: int) -> None:
    with pytest.raises(Refused, match="larger than 100 bytes"):
        unpack(root, entry(FILE, b"x", b"", size=1 << 60), max_bytes=100)
    with pytest.raises(Refused, match="larger than 100 bytes"):
        unpack(root, *[entry(FILE, b"x%d" % number, b"y" * 60) for number in range(3)], max_bytes=100)


def test_what_ends_early_or_makes_no_sense_is_refused(root: int) -> None:
    with pytest.raises(Refused, match="ends early"):
        unpack(root, entry(FILE, b"x", b"content", size=10_000))
    with pytest.raises(Refused, match="damaged"):
        unpack(root, entry(b"c", b"device"))
