"""What a sandbox is made of, as runsc reads it: an OCI bundle around one tree that all sandboxes share."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.engines import DATA_AT, NEW_LAYER, WORKSPACE, SandboxSpec
from holdfast.engines.gvisor.config import GvisorConfig
from holdfast.engines.host import tree
from holdfast.errors import HostError
from holdfast.guest.tree import make_skeleton
from holdfast.languages import LAYER_AT, LIBRARY_AT

PID_1 = ("python", "main.py")
PID_1_AT = f"{LIBRARY_AT}/holdfast/guest/pid1"
_CAPABILITIES = (
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_KILL",
    "CAP_SYS_ADMIN",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
)
"""Of pid 1, in gVisor's kernel alone: to mount what programs write, and to become a guest, which has none."""

_READ_ONLY = ["rbind", "ro", "nosuid", "nodev"]
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")

Bind = tuple[str, str]
"""Path on the host and in the tree."""


def make_tree(config: GvisorConfig, root: Path) -> None:
    """The tree on which everything is mounted. Raises HostError."""
    if not (config.guest_env / "bin" / "python").exists():
        raise HostError("The environment of the programs is not set up yet; run: holdfast setup")
    root.mkdir()
    links = tree.links(config.toolchains) | tree.LAYER_LINKS
    make_skeleton(str(root), {"files": {}, "links": links, "copies": tree.copies()})
    (root / DATA_AT.strip("/")).mkdir()
    for source, target in [*tree.binds(config.guest_env, config.toolchains), *tree.installer_binds()]:
        place = root / target.strip("/")
        if os.path.isdir(source):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()


def make_bundle(
    config: GvisorConfig, root: Path, place: Path, added: Sequence[Bind] = (), command: tuple[str, ...] = PID_1
) -> None:
    """The directory of one sandbox, with its description; `added` it sees besides what all do."""
    (place / "state").mkdir(parents=True)
    description = _describe(config, root, added, command)
    (place / "config.json").write_text(json.dumps(description))


def _describe(config: GvisorConfig, root: Path, added: Sequence[Bind], command: tuple[str, ...]) -> dict[str, Any]:
    binds = [*tree.binds(config.guest_env, config.toolchains), *added]
    capabilities = list(_CAPABILITIES)
    environment = tree.BASE_ENVIRONMENT | ({"PYTHONPATH": PID_1_AT} if command == PID_1 else {})
    return {
        "ociVersion": "1.0.2",
        "hostname": "holdfast",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(command),
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": WORKSPACE,
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            *[{"destination": to, "type": "bind", "source": at, "options": _READ_ONLY} for at, to in binds],
        ],
        "linux": {"namespaces": [{"type": kind} for kind in _NAMESPACES]},
    }


def first_message(seccomp: bytes, spec: SandboxSpec, modules: tuple[str, ...]) -> dict[str, Any]:
    """What pid 1 is to be."""
    building = spec.layer == NEW_LAYER
    return {
        "disk": f"size={spec.limits.disk_bytes}",
        "seccomp": seccomp.hex(),
        "modules": modules,
        "warm_up": 0,
        "removed": ("/dev/net/tun", "/dev/fuse"),
        # Pid 1 has the effective ids of a guest, so gVisor's kernel would show its memory map and environment.
        "covered": ("/proc/1",),
        "places": [("layer", 0o755, LAYER_AT)] if building else [],
        "environment": tree.LAYER_ENVIRONMENT if spec.layer and not building else {},
    }
