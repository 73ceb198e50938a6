"""The last test of all; `conftest` puts it there."""

import time
from pathlib import Path

import pytest

from tests.remains import Remains

SECONDS_TO_DIE = 5


def test_nothing_is_left_behind(remains: Remains, tmp_path_factory: pytest.TempPathFactory) -> None:
    end = time.monotonic() + SECONDS_TO_DIE
    while left := Remains.now(Path(tmp_path_factory.getbasetemp())).since(remains):
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    assert left == {}
