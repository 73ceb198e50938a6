"""Control groups, version 1 and 2, as data: which files to write and read for a cell, relative to its directories.

The server prepares one directory per hierarchy, `holdfast/<instance>`, and hands its descriptors to the launcher, which
makes one directory per cell below. `<instance>` names the engine and its process, so what a killed server left is swept
by the next one. Version differences end in this module.
"""

import itertools
import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from holdfast.types import Limits, Problem

CPU_PERIOD_MICROSECONDS = 100_000
PROCESSES_OF_OURS = 2
"""Pid 1, and room for the next guest while the last one is being reaped."""

USUAL_SHARE = {"cpu.shares": "1024", "cpu.weight": "100"}
"""What the kernel gives to a group that has ceased to be idle."""

SOCKET_PART_V1 = 4
"""Version 1 counts socket buffers apart from memory, and not at all without a limit: this part of it comes on top."""

_NEEDED = ("memory", "pids", "cpu")
_WANTED_V1 = (*_NEEDED, "cpuacct")
FAMILY = "holdfast"
"""The group all groups of an engine are below; each kind of engine has its own."""


_engines = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of groups: where ours is, and which controllers it has."""

    directory: Path
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class CgroupTree:
    """Our directories, one per hierarchy, with an open descriptor each. Version `none` has none."""

    version: Literal["v1", "v2", "none"]
    hierarchies: tuple[Hierarchy, ...] = ()
    descriptors: tuple[int, ...] = field(default=(), compare=False)
    _files_found: dict[tuple[int, str], bool] = field(default_factory=dict, init=False, compare=False, repr=False)

    def launcher_config(self) -> dict[str, object]:
        """What the launcher must know to make, fill and read the groups of cells."""
        return {"version": self.version, "hierarchies": list(self.descriptors), "oom": self._oom()}

    def _index(self, controller: str) -> int | None:
        for index, hierarchy in enumerate(self.hierarchies):
            if controller in hierarchy.controllers:
                return index
        return None

    def _oom(self) -> tuple[int, str] | None:
        index = self._index("memory")
        if index is None:
            return None
        return index, "memory.events" if self.version == "v2" else "memory.oom_control"

    def cell(self, limits: Limits) -> dict[str, object]:
        """The values that hold a cell to its limits, and the files that tell what it used."""
        return {"writes": self.writes(limits), "usage": self.usage_files()}

    def writes(self, limits: Limits) -> list[tuple[int, str, str]]:
        """Hierarchy, file and value of everything that holds a cell to its limits."""
        if self.version == "none":
            return []
        rows = _writes_v2(limits) if self.version == "v2" else _writes_v1(limits)
        found = [(self._index(controller), name, value) for controller, name, value in rows]
        return [(index, name, value) for index, name, value in found if index is not None and self._offers(index, name)]

    def set_idle(self, group: str, idle: bool) -> bool:
        """Let a group have the processors only while nobody else wants them, or as others; whether this kernel can.

        One that was idle has the usual share (`USUAL_SHARE`) afterwards.
        """
        index = self._index("cpu")
        if index is None or not self._exists(index, "cpu.idle"):
            return False
        with suppress(OSError):
            (self.hierarchies[index].directory / group / "cpu.idle").write_text("1" if idle else "0")
            return True
        return False

    def _offers(self, index: int, name: str) -> bool:
        """Optional files (swap and socket accounting) exist on some kernels only; the others must be written."""
        optional = "memsw" in name or "swap" in name or "kmem" in name
        return not optional or self._exists(index, name)

    def _exists(self, index: int, name: str) -> bool:
        # Which files there are does not change while the kernel runs, and this is asked for every run.
        place = (index, name)
        if place not in self._files_found:
            self._files_found[place] = (self.hierarchies[index].directory / name).exists()
        return self._files_found[place]

    def usage_files(self) -> dict[str, tuple[int, str]]:
        """Hierarchy and file of each thing that is counted."""
        if self.version == "none":
            return {}
        files = _USAGE_V2 if self.version == "v2" else _USAGE_V1
        found = {}
        for key, (controller, name, _) in files.items():
            index = self._index(controller)
            if index is not None and self._exists(index, name):
                found[key] = (index, name)
        return found

    def usage_fields(self) -> dict[str, str | None]:
        """The line of each usage file that holds the number, None where the file is the number."""
        files = _USAGE_V2 if self.version == "v2" else _USAGE_V1
        return {key: line for key, (_, _, line) in files.items()}

    @property
    def cpu_unit_seconds(self) -> float:
        return 1e-6 if self.version == "v2" else 1e-9

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in self.descriptors:
            os.close(descriptor)

    def remove(self) -> bool:
        """Whether our directories are gone; the kernel may need a moment to let go of the last cells' tasks."""
        for hierarchy in self.hierarchies:
            _remove_tree(hierarchy.directory)
            # What was still ending when we started can be removed by now.
            sweep(hierarchy.directory.parent)
            _remove_if_empty(hierarchy.directory.parent)
        return not any(hierarchy.directory.exists() for hierarchy in self.hierarchies)


_USAGE_V1 = {
    "memory_peak": ("memory", "memory.max_usage_in_bytes", None),
    "oom_kills": ("memory", "memory.oom_control", "oom_kill"),
    "processes_peak": ("pids", "pids.peak", None),
    "cpu_user": ("cpuacct", "cpuacct.usage_user", None),
    "cpu_system": ("cpuacct", "cpuacct.usage_sys", None),
}
_USAGE_V2 = {
    "memory_peak": ("memory", "memory.peak", None),
    "oom_kills": ("memory", "memory.events", "oom_kill"),
    "processes_peak": ("pids", "pids.peak", None),
    "cpu_user": ("cpu", "cpu.stat", "user_usec"),
    "cpu_system": ("cpu", "cpu.stat", "system_usec"),
}


def _writes_v1(limits: Limits) -> Iterator[tuple[str, str, str]]:
    memory = str(limits.memory_bytes)
    yield "memory", "memory.limit_in_bytes", memory
    yield "memory", "memory.memsw.limit_in_bytes", memory
    yield "memory", "memory.kmem.tcp.limit_in_bytes", str(limits.memory_bytes // SOCKET_PART_V1)
    yield "pids", "pids.max", str(limits.processes + PROCESSES_OF_OURS)
    yield "cpu", "cpu.shares", str(limits.cpu_shares)
    yield "cpu", "cpu.cfs_quota_us", "-1" if limits.cpus is None else str(_quota(limits.cpus))


def _writes_v2(limits: Limits) -> Iterator[tuple[str, str, str]]:
    yield "memory", "memory.max", str(limits.memory_bytes)
    yield "memory", "memory.swap.max", "0"
    yield "pids", "pids.max", str(limits.processes + PROCESSES_OF_OURS)
    yield "cpu", "cpu.weight", str(shares_to_weight(limits.cpu_shares))
    yield "cpu", "cpu.max", f"{'max' if limits.cpus is None else _quota(limits.cpus)} {CPU_PERIOD_MICROSECONDS}"


def _quota(cpus: float) -> int:
    return max(1000, round(cpus * CPU_PERIOD_MICROSECONDS))


def shares_to_weight(shares: int) -> int:
    """CPU shares (2..262144, 1024 is normal) as a v2 weight (1..10000, 100 is normal), in equal proportion."""
    return max(1, min(10_000, round(shares * 100 / 1024)))


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted control group file system, from mountinfo."""

    root: str
    point: Path
    controllers: frozenset[str]
    version: Literal["v1", "v2"]


def mounts(mountinfo: str) -> list[Mount]:
    """The control group mounts of a /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(" "), after.split(" ")[:3]
        if kind == "cgroup2":
            found.append(Mount(fields[3], Path(fields[4]), frozenset(), "v2"))
        elif kind == "cgroup":
            found.append(Mount(fields[3], Path(fields[4]), frozenset(options.split(",")), "v1"))
    return found


def own_groups(text: str) -> dict[str, str]:
    """Controller -> path of this process, from /proc/self/cgroup; the v2 path has the empty controller."""
    groups = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


class NoCgroup(Exception):
    """No usable control groups; carries the problem to show."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def prepare(parent: str | None = None, family: str = FAMILY) -> CgroupTree:
    """Find the hierarchies of this host, sweep leftovers, and make our directories. Raises NoCgroup."""
    found = mounts(Path("/proc/self/mountinfo").read_text())
    own = own_groups(Path("/proc/self/cgroup").read_text())
    reasons: list[str] = []
    for candidate in _candidates(found, own, parent):
        try:
            return _open_tree(candidate, family)
        except OSError as error:
            reasons.append(f"{candidate[1][0].directory}: {error.strerror}")
    version_1 = any(mount.version == "v1" and mount.controllers & set(_NEEDED) for mount in found)
    raise NoCgroup(_problem(reasons, version_1=version_1))


Candidate = tuple[Literal["v1", "v2"], tuple[Hierarchy, ...]]


def _candidates(found: Sequence[Mount], own: dict[str, str], parent: str | None) -> Iterator[Candidate]:
    for mount in found:
        if mount.version == "v2":
            for base in _bases_v2(mount, own, parent):
                if _available(base) >= set(_NEEDED):
                    yield "v2", (Hierarchy(base, frozenset(_NEEDED)),)
    hierarchies = _hierarchies_v1(found, own, parent)
    if set(_NEEDED) <= {controller for hierarchy in hierarchies for controller in hierarchy.controllers}:
        yield "v1", hierarchies


def _bases_v2(mount: Mount, own: dict[str, str], parent: str | None) -> Iterator[Path]:
    if parent is not None:
        yield mount.point / parent.strip("/")
        return
    yield _below(mount, own.get("", "/"))
    if os.geteuid() == 0:
        yield mount.point


def _available(base: Path) -> set[str]:
    try:
        return set((base / "cgroup.controllers").read_text().split())
    except OSError:
        return set()


def _below(mount: Mount, path: str) -> Path:
    """Where a group's path is in a mount that may show only part of the hierarchy."""
    relative = os.path.relpath(path, mount.root)
    return mount.point if relative.startswith("..") else mount.point / relative


def _hierarchies_v1(found: Sequence[Mount], own: dict[str, str], parent: str | None) -> tuple[Hierarchy, ...]:
    hierarchies: dict[Path, set[str]] = {}
    for controller in _WANTED_V1:
        for mount in found:
            if mount.version == "v1" and controller in mount.controllers:
                path = parent if parent is not None else own.get(controller, "/")
                hierarchies.setdefault(_below(mount, "/" + path.strip("/")), set()).add(controller)
                break
    return tuple(Hierarchy(path, frozenset(controllers)) for path, controllers in hierarchies.items())


def _open_tree(candidate: Candidate, family: str = FAMILY) -> CgroupTree:
    version, bases = candidate
    name = engine_name()
    directories = [base.directory / family / name for base in bases]
    try:
        for base, directory in zip(bases, directories, strict=True):
            if version == "v2":
                _make_room(base.directory)
                _enable(base.directory)
            directory.parent.mkdir(exist_ok=True)
            sweep(directory.parent)
            directory.mkdir(exist_ok=True)
            if version == "v2":
                _enable(directory.parent)
                _enable(directory)
    except OSError:
        for directory in directories:
            _remove_if_empty(directory)
        raise
    ours = tuple(Hierarchy(directory, base.controllers) for base, directory in zip(bases, directories, strict=True))
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    return CgroupTree(version, ours, tuple(os.open(directory, flags) for directory in directories))


def _make_room(base: Path) -> None:
    """A v2 group with children may hold no processes: move ours into a leaf when the group is delegated to us."""
    mine = str(os.getpid())
    if (base / "cgroup.procs").read_text().split() != [mine]:
        return
    leaf = base / "server"
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text(mine)


def _enable(directory: Path) -> None:
    control = directory / "cgroup.subtree_control"
    missing = set(_NEEDED) - set(control.read_text().split())
    if missing:
        control.write_text(" ".join(f"+{name}" for name in sorted(missing)))


def instance_name(pid: int) -> str:
    """A name no other server life can have: process id and start time in clock ticks."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


def engine_name() -> str:
    """A name no other engine can have, also none of this process."""
    return f"{instance_name(os.getpid())}-{next(_engines)}"


def sweep(parent: Path) -> None:
    """Remove what servers that are gone have left."""
    for directory in parent.iterdir() if parent.exists() else ():
        if directory.is_dir() and is_over(directory.name):
            _remove_tree(directory)


def is_over(name: str) -> bool:
    """Whether it is the name of an engine whose process has ended."""
    match = re.fullmatch(r"((\d+)-\d+)(?:-\d+)?", name)
    if match is None:
        return False
    try:
        return instance_name(int(match[2])) != match[1]
    except OSError:
        return True


def _remove_tree(directory: Path) -> None:
    for cell in directory.glob("cell-*"):
        _remove_if_empty(cell)
    _remove_if_empty(directory)


def members(directory: Path) -> set[int]:
    """The processes of a group."""
    try:
        return {int(line) for line in (directory / "cgroup.procs").read_text().split()}
    except OSError:
        return set()


def end(directory: Path) -> bool:
    """Kill who is in a group and remove it; whether it is gone, which may take them a moment."""
    for pid in members(directory):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    _remove_if_empty(directory)
    return not directory.exists()


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return


def _problem(reasons: list[str], *, version_1: bool) -> Problem:
    """With version 1 nobody delegates groups to an ordinary user, so only root helps."""
    delegated = "run as root, or with delegated groups: systemd-run --user --scope -p Delegate=yes holdfast serve"
    return Problem(
        layer="cgroup",
        reason="; ".join(reasons) or "no hierarchy offers memory, pids and cpu",
        fix=(
            f"{'run as root, because this host has control groups version 1' if version_1 else delegated};"
            " or accept weaker limits with HOLDFAST_ACCEPT_RLIMITS=true"
        ),
    )
