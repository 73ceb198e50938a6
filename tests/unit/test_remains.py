"""The look around at the end of all tests sees what this session leaves, and nothing of what others do."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import lacks
from tests.dockerd import PLACE, Dockerd
from tests.remains import Remains, Session

ORPHAN = """
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for group in sys.argv[2:]:
    open(f"{group}/cgroup.procs", "w").write(str(os.getpid()))
print(os.getpid(), flush=True)
os.execve(sys.executable, [sys.executable, "-c", "import signal; signal.pause()", sys.argv[1]], {})
"""


@contextmanager
def orphan(name: str, *groups: Path) -> Iterator[int]:
    """A process without a parent and without an environment, perhaps moved out of the session."""
    argv = [sys.executable, "-c", ORPHAN, name, *map(str, groups)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def usual(session: Session) -> list[Path]:
    """The control groups that this session has left."""
    if not session.groups:
        lacks("local", "only root can give a session of tests control groups (version 1) of its own")
    return [group.parent for group in session.groups]


def test_a_process_that_lost_its_parent_and_its_environment_is_seen(session: Session, usual: list[Path]) -> None:
    before = Remains.now(session)
    with orphan("any-name") as pid:
        assert [name.split()[0] for name in Remains.now(session).since(before)["processes"]] == [str(pid)]


def test_groups_files_and_sockets_are_seen(session: Session, usual: list[Path]) -> None:
    before, name = Remains.now(session), f"holdfast-{os.getpid()}-{secrets.token_hex(4)}"
    group, path = session.groups[0] / "any-name", Path("/var/tmp") / name
    group.mkdir()
    path.touch()
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"\0{name}")
            left = Remains.now(session).since(before)
    finally:
        group.rmdir()
        path.unlink()
    assert left.keys() == {"cgroups", "files", "sockets"}
    assert Remains.now(session).since(before) == {}


def test_what_nobody_owns_any_more_is_seen(session: Session) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    before, path = Remains.now(session), Path(f"/var/tmp/holdfast-{gone.pid}-{secrets.token_hex(4)}")
    path.touch()
    try:
        assert Remains.now(session).since(before) == {"files": [str(path)]}
    finally:
        path.unlink()


def test_what_others_do_at_the_same_time_is_not_ours(session: Session, usual: list[Path]) -> None:
    before, told = Remains.now(session), f"/var/tmp/holdfast-{secrets.token_hex(4)}"
    with orphan(told, *usual) as pid:
        made = [Path(told), Path(f"/var/tmp/holdfast-{pid}-{secrets.token_hex(4)}"), usual[0] / f"holdfast-{pid}-1234"]
        for path in made:
            path.mkdir()
        try:
            assert Remains.now(session).since(before) == {}
        finally:
            for path in made:
                path.rmdir()


def test_what_is_left_on_the_docker_daemon_is_seen(session: Session) -> None:
    daemon = Dockerd(PLACE)
    if not daemon.answers():
        lacks("docker", "there is no Docker daemon of the tests; run: make dockerd")
    before, volume = Remains.now(session), f"holdfast-test-{os.getpid()}-{secrets.token_hex(4)}"
    daemon.docker("volume", "create", volume)
    container = daemon.docker("create", "--network", "none", "holdfast/bash", "true").strip()
    try:
        name = daemon.docker("inspect", "--format", "{{.Name}}", container).strip().removeprefix("/")
        left = set(Remains.now(session).since(before)["on_docker"])
        assert left >= {f"volume {volume}", f"container {name}"}
    finally:
        daemon.docker("rm", "--force", container)
        daemon.docker("volume", "rm", volume)
