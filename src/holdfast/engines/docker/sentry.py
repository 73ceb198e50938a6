"""What holds a container with a kernel of its own: read from the process that plays the kernel, where we can see it."""

import os
from pathlib import Path
from typing import NamedTuple

from holdfast.guest.init import NAMESPACE_NAMES


class Holds(NamedTuple):
    """What the host's kernel says of that process."""

    namespaces: dict[str, str]
    seccomp: bool


def read(pid: int, container_id: str) -> Holds | None:
    """None where the process is not to be seen, as by a server that is in a container itself."""
    place = Path(f"/proc/{pid}")
    try:
        if container_id.encode() not in (place / "cmdline").read_bytes():
            return None
        links = {name: os.readlink(place / "ns" / name) for name in NAMESPACE_NAMES}
        return Holds(links, seccomp="\nSeccomp:\t2\n" in (place / "status").read_text())
    except OSError:
        return None
