"""What a cell is made of: built once, by the first guest of a cell while it still is ours and owns the namespaces.

Not by pid 1: whatever an interpreter touches is copied for it, so what the guest touches anyway should be done there.
"""

from __future__ import annotations

import os

from holdfast.guest import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GUEST_UID = 1000
WORKSPACE = "/workspace"
DATA_AT = "/data"
LOCKS = "/proc/locks"
"""Lists the open file description locks of the whole host, whichever namespace asks; so it is covered."""

_PLACES = (("tmp", 0o1777, "/tmp"), ("shm", 0o1777, "/dev/shm"), ("work", 0o755, WORKSPACE))
_PROC_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def build(config: dict[str, Any]) -> None:
    """Network interface, scratch files and /proc. Raises OSError."""
    syscalls.loopback_up()
    mount_scratch(config)
    syscalls.mount("proc", "/proc", "proc", _PROC_FLAGS, "hidepid=invisible")
    if config["data"]:
        syscalls.mount(data_source(config["data"]), DATA_AT, None, syscalls.MS_BIND)
    syscalls.mount("/dev/null", LOCKS, None, syscalls.MS_BIND)
    if config["network"]:
        syscalls.mount("/opt/holdfast/resolv.conf", "/etc/resolv.conf", None, syscalls.MS_BIND)


def data_source(name: str) -> str:
    """The one dataset a cell shows. Raises OSError."""
    if not (name.isascii() and name.isalnum()):
        raise OSError(22, "no name of a dataset", name)
    return f"{DATA_AT}/{name}"


def mount_scratch(config: dict[str, Any]) -> None:
    """One capped tmpfs behind every writable place, so that the disk limit is one number.

    It is mounted where its own part for the workspace then covers it: to unmount it would make every processor wait.
    """
    owner = 0 if config["uid_base"] is not None else GUEST_UID
    options = scratch_options(config["disk"], owner)
    syscalls.mount("scratch", WORKSPACE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    for source, mode, target, _ in places(config):
        os.mkdir(source)
        os.chmod(source, mode)
        syscalls.mount(source, target, None, syscalls.MS_BIND)
    for _, _, target, owned in places(config):
        if owned:
            os.chown(target, GUEST_UID, GUEST_UID)


def scratch_options(disk: str, owner: int) -> str:
    """How the one tmpfs of a cell is mounted."""
    return f"{disk},mode=755,uid={owner},gid={owner}"


def places(config: dict[str, Any]) -> list[tuple[str, int, str, bool]]:
    """Every writable place: the part of the scratch mount, its mode, where it shows, and whether the guest owns it."""
    found = [(name, mode, target, True) for name, mode, target in config["places"]]
    found += [(name, mode, target, target == WORKSPACE) for name, mode, target in _PLACES]
    return [(f"{WORKSPACE}/{name}", mode, target, owned) for name, mode, target, owned in found]
