"""A real server in a clean environment."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import EngineError, StartupError
from holdfast.settings import Settings, variable
from holdfast.testing.bench.client import Connection, get
from holdfast.testing.bench.figures import ProcessorTime, Weight
from holdfast.testing.bench.processes import processor_time, status_megabytes, weight

START_SECONDS = 60.0
STOP_SECONDS = 30.0
STOCK_SECONDS = 15.0
STOCK_LOOK_SECONDS = 0.25
STOCK_LOOKS = 5
CLEAN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_STOCK = re.compile(r"^holdfast_pool_stock (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Server:
    """A started server."""

    pid: int
    port: int
    start_milliseconds: float

    def resident_megabytes(self) -> float:
        """What the server process has in memory now."""
        return status_megabytes(self.pid, "VmRSS")

    def peak_megabytes(self) -> float:
        """The most it had since `forget_peak`."""
        return status_megabytes(self.pid, "VmHWM")

    def forget_peak(self) -> None:
        """Start a new measurement of the peak."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def processor_time(self) -> ProcessorTime:
        """What it has spent so far with all it started."""
        return processor_time(self.pid)

    def weight(self) -> Weight:
        """What it weighs with all it started, once its stock is full."""
        return weight(self.pid, self.full_stock())

    def full_stock(self) -> int:
        """Wait until the stock has not changed for a while; how many sandboxes wait then."""
        looks: list[int] = []
        deadline = time.monotonic() + STOCK_SECONDS
        while time.monotonic() < deadline:
            looks.append(self._stock())
            if len(looks) >= STOCK_LOOKS and len(set(looks[-STOCK_LOOKS:])) == 1:
                break
            time.sleep(STOCK_LOOK_SECONDS)
        return looks[-1]

    def _stock(self) -> int:
        with contextlib.closing(Connection(self.port)) as connection:
            found = _STOCK.search(connection.ask(get("/metrics")).content.decode())
        return int(float(found[1])) if found else 0


@contextlib.contextmanager
def started(settings: Settings, **changes: object) -> Iterator[Server]:
    """A server on a free loopback port with a state directory of its own; it is stopped at the end.

    It takes from `settings` what this host can do, and otherwise the defaults with these changes. Raises StartupError.
    """
    with tempfile.TemporaryDirectory(prefix=f"holdfast-bench-{os.getpid()}-") as folder:
        port = _free_port()
        log = Path(folder, "server.log")
        began = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "holdfast.cli", "serve", "--host", "127.0.0.1", "--port", str(port)],
                env=_environment(settings, folder, changes),
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        try:
            _wait_until_it_answers(process, port, log)
            yield Server(process.pid, port, (time.perf_counter() - began) * 1000)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(settings: Settings, folder: str, changes: Mapping[str, object]) -> dict[str, str]:
    chosen = {
        "state_dir": f"{folder}/state",
        "log_level": "warning",
        "guest_env": settings.guest_environment,
        "isolation_floor": ",".join(sorted(settings.isolation_floor)),
        "accept_rlimits": settings.accept_rlimits,
        **({"cgroup_parent": settings.cgroup_parent} if settings.cgroup_parent else {}),
        **changes,
    }
    ours = {variable(name): str(value) for name, value in chosen.items()}
    return {"PATH": CLEAN_PATH, "HOME": folder, "LANG": "C.UTF-8", **ours}


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, EngineError), contextlib.closing(Connection(port)) as connection:
            if connection.ask(get("/healthz")).status == 200:
                return
        time.sleep(0.01)
    last = (log.read_text().strip().splitlines() or ["it said nothing"])[-1]
    raise StartupError(f"The server to be measured did not start: {last.removeprefix('holdfast: ')}")
