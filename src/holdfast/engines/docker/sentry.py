"""What holds a container with a kernel of its own: read from the process that plays the kernel, where we can see it."""

import os
from pathlib import Path
from typing import NamedTuple

from holdfast.engines.control.container import Account
from holdfast.engines.docker import accounting
from holdfast.engines.docker.alarm import Alarm
from holdfast.guest.groups import read_counter
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


class Ledger:
    """The account of such a container, in the control groups of that process."""

    def __init__(self, pid: int, version: accounting.Version) -> None:
        self._unit = accounting.CPU_UNIT_SECONDS[version]
        self._files = {
            key: (path, line)
            for key, (path, line) in accounting.files_of(version, Path(f"/proc/{pid}/cgroup").read_text()).items()
            if path.exists()
        }
        kills, _ = self._files.get("oom_kills", (None, None))
        self._alarm = Alarm.where_possible(kills) if kills is not None and version == "v1" else None

    def read(self) -> Account:
        """What has been used so far; nothing once the container is gone."""
        user, system = self._number("cpu_user"), self._number("cpu_system")
        return Account(
            cpu_user_seconds=None if user is None else user * self._unit,
            cpu_system_seconds=None if system is None else system * self._unit,
            memory_peak_bytes=self._number("memory_peak"),
            processes_peak=None,
            oom_kills=self._number("oom_kills"),
        )

    async def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed in it for memory, also once the container is gone."""
        return bool(self._number("oom_kills")) or (self._alarm is not None and await self._alarm.rang())

    def close(self) -> None:
        """Give back what it takes to be told of that."""
        if self._alarm is not None:
            self._alarm.close()

    def _number(self, key: str) -> int | None:
        if key not in self._files:
            return None
        path, line = self._files[key]
        try:
            with path.open("rb") as file:
                return read_counter(file.fileno(), line)
        except OSError:
            return None
