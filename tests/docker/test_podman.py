"""The same engine on a Podman service instead of a Docker daemon."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from holdfast.app import open_engine
from holdfast.engines import Engine
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks import ATTACKS, Attack, Result, run_attack
from holdfast.testing.contract import CASES, Case, run_case
from holdfast.testing.languages import LanguageMissingError
from tests.conftest import lacks
from tests.docker.conftest import SMALL
from tests.dockerd import PLACE, Dockerd
from tests.podman import Podman, running

pytestmark = pytest.mark.anyio

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


def _chosen(cases: tuple[Case, ...] | list[Case]) -> list[Case]:
    return [case for number, case in enumerate(cases) if number % EVERY == 0]


@pytest.mark.parametrize("case", _chosen(list(CASES)), ids=lambda case: case.name)
async def test_a_promise_of_the_seam_holds_on_podman(case: Case, on_podman: Engine) -> None:
    try:
        await run_case(case, on_podman)
    except LanguageMissingError as missing:
        pytest.skip(f"only one image was carried to Podman: {missing}")


CHOSEN_ATTACKS = [attack for number, attack in enumerate(ATTACKS) if number % (8 * EVERY) == 0]


@pytest.mark.parametrize("attack", CHOSEN_ATTACKS, ids=lambda attack: f"{attack.aim}-{attack.name}")
async def test_an_attack_is_contained_on_podman(attack: Attack, on_podman: Engine) -> None:
    outcome = (await run_attack(attack, on_podman)).outcome
    if outcome.result is Result.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {outcome.reason}")
    assert outcome.result is Result.CONTAINED, outcome.reason
