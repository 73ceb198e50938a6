"""What tests could leave on this host: processes, mounts, cgroups, temporary files, sockets, and on its Docker daemon.

Other test sessions and servers may run beside this one. What they own is told apart by who they are, never by a guess:
the session has control groups of its own (version 1, as root), which all that it starts is born into and cannot leave;
names of temporary directories and groups carry the process that made them; a socket has a holder. Only what a living
process outside of this session owns is somebody else's. What has no living owner counts as left behind.
A container of a sandbox runs while somebody holds its streams, so one that has ended is nobody's.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from holdfast.engines.host import cgroup
from tests.dockerd import PLACE, Dockerd

MARK = "holdfast"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_DEPTH = 4
SHARED_PLACES = ("/var/tmp", "/dev/shm")
TOKEN_VARIABLE = "TESTS_SESSION"  # not a secret: a name that children inherit
_OWNER = re.compile(r"(?:^|[-/])(\d+)-[0-9a-z_]{4,}")


@dataclass(frozen=True)
class Session:
    """This run of the tests: where it keeps its files, its control groups, and the mark that its children inherit."""

    files: Path
    groups: tuple[Path, ...] = ()
    token: str = ""

    @classmethod
    @contextmanager
    def begun(cls, files: Path) -> Iterator[Self]:
        """Everything that is started within the block can be told to be ours."""
        token = os.environ[TOKEN_VARIABLE] = secrets.token_hex(8)
        with _own_groups(token) as groups:
            yield cls(files, groups, token)
        del os.environ[TOKEN_VARIABLE]

    def processes(self) -> dict[int, str]:
        """The arguments of all that it started and that lives, whoever is its parent by now."""
        parents = {pid: _parent(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
        found = {os.getpid()} | {pid for group in self._all_groups() for pid in cgroup.members(group)}
        found |= {pid for pid in parents if self.token and self.token in _told(pid, "environ")}
        while grown := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= grown
        return {pid: _told(pid, "cmdline").replace("\0", " ") for pid in found - {os.getpid()}}

    def _all_groups(self) -> Iterator[Path]:
        for group in self.groups:
            yield group
            yield from (Path(at, name) for at, names, _ in os.walk(group) for name in names)

    def cgroups(self, is_others: Callable[[str], bool]) -> set[str]:
        """What is below the groups of the session or, where it has none, all that bear our mark and are nobody's."""
        if self.groups:
            return {str(group) for group in self._all_groups() if group not in self.groups}
        return {name for name in _marked_cgroups() if not is_others(name)}


@contextmanager
def _own_groups(token: str) -> Iterator[tuple[Path, ...]]:
    """Be in new control groups for the length of the block; in none, where that cannot be."""
    found = cgroup.mounts(Path("/proc/self/mountinfo").read_text())
    own = cgroup.own_groups(Path("/proc/self/cgroup").read_text())
    usual = [hierarchy.directory for hierarchy in cgroup._hierarchies_v1(found, own, None)]
    groups = tuple(directory / f"tests-{token}" for directory in usual)
    try:
        for group in groups:
            group.mkdir()
            (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        _leave(usual, groups)
        groups = ()
    try:
        yield groups
    finally:
        _leave(usual, groups)


def _leave(usual: list[Path], groups: tuple[Path, ...]) -> None:
    for directory, group in zip(usual, groups, strict=False):
        with suppress(OSError):
            (directory / "cgroup.procs").write_text(str(os.getpid()))
            for at, _, _ in os.walk(group, topdown=False):
                os.rmdir(at)


@dataclass(frozen=True)
class Remains:
    """Each set holds what can be told apart: names, lines, process ids with their start times."""

    processes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    sockets: frozenset[str]
    on_docker: frozenset[str]

    @classmethod
    def now(cls, session: Session) -> Self:
        """Look around."""
        ours = session.processes()
        others = _others({os.getpid(), *ours})

        def is_others(name: str) -> bool:
            """Whether a living process outside of the session made it, by its name, or was told of it."""
            made_by = {int(pid) for pid in _OWNER.findall(name)}
            return bool(made_by & others.keys()) or any(name in arguments for arguments in others.values())

        return cls(
            processes=frozenset(f"{pid} {arguments}" for pid, arguments in ours.items()),
            mounts=frozenset(line for line in _marked("/proc/self/mountinfo") if not is_others(_top(line.split()[4]))),
            cgroups=frozenset(session.cgroups(is_others)),
            files=frozenset(name for name in _temporary_files(session.files) if not is_others(name)),
            sockets=frozenset(_sockets(others)),
            on_docker=frozenset(name for name in _on_docker(Dockerd(PLACE)) if not is_others(name)),
        )

    def since(self, before: Self) -> dict[str, list[str]]:
        """What is there now and was not before, by kind; kinds without any are left out."""
        new = {field.name: sorted(getattr(self, field.name) - getattr(before, field.name)) for field in fields(self)}
        return {kind: names for kind, names in new.items() if names}


def _others(ours: set[int]) -> dict[int, str]:
    """The arguments of all processes outside of the session."""
    pids = set(map(int, filter(str.isdigit, os.listdir("/proc")))) - ours
    return {pid: _told(pid, "cmdline") for pid in pids}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _told(pid: int, what: str) -> str:
    """The arguments or the environment of a process; those of one that is gone, or not ours to read, are empty."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _marked(path: str) -> list[str]:
    return [line for line in Path(path).read_text().splitlines() if MARK in line]


def _top(path: str) -> str:
    """The directory among the temporary ones that a path is in."""
    return "/".join(path.split("/")[:4]) if path.startswith(SHARED_PLACES) else "/".join(path.split("/")[:3])


def _marked_cgroups() -> set[str]:
    found = set()
    for at, folders, _ in os.walk(CGROUPS):
        # The parent of all servers is nobody's in particular.
        found |= {f"{at}/{name}" for name in folders if MARK in f"{at}/{name}" and name != MARK}
        if at.count("/") >= str(CGROUPS).count("/") + CGROUP_DEPTH:
            folders.clear()
    return found


def _temporary_files(ours: Path) -> set[str]:
    places = {tempfile.gettempdir(), *SHARED_PLACES}
    names = {os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place)}
    return {name for name in names if MARK in name or "canary" in name} - {str(ours)}


def _sockets(others: Mapping[int, str]) -> set[str]:
    """Sockets with our mark that no process outside of the session holds."""
    held = set()
    for pid in others:
        with suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    held.add(os.readlink(fd.path))
    return {line for line in _marked("/proc/net/unix") if f"socket:[{line.split()[6]}]" not in held}


def _on_docker(daemon: Dockerd) -> set[str]:
    """Containers that have ended or bear our mark, volumes nobody uses, and networks; none without a daemon."""
    if not daemon.answers():
        return set()
    containers = [line.split() for line in daemon.docker("ps", "--all", "--format={{.State}} {{.Names}}").splitlines()]
    volumes = daemon.docker("volume", "ls", "--filter=dangling=true", "--format={{.Name}}").splitlines()
    networks = daemon.docker("network", "ls", "--filter=type=custom", "--format={{.Name}}").splitlines()
    kept = {f"container {name}" for state, name in containers if state != "running" or MARK in name}
    return kept | {f"volume {name}" for name in volumes} | {f"network {name}" for name in networks}
