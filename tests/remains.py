"""What tests could leave on this host: processes, mounts, cgroups, temporary files, sockets."""

import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

MARK = "holdfast"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_DEPTH = 4


@dataclass(frozen=True)
class Remains:
    """Each set holds what can be told apart: names, lines, process ids with their start times."""

    processes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    sockets: frozenset[str]

    @classmethod
    def now(cls, ours: Path) -> Self:
        """Look around; `ours` is the directory of the test runner itself."""
        return cls(
            processes=frozenset(_descendants(os.getpid())),
            mounts=frozenset(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if MARK in line),
            cgroups=frozenset(_marked_cgroups()),
            files=frozenset(_temporary_files(ours)),
            sockets=frozenset(line for line in Path("/proc/net/unix").read_text().splitlines() if MARK in line),
        )

    def since(self, before: Self) -> dict[str, list[str]]:
        """What is there now and was not before, by kind; kinds without any are left out."""
        new = {field.name: sorted(getattr(self, field.name) - getattr(before, field.name)) for field in fields(self)}
        return {kind: names for kind, names in new.items() if names}


def _descendants(root: int) -> set[str]:
    """Children and their children, and processes that lost their parent but carry our mark in their arguments."""
    parents = {pid: _parent(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    found = {root}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    orphans = {pid for pid, parent in parents.items() if parent == 1 and MARK in _arguments(pid)}
    return {f"{pid} {_arguments(pid)}" for pid in (found | orphans) - {root}}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _marked_cgroups() -> set[str]:
    found = set()
    for at, folders, _ in os.walk(CGROUPS):
        found |= {f"{at}/{name}" for name in folders if MARK in name}
        if at.count("/") >= str(CGROUPS).count("/") + CGROUP_DEPTH:
            folders.clear()
    return found


def _temporary_files(ours: Path) -> set[str]:
    places = {tempfile.gettempdir(), "/var/tmp", "/dev/shm"}
    names = {os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place)}
    return {name for name in names if MARK in name or "canary" in name} - {str(ours)}
