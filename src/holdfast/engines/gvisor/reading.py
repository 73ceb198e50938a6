"""What holds a sandbox, read back: of its sentry from the host's kernel, of the guest from gVisor's."""

import os
from pathlib import Path
from typing import Any, Literal

from holdfast.engines.gvisor.runsc import Runsc
from holdfast.guest.init import NAMESPACE_NAMES
from holdfast.types import Isolation, Network


def isolation_of(sentry: int, guest: dict[str, Any], program: Runsc, version: Literal["v1", "v2", "none"]) -> Isolation:
    """Namespaces and filter are the sentry's; what the program may do in gVisor's kernel is the guest's."""
    status = Path(f"/proc/{sentry}/status").read_text()
    notes = [f"the kernel is gVisor's {program.version}, platform {program.platform}, in user space"]
    if version == "none":
        notes.append("no control groups: memory and cpu are not limited")
    return Isolation(
        engine="gvisor",
        namespaces=tuple(name for name in NAMESPACE_NAMES if _link(sentry, name) != _link("self", name)),
        seccomp="filter" if "\nSeccomp:\t2\n" in status else "none",
        cgroup=version,
        landlock=None,
        network=Network.NONE,
        no_new_privileges=guest["no_new_privileges"],
        capabilities_dropped=guest["capabilities_dropped"],
        separate_users=guest["separate_users"],
        notes=tuple(notes),
    )


def _link(process: int | str, name: str) -> str:
    return os.readlink(f"/proc/{process}/ns/{name}")
