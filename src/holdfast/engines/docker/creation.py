"""How a container is to be made: everything that Docker enforces, as data."""

from collections.abc import Mapping
from typing import Any

from holdfast.engines import NEW_LAYER, WORKSPACE, SandboxSpec
from holdfast.engines.docker.config import DockerConfig
from holdfast.engines.host.tree import BASE_ENVIRONMENT, LAYER_ENVIRONMENT
from holdfast.languages import LAYER_AT, LIBRARY_AT
from holdfast.types import Limits, Network

PID1_AT = f"{LIBRARY_AT}/holdfast/guest/pid1"
CAPABILITIES = ("SETUID", "SETGID", "SETPCAP")
"""What pid 1 has, which never runs anything but our code: to give its guests another user and no rights."""

_CPU_PERIOD = 100_000
_MIB = 1 << 20
_BYTES_PER_INODE = 4096
_MIN_INODES, _MAX_INODES = 1024, 262_144
_OWN_PROCESSES = 1
_OWN_MEMORY = 16 * _MIB
"""What pid 1 may need beside a program that fills its limit to the brim, to tell how it ended."""

_RUNTIME_PROCESSES, _RUNTIME_MEMORY = 2048, 32 * _MIB
"""What a runtime with a kernel of its own (gVisor) needs for itself within the limits of the container."""

_MASKED = (
    *("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/proc/interrupts", "/sys/firmware"),
    *("/sys/devices/virtual/powercap", "/sys/devices/system/cpu/vulnerabilities"),
    "/proc/locks",
)
"""What Docker hides, and the locks of the host besides: those of open files are shown to every namespace."""

SCRATCH = {WORKSPACE: True, "/tmp": False, "/dev/shm": False}
"""Writable places, and whether one is the program's own or everybody's."""


def options(
    config: DockerConfig, spec: SandboxSpec, image: str, labels: Mapping[str, str], *, podman: bool = False
) -> dict[str, Any]:
    """The request that makes a container. Nothing of a program is in it: that goes to pid 1, over its stdin."""
    return {
        "Image": image,
        "Entrypoint": ["python", "main.py"],
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in _start_environment().items()],
        "WorkingDir": WORKSPACE,
        "Hostname": "holdfast",
        "User": "0:0",
        "Labels": dict(labels),
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "HostConfig": _host(config, spec, podman),
    }


def _start_environment() -> Mapping[str, str]:
    return BASE_ENVIRONMENT | {"PYTHONPATH": PID1_AT}


def environment(spec: SandboxSpec) -> Mapping[str, str]:
    """What programs find in their environment, besides what their request adds."""
    layered = bool(spec.layer) and spec.layer != NEW_LAYER
    return BASE_ENVIRONMENT | (LAYER_ENVIRONMENT if layered else {})


def _host(config: DockerConfig, spec: SandboxSpec, podman: bool) -> dict[str, Any]:
    places = SCRATCH | ({LAYER_AT: True} if spec.layer == NEW_LAYER else {})
    return {
        "ReadonlyRootfs": True,
        "NetworkMode": config.network if spec.network is Network.FULL else "none",
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges:true"],
        "IpcMode": "none",
        "CgroupnsMode": "private",
        "Tmpfs": {place: _tmpfs(spec.limits, owned, podman) for place, owned in places.items()},
        "MaskedPaths": list(_MASKED),
        "LogConfig": {"Type": "none"},
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "AutoRemove": False,
        **({"Runtime": config.runtime} if config.runtime else {}),
        **resources(config, spec.limits),
    }


def resources(config: DockerConfig, limits: Limits) -> dict[str, Any]:
    """What the control groups of a container hold it to."""
    foreign = bool(config.runtime)
    memory = limits.memory_bytes + (_RUNTIME_MEMORY if foreign else _OWN_MEMORY)
    return {
        "Memory": memory,
        "MemorySwap": memory,
        "PidsLimit": limits.processes + (_RUNTIME_PROCESSES if foreign else _OWN_PROCESSES),
        "CpuShares": limits.cpu_shares,
        **({"CpuPeriod": _CPU_PERIOD, "CpuQuota": int(limits.cpus * _CPU_PERIOD)} if limits.cpus else {}),
    }


def _tmpfs(limits: Limits, owned: bool, podman: bool) -> str:
    common = f"rw,exec,nosuid,nodev,size={limits.disk_bytes}"
    if podman:
        # It knows neither owners nor a number of files; each file takes memory, which is limited.
        return f"{common},mode={'777' if owned else '1777'}"
    inodes = min(_MAX_INODES, max(_MIN_INODES, limits.disk_bytes // _BYTES_PER_INODE))
    return f"{common},nr_inodes={inodes},{'mode=755,uid=1000,gid=1000' if owned else 'mode=1777'}"
