"""What a server has loaded when it has answered its first run, in a state directory that was empty."""

import os
import subprocess
import sys
from pathlib import Path

from holdfast.settings import load_settings
from tests.conftest import lacks

FOR_WHO_ASKS = {"alembic", "aiodocker", "aiohttp", "duckdb", "pandas", "pydantic_ai"}
SCRIPT = f"""
import asyncio, sys
from holdfast.api import create_api
from holdfast.app import open_server
from holdfast.errors import HostError
from holdfast.settings import load_settings
from holdfast.types import RunRequest

async def main():
    async with open_server(load_settings()) as app:
        create_api(app)
        result = await app.executor.run(RunRequest(code="print(1)"))
        assert result.stdout == "1\\n"
    print(sorted({FOR_WHO_ASKS} & set(sys.modules)))

try:
    asyncio.run(main())
except HostError as error:
    print("absent", error)
"""


def test_a_server_loads_what_few_need_when_somebody_needs_it(tmp_path: Path) -> None:
    usual = load_settings()
    ours = {
        "HOLDFAST_STATE_DIR": str(tmp_path),
        "HOLDFAST_GUEST_ENV": str(usual.guest_environment),
        "HOLDFAST_LANGUAGES_DIR": str(usual.toolchains),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, **ours}, capture_output=True, text=True, timeout=120
    )
    if done.stdout.startswith("absent"):
        lacks("local", done.stdout)
    assert done.stdout == "[]\n", done.stderr
