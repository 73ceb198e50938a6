"""A builder that is killed leaves nothing half published and nothing running."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.settings import load_settings
from tests.faults.test_sudden_death import a_marker, processes_with
from tests.prebuilds.conftest import Workshop

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30.0


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # it is told to nobody
            await anyio.sleep(0.02)


def a_builder(state: Path, script: Path) -> "subprocess.Popen[bytes]":
    """The command line in a process of its own, building `tag`."""
    settings = load_settings()
    own = {
        "HOLDFAST_STATE_DIR": str(state),
        "HOLDFAST_GUEST_ENV": str(settings.guest_environment),
        "HOLDFAST_LANGUAGES_DIR": str(settings.toolchains),
    }
    words = ("prebuild", "build", "tag", "--base", "bash", "--script", str(script))
    return subprocess.Popen((sys.executable, "-m", "holdfast.cli", *words), env={**os.environ, **own})


async def test_a_builder_killed_in_the_middle_publishes_nothing_and_leaves_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    await workshop.build("tag", "echo old > file", base_image="bash")
    [old] = workshop.found()
    marker = a_marker()
    script = tmp_path / "setup.sh"
    script.write_text(f"echo new > file; sleep {marker}")
    builder = a_builder(tmp_path, script)
    try:
        await until(lambda: len(processes_with(marker)) == 1)
        assert len(workshop.found()) == 2
        await workshop.app.prebuilds._sweep()
        assert len(workshop.found()) == 2, "what is being built is not swept away"
    finally:
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    await until(lambda: not processes_with(marker))
    assert (await workshop.run("cat /opt/holdfast/layer/file", "tag")).stdout == "old\n"
    await until(lambda: builder.poll() is not None)
    await workshop.app.prebuilds._sweep()
    assert workshop.found() == [old]
    await workshop.build("tag", "echo newer > file", base_image="bash")


async def test_cancelling_a_build_ends_it_and_leaves_nothing(workshop: Workshop) -> None:
    marker = a_marker()

    async def build() -> Any:
        await workshop.build("cancelled", f"echo x > file; sleep {marker}", base_image="bash")

    async with anyio.create_task_group() as group:
        group.start_soon(build)
        await until(lambda: len(processes_with(marker)) == 1)
        group.cancel_scope.cancel()
    await until(lambda: not processes_with(marker))
    assert workshop.found() == []


async def test_draining_ends_a_build(workshop: Workshop) -> None:
    marker = a_marker()
    failures = []

    async def build() -> None:
        try:
            await workshop.build("drained", f"sleep {marker}", base_image="bash")
        except Exception as error:
            failures.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        group.start_soon(build)
        await until(lambda: len(processes_with(marker)) == 1)
        await workshop.app.executor.drain(0.1)
    assert failures == ["ShuttingDownError"]
    assert workshop.found() == []
