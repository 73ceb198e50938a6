"""The daemon stops, comes back, or loses a container while programs run."""

import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import httpx
import pytest

from holdfast.api import create_api
from holdfast.engines.docker.config import STATE_LABEL
from holdfast.engines.pooled import PooledEngine
from holdfast.errors import EngineError
from holdfast.types import OPERATOR, Status
from tests.docker.conftest import SMALL, Workshop, opened
from tests.dockerd import Dockerd

pytestmark = pytest.mark.anyio

MEMORY_EATERS = [
    "x = [bytearray(1 << 20) for _ in range(400)]",
    "import os\nfor _ in range(8):\n    if os.fork() == 0:\n        x = [bytearray(1 << 20) for _ in range(400)]\n"
    "for _ in range(8): os.wait()",
]
WAITING = "import time; print('started', flush=True); time.sleep(60)"


@pytest.fixture
async def fragile(anyio_backend: str, other_daemon: Dockerd, tmp_path: Path) -> AsyncIterator[Workshop]:
    """The product on a daemon that may be stopped."""
    await anyio.to_thread.run_sync(other_daemon.start)
    there = {"docker_socket": other_daemon.socket, "docker_images": SMALL}
    async with opened(tmp_path / "state", **there) as made:
        yield made


async def _failure_of(workshop: Workshop, deed: Callable[[], object]) -> EngineError:
    """What a run that is under way raises when something is done to it from outside."""
    raised: list[EngineError] = []

    async def run() -> None:
        with pytest.raises(EngineError) as caught:
            await workshop.run(WAITING)
        raised.append(caught.value)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.sleep(1.5)
        await anyio.to_thread.run_sync(deed)
    return raised[0]


async def test_a_daemon_that_stops_is_no_failure_of_the_program_and_runs_go_on_when_it_is_back(
    fragile: Workshop, other_daemon: Dockerd
) -> None:
    assert (await fragile.run("print(1)")).stdout == "1\n"
    failure = await _failure_of(fragile, other_daemon.stop)
    assert (failure.code, failure.http_status, failure.retryable) == ("engine_error", 503, True)
    with pytest.raises(EngineError, match="The Docker daemon does not answer") as refused:
        await fragile.run("print(2)")
    assert refused.value.retry_after_seconds
    await anyio.to_thread.run_sync(other_daemon.start)
    assert (await fragile.run("print(3)")).stdout == "3\n"
    await _until_empty(other_daemon)


async def test_a_server_with_stock_answers_503_while_the_daemon_is_away_and_fills_it_again(
    anyio_backend: str, other_daemon: Dockerd, tmp_path: Path
) -> None:
    await anyio.to_thread.run_sync(other_daemon.start)
    there = {"docker_socket": other_daemon.socket, "docker_images": SMALL, "pool_size": 3, "warm_modules": ()}
    async with opened(tmp_path / "state", **there) as made:
        stock = made.app.executor.engine
        assert isinstance(stock, PooledEngine)
        await _until(lambda: stock.in_stock > 0)
        transport = httpx.ASGITransport(create_api(made.app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
            await anyio.to_thread.run_sync(other_daemon.stop)
            refused = await client.post("/run", json={"code": "print(1)"})
            assert (refused.status_code, refused.json()["code"]) == (503, "engine_error")
            assert refused.headers["Retry-After"] == "5"
            await anyio.to_thread.run_sync(other_daemon.start)
            answer = await client.post("/run", json={"code": "print(2)"})
            assert (answer.status_code, answer.json()["stdout"]) == (200, "2\n")
        await _until(lambda: stock.in_stock > 0)
        assert not any(sandbox.lost for shelf in stock._shelves.values() for sandbox in shelf.stock)
    await _until_empty(other_daemon)


async def test_a_daemon_that_is_away_while_something_is_deleted_ends_no_server(
    fragile: Workshop, other_daemon: Dockerd
) -> None:
    await fragile.build("answers", "echo hello > greeting")
    await anyio.to_thread.run_sync(other_daemon.stop)
    await fragile.app.prebuilds.delete("answers", OPERATOR)
    await anyio.sleep(1.5)
    await anyio.to_thread.run_sync(other_daemon.start)
    await fragile.build("answers", "echo hello > greeting")
    assert (await fragile.run("print(open('/opt/holdfast/layer/greeting').read())", "answers")).stdout == "hello\n\n"


async def test_a_daemon_that_is_killed_leaves_no_orphan_once_it_is_back(
    fragile: Workshop, other_daemon: Dockerd
) -> None:
    failure = await _failure_of(fragile, lambda: other_daemon.stop(signal.SIGKILL))
    assert failure.http_status == 503
    await anyio.to_thread.run_sync(other_daemon.start)
    assert (await fragile.run("print(3)")).status is Status.SUCCEEDED
    await _until_empty(other_daemon)


async def test_a_daemon_whose_disk_is_full_is_a_503_and_runs_go_on_when_there_is_room(
    fragile: Workshop, other_daemon: Dockerd
) -> None:
    assert (await fragile.run("print(1)")).stdout == "1\n"
    filler = other_daemon.place / "filler"
    try:
        await anyio.to_thread.run_sync(_fill, filler)
        with pytest.raises(EngineError, match="The disk of the Docker daemon is full") as refused:
            await fragile.run("print(2)")
        assert refused.value.http_status == 503 and refused.value.retry_after_seconds
    finally:
        filler.unlink(missing_ok=True)
    assert (await fragile.run("print(3)")).stdout == "3\n"
    await _until_empty(other_daemon)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


async def test_a_container_that_is_killed_from_outside_is_no_failure_of_the_program(
    fragile: Workshop, other_daemon: Dockerd
) -> None:
    def kill() -> None:
        other_daemon.docker("kill", *_containers(other_daemon))

    failure = await _failure_of(fragile, kill)
    assert (failure.code, failure.http_status, failure.retryable) == ("engine_error", 503, True)
    assert (await fragile.run("print(2)")).stdout == "2\n"


async def test_a_program_that_takes_all_memory_of_its_container_is_out_of_memory(fragile: Workshop) -> None:
    result = await fragile.run("x = [bytearray(1 << 20) for _ in range(400)]", mem_limit="64m")
    assert result.status is Status.OUT_OF_MEMORY


@pytest.mark.parametrize("code", MEMORY_EATERS)
async def test_a_program_that_takes_all_memory_of_gvisor_is_out_of_memory(
    anyio_backend: str, tmp_path: Path, code: str
) -> None:
    async with opened(tmp_path, docker_runtime="runsc") as workshop:
        result = await workshop.run(code, mem_limit="64m", disk_limit="48m")
    assert (result.status, result.exit_code) == (Status.OUT_OF_MEMORY, 137)


def _containers(daemon: Dockerd) -> list[str]:
    return daemon.docker("ps", "--all", "--quiet", "--filter", f"label={STATE_LABEL}").split()


async def _until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not holds():  # noqa: ASYNC110  # the stock tells nobody
            await anyio.sleep(0.1)


async def _until_empty(daemon: Dockerd) -> None:
    with anyio.fail_after(30):
        while await anyio.to_thread.run_sync(_containers, daemon):  # noqa: ASYNC110  # Docker removes them
            await anyio.sleep(0.2)
