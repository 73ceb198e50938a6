"""A dataset is registered whole or not at all, whatever goes wrong; and what nobody names goes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.data import program
from holdfast.data.registry import DemoCatalogue, FolderCatalogue
from holdfast.errors import EngineError, IngestFailedError, NotFoundError
from holdfast.settings import load_settings
from holdfast.types import OPERATOR
from tests.conftest import lacks
from tests.data.conftest import Shelf

pytestmark = pytest.mark.anyio

LARGE = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7) for number in range(2_000_000))
PATIENCE_SECONDS = 30.0
COMMAND = (sys.executable, "-m", "holdfast.cli", "datasets")


def environment(state: Path) -> Mapping[str, str]:
    settings = load_settings()
    own = {"HOLDFAST_STATE_DIR": str(state), "HOLDFAST_GUEST_ENV": str(settings.guest_environment)}
    return {**os.environ, **own, "HOLDFAST_LANGUAGES_DIR": str(settings.toolchains)}


def command(state: Path, *words: str, within: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """The command line in a process of its own."""
    argv = (*within, *COMMAND, *words)
    return subprocess.run(argv, env=environment(state), capture_output=True, text=True, check=False, timeout=50)


def started(state: Path, *words: str) -> "subprocess.Popen[bytes]":
    """The same, without waiting for it."""
    return subprocess.Popen((*COMMAND, *words), env=environment(state), stdout=subprocess.DEVNULL)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # it is told to nobody
            await anyio.sleep(0.02)


async def test_who_is_killed_in_the_middle_registers_nothing_and_what_is_left_is_swept(
    shelf_with: Callable[..., Any], tmp_path: Path
) -> None:
    shelf: Shelf = await shelf_with()
    source = tmp_path / "large.csv"
    source.write_bytes(LARGE)
    adding = started(tmp_path, "add", str(source))
    try:
        await until(lambda: len(shelf.directories) == 2)
        await shelf.app.datasets.clean_up()
        assert len(shelf.directories) == 2, "what is being made is not swept away"
    finally:
        adding.send_signal(signal.SIGKILL)
        adding.wait()
    await shelf.app.datasets.clean_up()
    assert shelf.directories == []
    with pytest.raises(NotFoundError):
        await shelf.app.datasets.get("large", OPERATOR)


async def test_who_is_cancelled_leaves_nothing(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with()
    async with anyio.create_task_group() as group:
        group.start_soon(shelf.add, {"large.csv": LARGE})
        await until(lambda: len(shelf.directories) == 2)
        group.cancel_scope.cancel()
    assert shelf.directories == []
    assert shelf.app.executor.admission.running == 0


async def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        lacks("root", "only root can make a small disk of its own")
    source = tmp_path / "small.csv"
    source.write_bytes(b"a\n1\n")
    assert command(tmp_path, "add", str(source), "--id", "kept").returncode == 0
    source.write_bytes(LARGE)
    # A mount namespace of its own, which ends with it.
    small = (
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=4m tmpfs {tmp_path}/datasets && exec "$@"',
        "sh",
    )
    said = command(tmp_path, "add", str(source), within=small)
    assert (said.returncode, said.stderr) == (
        125,
        "holdfast: The disk of the server is full; free some space and try again.\n",
    )
    listed = json.loads(command(tmp_path, "list", "--json").stdout)["datasets"]
    assert [each["id"] for each in listed if each["id"] in ("kept", "small")] == ["kept"]


async def test_a_file_goes_when_the_last_run_that_uses_it_is_over(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with()
    made = (await shelf.add({"a.csv": b"x\n1\n"})).dataset
    assert made is not None
    async with shelf.app.executor.sandbox(shelf.spec(made.digest)):
        await shelf.app.datasets.delete(made.id, OPERATOR)
        await anyio.sleep(0.2)
        assert shelf.directories == [made.digest]
        with pytest.raises(NotFoundError):
            async with shelf.app.executor.sandbox(shelf.spec(made.digest)):
                pass
    await until(lambda: shelf.directories == [])


def test_the_memory_of_the_server_does_not_grow_with_the_data() -> None:
    argv = (sys.executable, "-m", "tests.bench.ingest", "1")
    said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=55)
    assert "1,000,000 rows, 101 MB" in said.stdout, said.stderr
    grown = int(said.stdout.rpartition("+")[2].split()[0])
    assert grown < 40


def captured(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """From now on the reader of files does this instead: what a file could make it do."""
    monkeypatch.setattr(program, "files", lambda kind: {program.MAIN: does.encode()})


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"{}",
        b"[]",
        b'[{"file": "a.csv", "table": "a", "format": "csv", "odd": 1}]',
        b'[{"file": "other.csv", "table": "a", "format": "csv", "columns": [{"name": "x", "type": "INT"}]}]',
        b'[{"file": "a.csv", "table": "../a", "format": "csv", "columns": [{"name": "x", "type": "INT"}]}]',
        b'[{"file": "a.csv", "table": "a", "format": "csv", "columns": []}]',
        b'[{"file": "a.csv", "table": "a", "format": "csv", "rows": -1, "columns": [{"name": "x", "type": "INT"}]}]',
        b'[{"file": "a.csv", "table": "a", "format": "csv", "columns": '
        b'[{"name": "x", "type": "I"}, {"name": "X", "type": "I"}]}]',
    ],
)
async def test_what_a_captured_reader_tells_is_not_trusted(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, told: bytes
) -> None:
    captured(monkeypatch, f"open('/workspace/.holdfast/report.json', 'wb').write({told!r}); print('rubbish')")
    before = shelf.directories
    with pytest.raises(IngestFailedError, match="makes no sense"):
        await shelf.add({"a.csv": b"x\n1\n"})
    assert shelf.directories == before


@pytest.mark.parametrize(
    "does",
    ["while True: pass", "import os; os.kill(os.getpid(), 9)", "raise SystemExit(3)", "x = bytearray(1 << 30)"],
)
async def test_a_captured_reader_ends_with_its_sandbox(
    shelf_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    shelf: Shelf = await shelf_with(dataset_timeout=2, dataset_memory="256m")
    captured(monkeypatch, does)
    with pytest.raises(IngestFailedError):
        await shelf.add({"a.csv": b"x\n1\n"})
    assert shelf.directories == []


async def test_a_captured_reader_cannot_fill_the_disk(
    shelf_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf: Shelf = await shelf_with(dataset_total="8m")
    captured(monkeypatch, "import os\nwhile True: os.write(1, bytes(1 << 16))")
    with pytest.raises(IngestFailedError, match="larger than 8,388,608 bytes"):
        await shelf.add({"a.csv": b"x\n1\n"})
    assert shelf.directories == []


async def test_a_folder_with_a_registry_is_read_as_it_is_at_each_moment(
    shelf_with: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "sales.csv").write_text("n\n1\n")
    said = {
        "sales.csv": {"name": "sales.csv", "path": "sales.csv", "schema": {"n": {"type": "INT", "description": "N"}}}
    }
    entry = {"id": "sales", "name": "Sales", "files": list(said.values()), "prompts": ["How many?"], "tags": ["x"]}
    (folder / "registry.json").write_text(json.dumps({"version": "1.0", "datasets": [entry]}))
    shelf: Shelf = await shelf_with(datasets_dir=folder)
    first = await shelf.app.datasets.get("sales", OPERATOR)
    assert [each.id for each in (await shelf.app.datasets.list(OPERATOR)).datasets] == ["sales"]
    assert first.tables[0].columns[0].description == "N"
    (folder / "sales.csv").write_text("n\n1\n2\n")
    second = await shelf.app.datasets.get("sales", OPERATOR)
    assert (second.tables[0].row_count, second.digest != first.digest) == (2, True)
    (folder / "sales.csv").write_text("n,m\n1\n1,2,3\n")
    assert await shelf.app.datasets.get("sales", OPERATOR) == second, "what was good stays"
    (folder / "registry.json").write_text('{"datasets": []}')
    assert (await shelf.app.datasets.list(OPERATOR)).datasets == ()
    (folder / "registry.json").unlink()
    with pytest.raises(EngineError, match="HOLDFAST_DATASETS_DIR"):
        await shelf.app.datasets.list(OPERATOR)


@pytest.mark.parametrize("path", ["../outside.csv", "/etc/hostname", "link.csv", "nothing.csv"])
async def test_a_registry_names_nothing_outside_of_its_folder(
    shelf_with: Callable[..., Any], tmp_path: Path, path: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("n\n1\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    entry = {"id": "sales", "name": "Sales", "files": [{"path": path}]}
    (folder / "registry.json").write_text(json.dumps({"datasets": [entry]}))
    shelf: Shelf = await shelf_with(datasets_dir=folder)
    assert (await shelf.app.datasets.list(OPERATOR)).datasets == ()


async def test_what_nobody_has_used_for_long_goes_and_what_is_used_or_of_the_registry_stays(
    shelf_with: Callable[..., Any],
) -> None:
    shelf: Shelf = await shelf_with(dataset_days=1)
    for name in ("old", "used"):
        await shelf.add({f"{name}.csv": f"{name}\n1\n".encode()}, id=name)
    demo = {each.id for each in (await shelf.app.datasets.list(OPERATOR)).datasets} - {"old", "used"}
    records = shelf.app.settings.state_dir / "dataset-records"
    for path in records.glob("*.json"):
        said = json.loads(path.read_text())
        path.write_text(json.dumps(said | {"created": "2020-01-01T00:00:00Z"}))
    await shelf.app.datasets.get("used", OPERATOR)
    await shelf.app.datasets.clean_up()
    assert {each.id for each in (await shelf.app.datasets.list(OPERATOR)).datasets} == demo | {"used"}
    assert len(shelf.directories) == len(demo) + 1 and not (records / "old.used").exists()


def test_gc_removes_old_datasets_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    command(tmp_path, "add", str(tmp_path / "a.csv"), "--id", "old")
    record = tmp_path / "dataset-records" / "old.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"created": "2020-01-01T00:00:00Z"}))
    for path in record.parent.glob("old.used"):
        os.utime(path, (0, 0))
    argv = (sys.executable, "-m", "holdfast.cli", "gc", "--json")
    done = subprocess.run(argv, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=50)
    assert json.loads(done.stdout)["datasets_removed"] == ["old"], done.stderr
    assert not record.exists() and list((tmp_path / "datasets").iterdir()) == []


async def test_the_command_adds_lists_shows_and_removes(tmp_path: Path) -> None:
    source = tmp_path / "my sales.csv"
    source.write_text("n,city\n1,Bern\nx,Rome\n")
    added = command(tmp_path, "add", str(source), "--id", "mine", "--name", "My sales")
    assert added.returncode == 0, added.stderr
    assert "my sales.csv -> my_sales (csv, utf-8, 2 rows)" in added.stdout
    shown = command(tmp_path, "show", "mine", "--json")
    assert json.loads(shown.stdout)["files"][0]["sample_rows"][0] == {"n": "1", "city": "Bern"}
    source.write_text("n,city\n1,Bern\n\x1b[2J\n")
    broken = command(tmp_path, "add", str(source))
    assert (broken.returncode, "line 3: too few columns: ?[2J" in broken.stderr) == (1, True)
    assert command(tmp_path, "add", "nowhere.csv").returncode == 2
    removed = command(tmp_path, "remove", "mine")
    assert removed.returncode == 0, removed.stderr
    assert command(tmp_path, "remove", "mine").returncode == 2
    kept = [path.name for path in (tmp_path / "datasets").iterdir()]
    assert kept == []


async def test_the_demo_written_to_a_folder_is_a_registry_of_its_own(tmp_path: Path) -> None:
    assert command(tmp_path, "demo", str(tmp_path / "demo")).returncode == 0
    folder, built_in = FolderCatalogue(tmp_path / "demo"), DemoCatalogue()
    assert folder.entries() == built_in.entries()
    assert all(folder.signature(entry) for entry in folder.entries())
