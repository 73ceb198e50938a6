"""The product as its users start it: `holdfast serve` on a port of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.settings import load_settings
from tests.conftest import lacks


@contextmanager
def product(folder: Path, **settings: str) -> Iterator[str]:
    """The address of a server with its state in this folder; skips where there is no local engine, unless expected."""
    usual = load_settings()
    chosen = {
        "state_dir": str(folder),
        "guest_env": str(usual.guest_environment),
        "languages_dir": str(usual.toolchains),
        "pool_size": "0",
        "log_level": "error",
        **settings,
    }
    environ = {**os.environ, **{f"HOLDFAST_{name.upper()}": value for name, value in chosen.items()}}
    command = [sys.executable, "-m", "holdfast.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ, cwd=folder) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        try:
            if found is None:
                lacks("local", f"the engine 'local' is absent: {line}")
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
