"""The directories of engines: each has one of its own, and what a killed server has left is removed by the next."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from holdfast.engines.host import cgroup
from holdfast.errors import HostError


def own_place(parent: Path) -> Path:
    """A fresh directory that no other engine has, and none can take for a leftover. Raises HostError."""
    place = parent / cgroup.engine_name()
    try:
        place.mkdir(mode=0o755, parents=True)
    except OSError as error:
        raise HostError(f"The directory {parent} cannot be used: {error.strerror}.") from None
    return place


def remove_leftovers(parent: Path) -> None:
    """The places of servers that are gone, and what of their sandboxes has not ended with them."""
    for place in parent.iterdir():
        if cgroup.is_over(place.name):
            _kill_those_of(place)
            shutil.rmtree(place, ignore_errors=True)


def _kill_those_of(place: Path) -> None:
    """A pid 1 ends when nobody holds its stdin; this is for a sandbox that is stuck. Runsc names its state."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program, *arguments = (folder / "cmdline").read_bytes().split(b"\0")
            ours = any(word.startswith(b"--root=%s/" % os.fsencode(place)) for word in arguments)
            if b"runsc" in program and ours:
                os.kill(int(folder.name), signal.SIGKILL)
