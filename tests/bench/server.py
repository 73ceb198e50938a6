"""A real server in a clean environment, and what its processes weigh."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.settings import load_settings

START_SECONDS = 60.0
CLEAN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer and how long the client waited for it."""

    status: int
    body: Any
    milliseconds: float


class Client:
    """One kept-alive connection; the plainest client there is, so that its own noise stays low."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def run(self, body: Mapping[str, Any]) -> Answer:
        """`POST /run`."""
        payload = json.dumps(body)
        began = time.perf_counter()
        self._connection.request("POST", "/run", payload, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = response.read()
        milliseconds = (time.perf_counter() - began) * 1000
        return Answer(response.status, json.loads(content), milliseconds)

    def get(self, path: str) -> int:
        """The status of a GET."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        response.read()
        return response.status

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Server:
    """A started server."""

    pid: int
    port: int
    start_milliseconds: float

    def resident_megabytes(self) -> float:
        """What the server process has in memory now."""
        return _status_megabytes(self.pid, "VmRSS")

    def peak_megabytes(self) -> float:
        """The most it had since `forget_peak`."""
        return _status_megabytes(self.pid, "VmHWM")

    def forget_peak(self) -> None:
        """Start a new measurement of the peak."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def helpers_megabytes(self) -> dict[int, float]:
        """Its other processes (launchers and cells), each with its proportional share of memory."""
        return {pid: _proportional_megabytes(pid) for pid in _descendants(self.pid)}


@contextlib.contextmanager
def started() -> Iterator[Server]:
    """A server on a free loopback port with a state directory of its own; it is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        log = Path(folder, "server.log")
        began = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(port), env=_environment(folder), cwd=folder, stdout=output, stderr=output
            )
        try:
            _wait_until_it_answers(process, port, log)
            yield Server(process.pid, port, (time.perf_counter() - began) * 1000)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _command(port: int) -> list[str]:
    holdfast = Path(sys.executable).with_name("holdfast")
    return [str(holdfast), "serve", "--host", "127.0.0.1", "--port", str(port)]


def _environment(folder: str) -> dict[str, str]:
    return {
        "PATH": CLEAN_PATH,
        "HOME": folder,
        "LANG": "C.UTF-8",
        "HOLDFAST_STATE_DIR": f"{folder}/state",
        "HOLDFAST_GUEST_ENV": str(load_settings().guest_environment),
        "HOLDFAST_LANGUAGES_DIR": str(load_settings().toolchains),
        "HOLDFAST_LOG_LEVEL": "warning",
    }


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            client = Client(port)
            if client.get("/healthz") == 200:
                client.close()
                return
        time.sleep(0.01)
    raise SystemExit(f"The server did not start:\n{log.read_text()}")


def _status_megabytes(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def _proportional_megabytes(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0  # it ended meanwhile
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
    found, fresh = [], {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found += sorted(fresh)
    return found
