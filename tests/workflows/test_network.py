"""A task has a network when it asks for one and the operator allows it, and its repository is cloned in a sandbox."""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.engines.local import network as policy
from holdfast.errors import WorkspaceError
from tests.conftest import lacks, local_app
from tests.local import world as places
from tests.workflows.conftest import World
from tests.workflows.test_actions import _repository

pytestmark = pytest.mark.anyio
REPOSITORY = f"git://{places.PUBLIC}/project"
CALLS = f"timeout 5 bash -c 'head -c 8 < /dev/tcp/{places.PUBLIC}/80' 2>/dev/null || echo nothing"
LOOKS = {"steps": [{"run": CALLS}]}


@contextmanager
def served(folder: Path, place: int) -> Iterator[None]:
    """A repository that the internet has."""
    _repository(folder)
    listens = [f"--base-path={folder.parent}", f"--listen={places.PUBLIC}", "--export-all", "--reuseaddr"]
    command = ["nsenter", "-t", str(place), "-n", "git", "daemon", *listens, str(folder.parent)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            end = time.monotonic() + 10
            while b":24CA " not in Path(f"/proc/{place}/net/tcp").read_bytes():
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.02)
            yield
        finally:
            os.killpg(process.pid, 9)


@pytest.fixture(scope="module", autouse=True)
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    missing = [name for name in ("ip", "nft", "slirp4netns") if shutil.which(name, path=policy._PLACES) is None]
    if missing or os.geteuid() != 0:
        lacks("network", f"a network needs {', '.join(missing)}" if missing else "making a small internet needs root")
    folder = tmp_path_factory.mktemp("served") / "project"
    folder.mkdir()
    with places.small_internet() as there, served(folder, there["internet"]):
        yield


@pytest.fixture(scope="module")
async def online(anyio_backend: str, internet: None) -> AsyncIterator[World]:
    async with local_app(pool_size=0, allow_network=True) as app:
        yield World(app.executor)


async def test_a_task_has_a_network_only_when_it_asks_for_one(online: World) -> None:
    assert (await online.run(LOOKS, network=True)).out == ["internet"]
    assert (await online.run(LOOKS)).out == ["nothing"]
    assert (await online.run(LOOKS, network=False)).out == ["nothing"]


@pytest.mark.parametrize(("ref", "content"), [(None, "2"), ("main", "2"), ("v1", "1")])
async def test_a_repository_is_cloned_and_the_task_has_no_network_by_that(
    online: World, ref: str | None, content: str
) -> None:
    git = {"url": REPOSITORY} | ({} if ref is None else {"ref": ref})
    steps = {"steps": [{"run": f"cat file; git log --oneline | wc -l; {CALLS}; echo 3 > file"}]}
    task = await online.run(steps, workspace={"git": git})
    assert task.failure is None and task.out == [content, content, "nothing"]
    assert f"-{content}\n+3\n" in task.files["workspace.diff"].decode()


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        (REPOSITORY, "nowhere"),
        (f"git://{places.PUBLIC}/absent", None),
        (f"git://{places.METADATA}/project", None),
        (f"git://{places.HOST_LOOPBACK}/project", None),
    ],
)
async def test_a_repository_that_cannot_be_had_fails_the_task_with_the_reason(
    online: World, url: str, ref: str | None
) -> None:
    with pytest.raises(WorkspaceError, match="The repository cannot be cloned"):
        await online.run(LOOKS, workspace={"git": {"url": url} | ({} if ref is None else {"ref": ref})})
