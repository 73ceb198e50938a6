"""Where a container finds its own account, and what its isolation amounts to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from holdfast.types import Isolation

Version = Literal["v1", "v2"]

_AT = "/sys/fs/cgroup"
_FILES: Mapping[Version, Mapping[str, tuple[str, str | None]]] = {
    "v1": {
        "memory_peak": ("memory/memory.max_usage_in_bytes", None),
        "oom_kills": ("memory/memory.oom_control", "oom_kill"),
        "processes_peak": ("pids/pids.peak", None),
        "cpu_user": ("cpuacct/cpuacct.usage_user", None),
        "cpu_system": ("cpuacct/cpuacct.usage_sys", None),
    },
    "v2": {
        "memory_peak": ("memory.peak", None),
        "oom_kills": ("memory.events", "oom_kill"),
        "processes_peak": ("pids.peak", None),
        "cpu_user": ("cpu.stat", "user_usec"),
        "cpu_system": ("cpu.stat", "system_usec"),
    },
}
"""What counts, with the file and the line of it, as a container sees its control groups."""

CPU_UNIT_SECONDS: Mapping[Version, float] = {"v1": 1e-9, "v2": 1e-6}


def version_of(about: Mapping[str, Any]) -> Version:
    """The control groups of a daemon, by what it says of itself."""
    return "v2" if str(about.get("CgroupVersion", "1")) == "2" else "v1"


_DISCARDED = {
    "memory_bytes": ("MemoryLimit",),
    "processes": ("PidsLimit",),
    "cpu_shares": ("CPUShares",),
    "cpus": ("CpuCfsPeriod", "CpuCfsQuota"),
}
"""Limits that a daemon accepts and forgets where its kernel lacks something, which it admits when it is asked."""


ALL = frozenset(_DISCARDED)


def limits_of(about: Mapping[str, Any], *, host_swaps: bool) -> frozenset[str]:
    """Which limits of control groups a daemon holds containers to, by what it says of itself."""
    rootless = "name=rootless" in (about.get("SecurityOptions") or ())
    if about.get("CgroupDriver") == "none" or (rootless and version_of(about) == "v1"):
        return frozenset()
    swap_is_held = about.get("SwapLimit") or not host_swaps
    held = {limit for limit, needed in _DISCARDED.items() if all(about.get(name) for name in needed)}
    return frozenset(held if swap_is_held else held - {"memory_bytes"})


def pid1_config(version: Version) -> dict[str, Any]:
    """What pid 1 of a container is told of this."""
    files = _FILES[version]
    return {
        "cgroup_files": {key: f"{_AT}/{name}" for key, (name, _) in files.items()},
        "cgroup_usage_fields": {key: line for key, (_, line) in files.items()},
        "cgroup_cpu_unit_seconds": CPU_UNIT_SECONDS[version],
    }


def files_of(version: Version, groups: str) -> Mapping[str, tuple[Path, str | None]]:
    """What counts a process of the host, and the line of each file, by what /proc says of its control groups."""
    paths: dict[str, str] = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    found = {}
    for key, (name, line_name) in _FILES[version].items():
        controller, _, file = name.rpartition("/")
        if controller in paths:
            found[key] = (Path(f"{_AT}/{controller}{paths[controller]}/{file}"), line_name)
    return found


def layers(isolation: Isolation) -> Mapping[str, bool]:
    """What holds a program, by the names that a floor has for it. Whose user a program is, is told separately."""
    # A kernel in user space keeps processes apart by itself, and is no user of the host.
    apart = {"mnt", "net", "ipc", "uts"} <= set(isolation.namespaces) and not {"pid", "user"}.isdisjoint(
        isolation.namespaces
    )
    return {
        "namespaces": apart and isolation.capabilities_dropped and isolation.no_new_privileges,
        "seccomp": isolation.seccomp == "filter",
        "cgroup": isolation.cgroup != "none",
        "landlock": False,
        "separate_users": isolation.separate_users,
    }
