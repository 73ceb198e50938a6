"""Whatever a path says, the file tools touch nothing outside of the workspace."""

import ctypes
import io
import os
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.agents.tools import TOOLS, ToolContext, ToolError, use
from holdfast.agents.workplace import Workplace, open_workplace
from holdfast.engines import Command, Output
from holdfast.execution import Executor
from holdfast.guest import tars
from holdfast.guest.file_tools import Files, ToolFault

pytestmark = pytest.mark.anyio

NAME, CONTENT = "canary-7f3a", "CONTENT-OF-THE-CANARY"
OUT = "/tmp/outside"
SET_UP = f"""
mkdir -p {OUT} dir inner && printf %s {CONTENT} > {OUT}/{NAME} && chmod 644 {OUT}/{NAME} && touch dir/file
ln -s .. up; ln -s {OUT} abs; ln -s {OUT}/{NAME} absfile; ln -s ../tmp/outside rel; ln -s ../tmp/outside/{NAME} relfile
ln -s abs chain; ln -s chain longer; ln -s loop loop; ln -s /proc/self/root proc; ln -s /proc/self/cwd cwd
ln -s /proc/self/fd fd; ln -s {OUT}/planted newfile; ln -s ../../tmp/outside inner/deep; mkfifo fifo
ln -s /workspace/../tmp/outside roundabout; ln -s dir/../../tmp/outside around; ln -s /dev/fd/0 stdin
ln {OUT}/{NAME} hard 2>/dev/null && echo linked || echo refused
"""
STATE = f"cd {OUT} && find . | sort && cat {NAME} && find {OUT} -type f | wc -l"
UNTOUCHED = f".\n./{NAME}\n{CONTENT}1\n"

THERE = (
    *(f"../tmp/outside/{NAME}", f"{OUT}/{NAME}", f"/workspace/../tmp/outside/{NAME}", f"/workspace{OUT}/../{NAME}"),
    *(f"dir/../../tmp/outside/{NAME}", f"./.././tmp/outside/{NAME}", f"/{OUT}/{NAME}", f"/workspace/.{OUT}/{NAME}"),
    *(f"/workspacex/../tmp/outside/{NAME}", f"up/tmp/outside/{NAME}", f"abs/{NAME}", f"rel/{NAME}", f"chain/{NAME}"),
    *(f"longer/{NAME}", f"proc/tmp/outside/{NAME}", f"cwd/../tmp/outside/{NAME}", f"inner/deep/{NAME}"),
    *(f"roundabout/{NAME}", f"around/{NAME}", f"/proc/self/root{OUT}/{NAME}", f"/proc/1/root{OUT}/{NAME}"),
    *(f"/proc/self/cwd/../tmp/outside/{NAME}", f"no/../../tmp/outside/{NAME}", f"dir/file/../../../tmp/outside/{NAME}"),
)
FILES = ("absfile", "relfile")
STRANGE = (
    *("loop", "loop/x", "fd/0", "stdin", "/dev/fd/0", "/dev/stdin", "fifo", "dir", ".", "..", "/", ""),
    *(
        "/proc/self/environ",
        "/proc/self/mem",
        "/etc/passwd",
        "a\0b",
        f"{OUT}/{NAME}\0.txt",
        "x" * 300,
        "a/" * 100 + "b",
    ),
    *("a" * 5000, "\udcff\udcfe", f"%2e%2e{OUT}/{NAME}", f"..\\tmp\\outside\\{NAME}", f"~/outside/{NAME}"),
    *(f"$HOME/outside/{NAME}", f" ..{OUT}/{NAME}", f"file://{OUT}/{NAME}", ".holdfast/step", "hard/../../tmp"),
)
READS = [("read_file", {"path": path}) for path in (*THERE, *FILES, *STRANGE)]
WRITES = [
    ("write_file", {"path": path, "content": "planted", "append": number % 2 == 0})
    for number, path in enumerate(
        (
            *(path.replace(NAME, "planted") for path in THERE),
            *FILES,
            *FILES[::-1],
            "newfile",
            "loop",
            "fifo",
            "dir",
            "abs",
        )
    )
]
LISTS = [
    ("list_files", {"path": path, "recursive": True, "include_hidden": True})
    for path in (
        *("..", "/", OUT, "abs", "up", "rel", "chain", "proc", "cwd/..", "inner/deep", "abs/*", "a*s/*", "**/canary*"),
        *("*/*", "**", ".", "../tmp/*", f"{OUT}/*", "rel/?anary*", "inner/*/*", "roundabout", "/proc/self/root/tmp/*"),
    )
]
GREPS = [
    ("grep", {"pattern": "CONTENT-OF", "path": path})
    for path in (".", "..", "/", OUT, "abs", "absfile", "rel", "relfile", "proc", "up", "chain", "inner/deep", "cwd/..")
]
SHELLS = [
    ("shell", {"command": f"cat {NAME}", "working_directory": path}) for path in ("..", OUT, "abs", "rel", "/tmp")
]
ATTACKS = [*READS, *WRITES, *LISTS, *GREPS, *SHELLS]


async def said(place: Workplace, script: str) -> str:
    heard = bytearray()

    async def hear(output: Output) -> None:
        heard.extend(output.data)

    await place.run(Command(argv=("/bin/sh", "-c", script)), hear)
    return heard.decode()


@pytest.fixture(scope="module")
async def place(executor: Executor) -> AsyncIterator[Workplace]:
    async with open_workplace(executor) as opened:
        assert await said(opened, SET_UP) == "refused\n", "a hard link to what is outside could be made"
        yield opened


def test_there_are_more_attacks_than_were_promised() -> None:
    assert len(ATTACKS) >= 60


def _id(attack: tuple[str, dict[str, Any]]) -> str:
    return (
        f"{attack[0]} {attack[1].get('path', attack[1].get('working_directory'))!r:.60} {attack[1].get('append', '')}"
    )


@pytest.mark.parametrize("attack", ATTACKS, ids=_id)
async def test_a_path_attack_touches_nothing_outside(place: Workplace, attack: tuple[str, dict[str, Any]]) -> None:
    name, arguments = attack
    try:
        answer = await use(TOOLS.values(), name, arguments, ToolContext(place))
    except ToolError as error:
        answer = str(error)
    else:
        assert name in ("list_files", "grep") or arguments["path"] not in (*THERE, *FILES)
    given = str(arguments.get("path", arguments.get("working_directory")))
    assert CONTENT not in answer and (NAME not in answer or NAME in given)


async def test_after_all_attacks_what_is_outside_is_as_it_was(place: Workplace) -> None:
    assert await said(place, STATE) == UNTOUCHED


_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


def swap(root: Path, over: threading.Event) -> None:
    """Make the directory a link to what is outside, and back, without an end and without a moment between."""
    here, there = (os.fsencode(root / name) for name in ("real", "link"))
    while not over.is_set():
        assert _libc.renameat2(-100, here, -100, there, _EXCHANGE) == 0, os.strerror(ctypes.get_errno())


@contextmanager
def swapping(tmp_path: Path) -> Iterator[Files]:
    """Files of a workspace in which `real` is a directory and a link by turns; and what is outside stays as it is."""
    root, outside = tmp_path / "workspace", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_text(CONTENT)
    (root / "real" / "file").write_text("inside")
    os.symlink(outside, root / "link")
    over = threading.Event()
    thread = threading.Thread(target=swap, args=(root, over))
    files = Files(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
    assert files.read("real/file") == "inside"
    thread.start()
    try:
        yield files
    finally:
        over.set()
        thread.join()
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == CONTENT


def told(attempts: Iterable[Callable[[], str]]) -> set[str]:
    """What came of each of these, 200 times."""
    seen = set()
    for attempt in [*attempts] * 200:
        try:
            seen.add(attempt())
        except ToolFault as fault:
            seen.add(str(fault))
    return seen


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    with swapping(tmp_path) as files:
        seen = told(
            (
                lambda: files.read("real/file"),
                lambda: files.list("real/*"),
                lambda: files.grep(CONTENT, "real"),
            )
        )
    assert not any(CONTENT in answer for answer in seen)


def test_nothing_is_written_through_a_directory_that_becomes_a_link_meanwhile(tmp_path: Path) -> None:
    with swapping(tmp_path) as files:
        told(
            (
                lambda: files.write("real/file", "written"),
                lambda: files.write("real/file", "more", append=True),
                lambda: files.write("real/planted", "planted"),
                lambda: files.write("real/deep/down/planted", "planted"),
                lambda: files.write("real/made/in/place", "made", append=True),
            )
        )
    inside = next(path for path in (tmp_path / "workspace").iterdir() if not path.is_symlink())
    assert (inside / "file").read_text().startswith(("inside", "written"))


def test_no_archive_is_unpacked_through_a_directory_that_becomes_a_link_meanwhile(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("real/file", "real/planted", "real/deep/planted"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))

    with swapping(tmp_path):
        root = os.open(tmp_path / "workspace", os.O_RDONLY | os.O_DIRECTORY)

        def unpack() -> str:
            try:
                return str(tars.unpack(root, io.BytesIO(packed.getvalue())))
            except OSError as error:
                return str(error)

        told([unpack])
        os.close(root)


def test_a_name_that_is_no_text_is_shown_and_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"bad-\xff")).write_text("x")
    files = Files(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY))
    assert files.list() == "bad-\\udcff"
    assert "bad-" in files.grep("x")
