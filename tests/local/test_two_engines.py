"""Two engines in one process, as of two `Holdfast.local()`: neither notices the other."""

from pathlib import Path

import pytest

from holdfast.settings import load_settings
from holdfast.types import RunRequest
from tests.conftest import local_app

pytestmark = pytest.mark.anyio

CODE = "import os\nprint(open('/proc/self/uid_map').read().split()[1::3], os.getpid())"


async def test_two_engines_of_one_process_run_programs_at_once_and_end_one_by_one(tmp_path: Path) -> None:
    usual = load_settings()
    places = {"guest_env": usual.guest_environment, "languages_dir": usual.toolchains, "pool_size": 0}
    async with local_app(state_dir=tmp_path / "one", **places) as one:
        async with local_app(state_dir=tmp_path / "other", **places) as other:
            said = [(await app.executor.run(RunRequest(code=CODE))).stdout for app in (one, other, one)]
            assert said[0] == said[2] != said[1], "each has host ids of its own"
        result = await one.executor.run(RunRequest(code="x = bytearray(100 << 20)", mem_limit="32m"))
        assert result.status == "out_of_memory", "its control groups are still there"
