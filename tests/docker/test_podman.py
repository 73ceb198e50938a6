"""The same engine on a Podman service instead of a Docker daemon."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from holdfast.app import open_engine
from holdfast.engines import Engine
from holdfast.languages import LANGUAGES
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.contract import CASES, Case, run_case
from holdfast.types import OPERATOR
from tests.conftest import lacks
from tests.docker.conftest import SMALL, opened
from tests.docker.test_prebuilds import SCRIPT, USE
from tests.dockerd import PLACE, Dockerd
from tests.podman import Podman, running

pytestmark = pytest.mark.anyio

T = TypeVar("T")

EVERY = int(os.environ.get("TESTS_ATTACK_SAMPLE", "1"))


@pytest.fixture(scope="module")
def service() -> Iterator[Podman]:
    daemon = Dockerd(PLACE)
    if os.geteuid() != 0 or shutil.which("podman") is None:
        lacks("podman", "podman is not installed here, or nobody is root; run: sudo apt install podman")
    if not daemon.answers():
        lacks("podman", "there is no Docker daemon of the tests to take an image from; run: make dockerd")
    place = Path(tempfile.mkdtemp(prefix="holdfast-podman-", dir="/var/tmp"))
    daemon.docker("tag", "holdfast/bash", f"{SMALL}/python")
    try:
        with running(place, daemon, f"{SMALL}/python") as podman:
            yield podman
    finally:
        daemon.docker("rmi", f"{SMALL}/python")
        shutil.rmtree(place)


@pytest.fixture(scope="module")
async def on_podman(service: Podman, anyio_backend: str) -> AsyncIterator[Engine]:
    settings = {"engine": "docker", "docker_socket": service.socket, "docker_images": SMALL, "pool_size": 0}
    async with open_engine(load_settings(settings), Metrics()) as engine:
        yield engine


def _chosen(rows: Sequence[T], every: int) -> list[T]:
    return [row for number, row in enumerate(rows) if number % every == 0]


# Only one image is carried to Podman, which has Python.
OF_OTHERS = set(LANGUAGES) - {"python"}
IN_PYTHON = [case for case in CASES if not any(f"_in_{name}_" in f"_in_{case.name}_" for name in OF_OTHERS)]
ATTEMPTS = [attack for attack in ATTACKS if attack.name.rpartition("_in_")[2] not in OF_OTHERS]


@pytest.mark.parametrize("case", _chosen(IN_PYTHON, EVERY), ids=lambda case: case.name)
async def test_a_promise_of_the_seam_holds_on_podman(case: Case, on_podman: Engine) -> None:
    await run_case(case, on_podman)


@pytest.mark.parametrize("attack", _chosen(ATTEMPTS, 8 * EVERY), ids=lambda attack: f"{attack.aim}-{attack.name}")
async def test_an_attack_is_contained_on_podman(attack: Attack, on_podman: Engine) -> None:
    outcome = (await run_attack(attack, on_podman)).outcome
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is Result.CONTAINED, outcome.reason


async def test_a_server_on_podman_runs_programs_with_and_without_a_prebuilt_environment(
    service: Podman, tmp_path: Path
) -> None:
    async with opened(tmp_path, docker_socket=service.socket, docker_images=SMALL) as workshop:
        assert workshop.app.executor.runtimes["python"]
        assert (await workshop.run("print(6 * 7)")).stdout == "42\n"
        await workshop.build("answers", SCRIPT)
        assert (await workshop.run(USE, "answers")).stdout == "42 hello\n\n"
        layer = workshop.app.prebuilds._store.records()[0].layer
        assert layer in service.podman("images")
        await workshop.app.prebuilds.delete("answers", OPERATOR)
        with anyio.fail_after(30):
            while layer in service.podman("images"):  # noqa: ASYNC110  # Podman removes it
                await anyio.sleep(0.2)
