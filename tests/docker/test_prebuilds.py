"""Prebuilt environments on Docker: an image derived from that of a language, made of what a build has left."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from holdfast.engines import SandboxSpec
from holdfast.engines.docker.config import LAYER_LABEL
from holdfast.errors import BuildFailedError, HoldfastError, UnsupportedError
from holdfast.testing.attacks.arena import LIMITS
from holdfast.testing.contract.case import command, run_in
from holdfast.types import OPERATOR
from tests.docker.conftest import Workshop, opened
from tests.dockerd import Dockerd

pytestmark = pytest.mark.anyio

SCRIPT = """
mkdir -p lib/python3.11/site-packages
echo 'VALUE = 42' > lib/python3.11/site-packages/answer.py
printf '#!/bin/sh\\necho hello\\n' > bin/greet
chmod +x bin/greet
"""
USE = "import answer, subprocess; print(answer.VALUE, subprocess.run(['greet'], capture_output=True, text=True).stdout)"


def derived(workshop: Workshop) -> list[str]:
    """The images of what this server has prebuilt, of each the one of the layer it has last."""
    (record,) = workshop.app.prebuilds._store.records()
    return images_of(workshop, record.layer)


def images_of(workshop: Workshop, layer: str) -> list[str]:
    words = ("images", "--filter", f"label={LAYER_LABEL}={layer}", "--format", "{{.Repository}}:{{.Tag}}")
    return daemon_of(workshop).docker(*words).split()


def daemon_of(workshop: Workshop) -> Dockerd:
    return Dockerd(workshop.app.settings.docker_socket.parent)


async def until_gone(workshop: Workshop, image: str) -> None:
    with anyio.fail_after(30):
        while image.partition(":")[2] in daemon_of(workshop).docker("images", image):  # noqa: ASYNC110
            await anyio.sleep(0.1)


async def test_a_prebuilt_environment_is_a_derived_image_that_goes_with_it(workshop: Workshop) -> None:
    await workshop.build("answers", SCRIPT)
    assert (await workshop.run(USE, "answers")).stdout == "42 hello\n\n"
    (image,) = derived(workshop)
    await workshop.app.prebuilds.delete("answers", OPERATOR)
    await until_gone(workshop, image)


async def test_the_image_of_one_that_is_deleted_while_a_program_uses_it_goes_with_the_program(
    workshop: Workshop,
) -> None:
    await workshop.build("answers", SCRIPT)
    assert (await workshop.run(USE, "answers")).stdout == "42 hello\n\n"
    (image,) = derived(workshop)
    layer = workshop.app.prebuilds._store.records()[0].layer
    engine = workshop.app.executor.engine
    sandbox = await engine.create(SandboxSpec("python", LIMITS, layer=layer))
    await workshop.app.prebuilds.delete("answers", OPERATOR)
    await anyio.sleep(1.5)
    assert image.partition(":")[2] in daemon_of(workshop).docker("images", image)
    assert (await run_in(sandbox, command("print(1)"))).stdout == b"1\n"
    await sandbox.aclose()
    await until_gone(workshop, image)


async def test_what_is_deleted_just_before_the_end_leaves_no_image_for_good(anyio_backend: str, tmp_path: Path) -> None:
    async with opened(tmp_path) as workshop:
        await workshop.build("answers", SCRIPT)
        assert (await workshop.run(USE, "answers")).stdout == "42 hello\n\n"
        (image,) = derived(workshop)
        workshop.app.prebuilds._store.remove("answers")
    async with opened(tmp_path) as workshop:
        await workshop.run("print(1)")
    async with opened(tmp_path) as workshop:
        await until_gone(workshop, image)


@pytest.fixture
async def of_mine(anyio_backend: str, tmp_path: Path, workshop: Workshop) -> AsyncIterator[Workshop]:
    """On images that a test may build again."""
    daemon, mine = daemon_of(workshop), f"holdfast-mine-{os.getpid()}"
    daemon.docker("tag", "holdfast/python", f"{mine}/python")
    try:
        async with opened(tmp_path / "mine", docker_images=mine) as made:
            yield made
    finally:
        found = daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{mine}/*").split()
        daemon.docker("rmi", "--force", *found)


async def test_a_prebuilt_environment_is_upon_the_image_of_today(of_mine: Workshop, tmp_path: Path) -> None:
    image = f"{of_mine.app.settings.docker_images}/python"
    look = "import answer, os; print(answer.VALUE, os.path.exists('/etc/newer'))"
    await of_mine.build("answers", SCRIPT)
    assert (await of_mine.run(look, "answers")).stdout == "42 False\n"
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nUSER 0:0\nRUN touch /etc/newer\nUSER 1000:1000\n")
    daemon_of(of_mine).docker("build", "--tag", image, str(tmp_path))
    assert (await of_mine.run(look, "answers")).stdout == "42 True\n"


async def test_programs_cannot_change_what_a_build_has_made(workshop: Workshop) -> None:
    await workshop.build("answers", SCRIPT)
    result = await workshop.run("open('/opt/holdfast/layer/bin/greet', 'w')", "answers")
    assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr
    await workshop.app.prebuilds.delete("answers", OPERATOR)


@pytest.mark.parametrize(
    "given",
    [
        {"tag": "a\nRUN id"},
        {"tag": "a b"},
        {"tag": "../a"},
        {"tag": "x", "base_image": "python\nRUN id"},
        {"tag": "x", "base_image": "debian:bookworm"},
    ],
)
async def test_no_field_of_a_build_reaches_a_dockerfile(workshop: Workshop, given: dict[str, str]) -> None:
    with pytest.raises((HoldfastError, ValueError)):
        await workshop.build(given.pop("tag"), "true", **given)


async def test_a_build_has_time_size_and_network_limits(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with opened(tmp_path_factory.mktemp("s"), prebuild_timeout=1.0, prebuild_size="1m") as workshop:
        with pytest.raises(BuildFailedError, match="time limit"):
            await workshop.build("slow", "sleep 30")
        with pytest.raises(BuildFailedError, match=r"larger|room"):
            await workshop.build("large", "head -c 3000000 /dev/urandom > large")
        with pytest.raises(UnsupportedError):
            await workshop.build("online", "true", allow_network=True)
