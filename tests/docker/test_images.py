"""The images that are built, and what the files for the service ask for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.engines.docker import DockerConfig
from holdfast.engines.docker.config import IMAGES
from holdfast.errors import HostError, UnknownLanguageError
from holdfast.images import Sources, build, dockerfile, present
from holdfast.languages import LANGUAGES
from tests.conftest import lacks
from tests.docker.test_containers import Docker

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
SEED_LABELS = ("qm.name", "qm.description", "qm.default_entrypoint", "qm.file_extension", "qm.main_file")
TOOLS_NOBODY_NEEDS = "gcc cc make pip pip3 git curl wget"
LINKER = ("gcc", "cc")
"""What Rust's compiler cannot do without."""


def sources(folder: Path) -> Sources:
    return Sources(folder / "none", folder / "none")


async def test_every_image_says_what_the_seeds_said_and_has_another_user_than_root(
    config: DockerConfig, docker: Docker
) -> None:
    found = await present(config)
    assert "python" in [image["language"] for image in found]
    for image in found:
        (about,) = json.loads(docker("inspect", image["image"]))
        assert about["Config"]["User"] == "1000:1000"
        assert about["Config"]["Labels"].keys() >= set(SEED_LABELS)
        assert about["Config"]["Labels"]["qm.main_file"] == LANGUAGES[image["language"]].main_file


@pytest.mark.parametrize("name", IMAGES)
async def test_an_image_has_no_tools_to_build_with(config: DockerConfig, docker: Docker, name: str) -> None:
    if name not in [image["language"] for image in await present(config)]:
        lacks("languages", f"there is no image of {LANGUAGES[name].title}")
    allowed = LINKER if name == "rust" else ()
    look = f"for tool in {TOOLS_NOBODY_NEEDS}; do command -v $tool; done; true"
    found = docker("run", "--rm", "--network", "none", "--entrypoint", "sh", config.image(name), "-c", look).split()
    assert [path for path in found if Path(path).name not in allowed] == []


async def test_the_command_builds_upon_the_base_it_is_told(
    config: DockerConfig, docker: Docker, tmp_path: Path
) -> None:
    mine = f"holdfast-mine-{os.getpid()}"
    base = f"{mine}/somewhere:1"
    (tmp_path / "Dockerfile").write_text("FROM holdfast-base:python\nRUN echo here > /etc/mine\n")
    docker("build", "--tag", base, str(tmp_path))
    given = {"HOLDFAST_DOCKER_IMAGES": mine, "HOLDFAST_DOCKER_SOCKET": str(config.socket)}
    command = [sys.executable, "-m", "holdfast.cli", "images"]
    try:
        done = subprocess.run(  # noqa: ASYNC221
            [*command, "build", "bash", "--base", base],
            env={**os.environ, **given}, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=120,
        )  # fmt: skip
        assert f"Ready: {mine}/bash:latest" in done.stdout
        assert docker("run", "--rm", "--network", "none", f"{mine}/bash", "cat", "/etc/mine") == "here\n"
        listed = subprocess.run(  # noqa: ASYNC221
            [*command, "list", "--json"], env={**os.environ, **given}, capture_output=True, check=True, cwd=tmp_path
        )
        assert [image["language"] for image in json.loads(listed.stdout)] == ["bash"]
    finally:
        docker("rmi", "--force", f"{mine}/bash", f"{mine}/base", base)


async def test_a_language_without_an_image_is_refused_by_name(config: DockerConfig, tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguageError, match="'cobol' has no image; there is one for: python"):
        await build(config, sources(tmp_path), ["cobol"], None, print)


async def test_without_a_daemon_nothing_is_built(tmp_path: Path) -> None:
    nowhere = DockerConfig(tmp_path / "docker.sock", tmp_path, tmp_path)
    with pytest.raises(HostError, match="No Docker daemon answers"):
        await build(nowhere, sources(tmp_path), ["bash"], None, print)


@pytest.mark.parametrize("name", ["base", *IMAGES])
def test_the_base_of_every_image_is_an_argument(name: str) -> None:
    lines = [line for line in dockerfile(name).splitlines() if line.startswith(("ARG", "FROM"))]
    assert re.fullmatch(r"ARG BASE(=\S+)?\nFROM \$\{BASE\}", "\n".join(lines))
    assert (ROOT / "images" / name / "Dockerfile").read_text() == dockerfile(name)


def test_the_service_is_asked_for_with_a_key_limits_and_nothing_it_can_write_to() -> None:
    described: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    service = described["services"]["holdfast"]
    assert service["environment"]["HOLDFAST_API_KEYS"].startswith("${HOLDFAST_API_KEYS:?")
    assert service["read_only"] is True and service["user"] == "1000:1000" and service["cap_drop"] == ["ALL"]
    assert "${HOLDFAST_DOCKER_SOCKET:-/var/run/docker.sock}:/var/run/docker.sock" in service["volumes"]
    resources = service["deploy"]["resources"]
    assert resources["limits"] == {"cpus": "0.5", "memory": "256M"}
    assert resources["reservations"] == {"cpus": "0.25", "memory": "128M"}
