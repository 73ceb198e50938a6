"""A PostgreSQL of the tests' own: Debian's, on a socket in a directory of its own, gone when they are done."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import lacks

DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = ("listen_addresses=''", "fsync=off", "max_connections=60", "shared_buffers=16MB")


@dataclass(frozen=True)
class Cluster:
    """A server that runs. `stop` and `start` are for tests of what happens without it."""

    binaries: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> None:
        # initdb and the server refuse to be root.
        user = {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}
        subprocess.run(
            [str(self.binaries / program), *arguments],
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )

    def make(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", "data", "-U", "holdfast", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, f"unix_socket_directories={self.folder}"))
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{secrets.token_hex(8)}"
        self.run("createdb", "-h", str(self.folder), "-U", "holdfast", name)
        return f"postgresql://holdfast@/{name}?host={self.folder}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One for the length of the block; skips where this host lacks it, unless `HOLDFAST_EXPECT` names `postgres`."""
    found = sorted(DEBIAN.glob("*/bin/initdb"))
    if not found:
        lacks("postgres", "PostgreSQL is not installed on this host; run: sudo apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-pg-{os.getpid()}-"))
    made = Cluster(found[-1].parent, folder)
    try:
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)
