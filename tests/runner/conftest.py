"""The interpreter of the programs, and the stdin programs, as tests call them."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.guest_environment import is_ready
from holdfast.settings import load_settings
from tests.conftest import lacks

ROOT = Path(__file__).resolve().parents[2]


class InGuest:
    """The helper `in_guest.py`, which has pandas and DuckDB."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).parent / "in_guest.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / "src"), "TZ": "UTC", "PATH": os.defpath},
            text=True,
        )

    def ask(self, **job: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@pytest.fixture(scope="session")
def guest_python() -> Path:
    environment = load_settings().guest_environment
    if not is_ready(environment):
        lacks("local", "the environment of the programs is not made; run: holdfast setup")
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def in_guest(guest_python: Path) -> Iterator[InGuest]:
    helper = InGuest(guest_python)
    yield helper
    helper.close()


def encoded(helper: InGuest, *values: Sequence[str]) -> list[dict[str, Any]]:
    """What values of DuckDB, each an expression and a type, look like, and whether they can be told from that."""
    answer = helper.ask(sql=values)
    assert isinstance(answer, list), answer
    return answer
