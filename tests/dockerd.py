"""A Docker daemon of our own: private socket, private data, and images of a base that debootstrap has made.

`python -m tests.dockerd up` starts it and builds what is missing, `down` stops it, `run COMMAND…` does both around a
command. What was built stays in its directory (`TESTS_DOCKER_DIR`), so that the next time is quick.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast import images, toolchains
from holdfast.app import docker_config
from holdfast.engines.docker.config import IMAGES, LAYER_LABEL
from holdfast.settings import load_settings

PLACE = Path(os.environ.get("TESTS_DOCKER_DIR", "/var/tmp/holdfast-docker"))
SUITE = "bookworm"
BASES = {
    "holdfast-base:python": ("python3",),
    "holdfast-base:cc": ("python3", "gcc", "libc6-dev"),
    "holdfast-base:rust": ("python3", "gcc", "libc6-dev", "rustc", "cargo"),
}
"""What debootstrap makes, and what is in each besides the smallest system: only Rust needs a linker, and a compiler
where this host has no toolchain of rustup to copy."""

LEFT_OUT = ("./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/man", "./usr/share/locale")
CONFIG = {
    "bridge": "none",
    "iptables": False,
    "ip6tables": False,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "storage-driver": "overlay2",
}
RUNSC_ARGUMENTS = ("--network=none", "--platform=ptrace")
START_SECONDS = 60


class Dockerd:
    """One daemon. Everything of it is below `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "docker.sock"
        self._pidfile = place / "dockerd.pid"
        self._started: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it answers already. Raises SystemExit with the end of its log."""
        if self.answers():
            return
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._pidfile.unlink(missing_ok=True)
        (self.place / "daemon.json").write_text(json.dumps(CONFIG | self._runtimes()))
        if self._started is not None:
            self._started.wait(START_SECONDS)
        # The containerd of a daemon that was killed may be a zombie, which would be taken for alive.
        (self.place / "exec/containerd/containerd.pid").unlink(missing_ok=True)
        with (self.place / "log").open("wb") as log:
            self._started = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > end:
                sys.exit((self.place / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with everything it runs, and return when it is gone."""
        try:
            pid = int(self._pidfile.read_text())
            os.kill(pid, number)
        except (OSError, ValueError):
            unmount_below(self.place)
            return
        if self._started is not None:
            self._started.wait(START_SECONDS)
        end = time.monotonic() + START_SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        unmount_below(self.place)

    def answers(self) -> bool:
        """Whether it does what it is asked."""
        return self.socket.exists() and self._docker("version").returncode == 0

    def docker(self, *arguments: str, stdin: int | None = None) -> str:
        """Docker's own command, on this daemon. Raises CalledProcessError."""
        done = self._docker(*arguments, stdin=stdin)
        done.check_returncode()
        return done.stdout.decode()

    def _docker(self, *arguments: str, stdin: int | None = None) -> "subprocess.CompletedProcess[bytes]":
        command = ["/usr/bin/docker", "--host", f"unix://{self.socket}", *arguments]
        return subprocess.run(command, stdin=stdin or subprocess.DEVNULL, capture_output=True, check=False)

    def _command(self) -> list[str]:
        options = {
            "config-file": self.place / "daemon.json",
            "data-root": self.place / "data",
            "exec-root": self.place / "exec",
            "pidfile": self._pidfile,
            "host": f"unix://{self.socket}",
        }
        return ["dockerd", *(f"--{name}={value}" for name, value in options.items())]

    def _runtimes(self) -> dict[str, object]:
        runsc = shutil.which("runsc")
        return {"runtimes": {"runsc": {"path": runsc, "runtimeArgs": list(RUNSC_ARGUMENTS)}}} if runsc else {}


def unmount_below(place: Path) -> None:
    """Take away what a daemon that was killed leaves behind, the innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in points if point.startswith(f"{place}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def make_base(daemon: Dockerd, tag: str) -> None:
    """A base image, unless there is one."""
    if daemon.docker("images", "--quiet", tag).strip():
        return
    say(f"Making {tag} with debootstrap")
    root = daemon.place / "root"
    shutil.rmtree(root, ignore_errors=True)
    include = f"--include={','.join(BASES[tag])}"
    cache = daemon.place / "packages"
    cache.mkdir(exist_ok=True)
    try:
        with (daemon.place / "debootstrap.log").open("wb") as log:
            options = ["--variant=minbase", f"--cache-dir={cache}", include]
            subprocess.run(["debootstrap", *options, SUITE, str(root), *_mirror()], check=True, stdout=log, stderr=log)
        archive = ["tar", f"--directory={root}", *(f"--exclude={name}" for name in LEFT_OUT), "--create", "."]
        with subprocess.Popen(archive, stdout=subprocess.PIPE) as packed:
            assert packed.stdout is not None
            daemon.docker("import", "-", tag, stdin=packed.stdout.fileno())
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _mirror() -> list[str]:
    """Where this host itself gets its packages from, if that can be told."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(path.read_text(errors="replace") for path in sources if path.is_file())
    found = re.search(r"\bhttps?://\S+/debian/?(?=\s)", text)
    return [found[0]] if found else []


def build_images(daemon: Dockerd, names: Sequence[str]) -> None:
    """The images of these languages, as far as this host has them; what has not changed is not built again."""
    settings = load_settings({"docker_socket": daemon.socket})
    sources = images.Sources(settings.guest_environment, settings.toolchains)
    config = docker_config(settings)
    for_rust = "cc" if "rustc" in toolchains.links(settings.toolchains) else "rust"
    for tag, chosen in ((f"holdfast-base:{for_rust}", {"rust"}), ("holdfast-base:python", set(IMAGES) - {"rust"})):
        for name in [name for name in names if name in chosen]:
            make_base(daemon, tag)
            try:
                asyncio.run(images.build(config, sources, [name], tag, say))
            except images.RuntimeNotAvailableError as error:
                say(f"{name} is left out: {error.detail}")
    # What an image was before it was built again, and what tests that were killed have left.
    derived = daemon.docker("images", "--quiet", "--filter", f"label={LAYER_LABEL}").split()
    daemon._docker("rmi", "--force", *dict.fromkeys(derived))
    daemon.docker("image", "prune", "--force")


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, flush=True)


@contextmanager
def running(place: Path = PLACE, names: Sequence[str] = IMAGES) -> Iterator[Dockerd]:
    """The daemon, with images of these languages, until the block ends."""
    daemon = Dockerd(place)
    daemon.start()
    try:
        build_images(daemon, names)
        yield daemon
    finally:
        daemon.stop()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.dockerd", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "run"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    daemon = Dockerd(PLACE)
    if chosen.what == "down":
        daemon.stop()
    elif chosen.what == "up":
        daemon.start()
        build_images(daemon, IMAGES)
        say(f"export HOLDFAST_DOCKER_SOCKET={daemon.socket}")
    else:
        with running():
            environment = os.environ | {"HOLDFAST_DOCKER_SOCKET": str(daemon.socket)}
            return subprocess.run(chosen.command, env=environment, check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
