"""What a sandbox is shown of the datasets there are: one of them, or none."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from holdfast.engines.pooled import PooledEngine, Stocking
from holdfast.errors import HoldfastError, NotFoundError, UnsupportedError
from holdfast.types import OPERATOR
from tests.data.conftest import Shelf, said

pytestmark = pytest.mark.anyio

ONE, OTHER = {"one.csv": b"secret\nONE\n"}, {"other.csv": b"secret\nOTHER\n"}


async def digest_of(shelf: Shelf, files: dict[str, bytes]) -> str:
    made = (await shelf.add(files)).dataset
    assert made is not None
    return made.digest


async def test_a_program_sees_its_dataset_and_no_other(shelf: Shelf) -> None:
    one, other = await digest_of(shelf, ONE), await digest_of(shelf, OTHER)
    assert await shelf.ask(one, "FROM one") == [["ONE"]]
    assert await shelf.ask(other, "FROM other") == [["OTHER"]]
    code, text = await shelf.shell(one, "ls -A /data; cat /proc/self/mountinfo; ls -A /data/..; cat /proc/mounts")
    assert code == 0
    assert text.startswith("data.duckdb\n")
    assert other not in text
    assert str(shelf.app.settings.state_dir) not in text
    code, _ = await shelf.shell(one, f"cat /data/../{other}/data.duckdb || cat /data/{other}/data.duckdb")
    assert code != 0


async def test_a_program_without_a_dataset_sees_none(shelf: Shelf) -> None:
    await digest_of(shelf, ONE)
    async with shelf.app.executor.sandbox(replace(shelf.spec(""), data="")) as sandbox:
        assert await said(sandbox, "sh", "-c", "ls -A /data 2>/dev/null; grep -c ' /data ' /proc/self/mountinfo") == (
            1,
            "0\n",
        )


@pytest.mark.parametrize(
    "attempt",
    [
        "echo x > /data/new",
        "echo x >> /data/data.duckdb",
        "rm -f /data/data.duckdb",
        "chmod 777 /data/data.duckdb",
        "umount /data",
        "mount -o remount,rw /data",
        "mount --bind / /data",
        "unshare -Urm umount /data",
    ],
)
async def test_a_program_cannot_change_its_dataset_nor_look_behind_it(shelf: Shelf, attempt: str) -> None:
    one, other = await digest_of(shelf, ONE), await digest_of(shelf, OTHER)
    code, text = await shelf.shell(one, f"({attempt}) 2>/dev/null; code=$?; ls -A /data; exit $code")
    assert code != 0
    assert text.endswith("data.duckdb\n")
    assert other not in text
    assert await shelf.ask(one, "FROM one") == [["ONE"]]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "", "é", "f" * 64, "x\0y", "../datasets"])
async def test_a_name_that_is_no_dataset_is_refused(shelf: Shelf, name: str) -> None:
    if name:
        with pytest.raises(NotFoundError):
            async with shelf.app.executor.sandbox(shelf.spec(name)):
                pass
    with pytest.raises(NotFoundError):
        await shelf.app.datasets.get(name, OPERATOR)


async def test_a_prebuilt_environment_and_a_dataset_are_not_given_together(shelf: Shelf) -> None:
    one = await digest_of(shelf, ONE)
    with pytest.raises(UnsupportedError):
        await shelf.app.executor.engine.create(replace(shelf.spec(one), layer="0" * 24))


async def test_sandboxes_in_stock_belong_to_one_dataset(shelf: Shelf) -> None:
    one, other = await digest_of(shelf, ONE), await digest_of(shelf, OTHER)
    engine = shelf.app.executor.engine
    kept = {engine.stock_spec(shelf.spec(digest)): 1 for digest in (one, other)}
    assert len(kept) == 2
    async with PooledEngine.open(engine, Stocking(standing=kept, most=4, most_bytes=1 << 30)) as stocked:
        for digest, table in ((one, "ONE"), (other, "OTHER")):
            sandbox = await stocked.create(shelf.spec(digest))
            try:
                code, text = await said(sandbox, "sh", "-c", f"grep -q {table} /data/data.duckdb")
                assert (code, text) == (0, "")
            finally:
                await sandbox.aclose()


async def test_what_was_deleted_can_come_again(shelf_with: Callable[..., Any]) -> None:
    shelf: Shelf = await shelf_with()
    for _ in range(2):
        report = await shelf.add(ONE)
        assert report.dataset is not None
        assert await shelf.ask(report.dataset.digest, "FROM one") == [["ONE"]]
        await shelf.app.datasets.delete(report.dataset.id, OPERATOR)
        await shelf.app.executor.engine.forget(report.dataset.digest)
        await shelf.app.datasets.clean_up()
        assert shelf.directories == []
        with pytest.raises(HoldfastError):
            await shelf.ask(report.dataset.digest, "FROM one")


async def test_whatever_the_umask_of_the_server_programs_can_read_their_dataset(shelf_with: Callable[..., Any]) -> None:
    before = os.umask(0o077)
    try:
        shelf: Shelf = await shelf_with()
        assert await shelf.ask(await digest_of(shelf, ONE), "FROM one") == [["ONE"]]
    finally:
        os.umask(before)
