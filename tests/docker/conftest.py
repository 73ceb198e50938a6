"""The product on a Docker daemon, as far as this machine has one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import App, docker_config, open_app
from holdfast.engines.docker import DockerConfig, DockerEngine
from holdfast.settings import load_settings
from holdfast.types import OPERATOR, Prebuild, PrebuildRequest, RunRequest, RunResult
from tests.conftest import ABSENT, absent, lacks
from tests.dockerd import PLACE, Dockerd, unmount_below

DISK_BYTES = 1 << 30
"""Of the daemon that a test may do anything to."""

SMALL = "holdfast-small"
"""Images that are quickly carried to another daemon: Python without any packages."""


class Workshop:
    """An application, and short ways to run and build as its operator."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def build(self, tag: str, script: str, **given: Any) -> Prebuild:
        return await self.app.prebuilds.build(PrebuildRequest(tag=tag, setup_script=script, **given), OPERATOR)

    async def run(self, code: str, image: str = "python", **given: Any) -> RunResult:
        request = RunRequest.model_validate({"code": code, "image": image, **given})
        async with self.app.prebuilds.using(request, OPERATOR) as placed:
            return await self.app.executor.run(placed)


@asynccontextmanager
async def opened(folder: Path, **overrides: Any) -> AsyncIterator[Workshop]:
    usual = load_settings()
    here = {"state_dir": folder, "guest_env": usual.guest_environment, "languages_dir": usual.toolchains}
    async with AsyncExitStack() as stack:
        try:
            settings = load_settings({**here, "engine": "docker", "pool_size": 0, **overrides})
            app = await stack.enter_async_context(open_app(settings))
        except ABSENT as error:
            absent("docker", error)
        async with app.prebuilds.open():
            yield Workshop(app)


@pytest.fixture
async def workshop(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
async def config(anyio_backend: str, tmp_path: Path) -> DockerConfig:
    """The operator's configuration of the engine, known to work here."""
    wanted = docker_config(load_settings({"engine": "docker", "state_dir": tmp_path, "pool_size": 0}))
    try:
        async with DockerEngine.open(wanted):
            return wanted
    except ABSENT as error:
        absent("docker", error)


@pytest.fixture
def docker(config: DockerConfig) -> Callable[..., str]:
    """Docker's own command, on the daemon of the settings."""
    return Dockerd(config.socket.parent).docker


@pytest.fixture(scope="module")
def other_daemon() -> Iterator[Dockerd]:
    """A daemon that a test may stop as it likes, with the smallest image that can run Python."""
    usual = Dockerd(PLACE)
    if os.geteuid() != 0 or shutil.which("dockerd") is None or not usual.answers():
        lacks("docker", "there is no Docker daemon of the tests; run: make dockerd")
    # Not where pytest keeps its own: a daemon that is killed leaves mounts, which nobody but `stop` takes away.
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-dockerd-{os.getpid()}-", dir="/var/tmp"))
    # A disk of its own, so that a test can fill it.
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "scratch", str(disk)], check=True)
    daemon = Dockerd(disk / "docker")
    archive = folder / "image.tar"
    usual.docker("tag", "holdfast/bash", f"{SMALL}/python")
    usual.docker("save", "--output", str(archive), f"{SMALL}/python")
    usual.docker("rmi", f"{SMALL}/python")
    daemon.start()
    try:
        daemon.docker("load", "--input", str(archive))
        yield daemon
    finally:
        daemon.stop()
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
