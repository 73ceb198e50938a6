"""What `holdfast doctor` says of the engines that can be chosen."""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from holdfast.app import probe_engines
from holdfast.settings import load_settings

pytestmark = pytest.mark.anyio

ENGINES = {"local", "docker", "docker+runsc", "gvisor"}


async def test_doctor_says_what_every_engine_enforces_or_lacks() -> None:
    with anyio.fail_after(50):
        found = await probe_engines(load_settings({"pool_size": 0}))
    assert found.keys() == ENGINES
    for name, capabilities in found.items():
        assert capabilities.layers or capabilities.problems, f"{name} neither works nor says why not"


def test_doctor_prints_them_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "holdfast.cli", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=False)
    assert set(json.loads(done.stdout)["engines"]) == ENGINES
