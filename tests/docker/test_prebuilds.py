"""Prebuilt environments on Docker: an image derived from that of a language, made of what a build has left."""

import pytest

from holdfast.errors import BuildFailedError, HoldfastError, UnsupportedError
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
    daemon = Dockerd(workshop.app.settings.docker_socket.parent)
    found = [record.layer for record in workshop.app.prebuilds._store.records()]
    tags = daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "holdfast/prebuilt").split()
    return [tag for tag in tags if any(tag.endswith(layer) for layer in found)]


async def test_a_prebuilt_environment_is_a_derived_image_that_goes_with_it(workshop: Workshop) -> None:
    await workshop.build("answers", SCRIPT)
    assert (await workshop.run(USE, "answers")).stdout == "42 hello\n\n"
    (image,) = derived(workshop)
    await workshop.app.prebuilds.delete("answers", OPERATOR)
    for _ in range(100):
        if image not in Dockerd(workshop.app.settings.docker_socket.parent).docker("images", image):
            break
    else:
        pytest.fail(f"{image} is still there")


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
