"""The engine without isolation leaves nothing on the host of those who test with it."""

import subprocess
import sys
from contextlib import aclosing

import pytest

from holdfast.testing.unisolated import UnisolatedEngine

pytestmark = pytest.mark.anyio

WRITES_ON = """
import itertools, time
end = time.monotonic() + 0.5
print("it writes", flush=True)
for number in itertools.count():
    if time.monotonic() > end:
        break
    open(str(number), "w").close()
"""


async def test_a_workspace_goes_although_a_program_that_got_away_still_writes_in_it() -> None:
    async with aclosing(UnisolatedEngine()) as engine:
        command = [sys.executable, "-c", WRITES_ON]
        away = subprocess.Popen(  # noqa: ASYNC220 -- it must go on while the engine is closed
            command, cwd=engine.home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert away.stdout is not None
        away.stdout.readline()
    with away:
        assert not engine.home.parent.exists()
