"""A Podman service of our own, as root: a private socket and private storage, with images of the Docker daemon's."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.dockerd import START_SECONDS, Dockerd, unmount_below

RUNTIME = """#!{python}
import json, os, resource, sys
at = sys.argv.index("--bundle") + 1 if "--bundle" in sys.argv else 0
if at:
    path = os.path.join(sys.argv[at], "config.json")
    with open(path) as file:
        config = json.load(file)
    for row in config["process"].get("rlimits", ()):
        _, most = resource.getrlimit(getattr(resource, row["type"]))
        for key in ("soft", "hard"):
            row[key] = row[key] if most == resource.RLIM_INFINITY else min(row[key], most)
    with open(path, "w") as file:
        json.dump(config, file)
os.execv("{runc}", ["{runc}", *sys.argv[1:]])
"""
"""runc, with no more files and processes than this host may give: Podman always asks for a million."""

SETTINGS = """
[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[engine.runtimes]
runc = ["{runtime}"]
"""


class Podman:
    """One service. Everything of it is below `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "podman.sock"
        self._service: subprocess.Popen[bytes] | None = None

    def podman(self, *words: str) -> str:
        """Podman's own command, on this storage. Raises CalledProcessError."""
        done = subprocess.run(
            self._command(*words), env=self._environment(), capture_output=True, check=True, stdin=subprocess.DEVNULL
        )
        return done.stdout.decode()

    def start(self) -> None:
        """Start it. Raises SystemExit when it does not answer."""
        runtime = self.place / "runc"
        runtime.write_text(RUNTIME.format(python=sys.executable, runc=shutil.which("runc")))
        runtime.chmod(0o755)
        (self.place / "containers.conf").write_text(SETTINGS.format(runtime=runtime))
        command = self._command("system", "service", "--time", "0", f"unix://{self.socket}")
        with (self.place / "log").open("wb") as log:
            self._service = subprocess.Popen(
                command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            if time.monotonic() > end or self._service.poll() is not None:
                sys.exit((self.place / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def take(self, daemon: Dockerd, image: str) -> None:
        """Have an image of a Docker daemon here too, under its own name."""
        archive = self.place / "image.tar"
        daemon.docker("save", "--output", str(archive), image)
        self.podman("load", "--input", str(archive))
        archive.unlink()

    def stop(self) -> None:
        """Stop it and what it runs, and leave nothing mounted."""
        if self._service is not None:
            self._service.send_signal(signal.SIGTERM)
            self._service.wait(START_SECONDS)
        self.podman("rm", "--all", "--force", "--volumes")
        unmount_below(self.place)

    def _command(self, *words: str) -> list[str]:
        places = {"root": "root", "runroot": "run", "tmpdir": "tmp"}
        return ["podman", *(f"--{name}={self.place / folder}" for name, folder in places.items()), *words]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"CONTAINERS_CONF": str(self.place / "containers.conf")}


@contextmanager
def running(place: Path, daemon: Dockerd, image: str) -> Iterator[Podman]:
    """The service with this image, until the block ends."""
    podman = Podman(place)
    podman.start()
    try:
        podman.take(daemon, image)
        yield podman
    finally:
        podman.stop()
