"""The control groups of one sandbox, from outside: runsc starts in them, so that everything of it is in them."""

import os
from contextlib import suppress

from holdfast.engines.control.container import Account
from holdfast.engines.host import cgroup
from holdfast.guest.groups import read_counter
from holdfast.types import Limits

TASKS_OF_GVISOR = 512
TASKS_PER_PROCESS = 16
"""Processes are limited by gVisor's kernel; on the host each is several tasks of the sentry, which are bounded too."""

_CAN_BE_DROPPED = ("inactive_file", "active_file")


class SandboxGroups:
    """One directory per hierarchy. `base_bytes` is what an unused sandbox takes, which is not the program's."""

    def __init__(self, tree: cgroup.CgroupTree, name: str) -> None:
        self._tree = tree
        self._directories = [hierarchy.directory / name for hierarchy in tree.hierarchies]
        self._files: dict[str, int] = {}
        self._fields = tree.usage_fields()
        self.base_bytes = self._least_bytes = 0
        for directory in self._directories:
            directory.mkdir(parents=True)
        for key, (index, file) in tree.usage_files().items():
            self._files[key] = os.open(self._directories[index] / file, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def entrances(self) -> tuple[str, ...]:
        """The files a process writes 0 to, to enter."""
        file = "cgroup.procs" if self._tree.version == "v2" else "tasks"
        return tuple(str(directory / file) for directory in self._directories)

    def note_base(self) -> None:
        """What is in memory now, but for what can be dropped, is gVisor's own."""
        for directory in self._directories:
            with suppress(OSError):
                (directory / "memory.max_usage_in_bytes").write_text("0")
        self.base_bytes = self._least_bytes = self._used()

    def _used(self) -> int:
        """What is in memory and cannot be dropped."""
        for directory in self._directories:
            for usage in ("memory.current", "memory.usage_in_bytes"):
                with suppress(OSError):
                    used = int((directory / usage).read_text())
                    lines = (line.split() for line in (directory / "memory.stat").read_text().splitlines())
                    return max(0, used - sum(int(value) for name, value in lines if name in _CAN_BE_DROPPED))
        return 0

    def hold(self, limits: Limits) -> None:
        """Raises OSError."""
        # gVisor may have let go of something since; what it no longer has is not to be taken off a program's account.
        self._least_bytes = min(self._least_bytes, self._used())
        held = limits.model_copy(
            update={
                "memory_bytes": limits.memory_bytes + self.base_bytes,
                "processes": TASKS_OF_GVISOR + TASKS_PER_PROCESS * limits.processes,
            }
        )
        rows = [(self._directories[index] / name, value) for index, name, value in self._tree.writes(held)]
        for path, value in rows:
            # Memory with and without swap bound each other, so of a pair one may have to wait for the other.
            try:
                path.write_text(value)
            except OSError:
                continue
        for path, value in rows:
            path.write_text(value)

    def account(self) -> Account:
        """What everything in the sandbox has used, without what gVisor takes for itself to begin with."""
        counted = {key: read_counter(fd, self._fields[key]) for key, fd in self._files.items()}
        unit = self._tree.cpu_unit_seconds
        peak, user, system = (counted.get(key) for key in ("memory_peak", "cpu_user", "cpu_system"))
        return Account(
            cpu_user_seconds=None if user is None else user * unit,
            cpu_system_seconds=None if system is None else system * unit,
            memory_peak_bytes=None if peak is None else max(0, peak - self._least_bytes),
            oom_kills=counted.get("oom_kills"),
        )

    def processes(self) -> set[int]:
        """Who is in."""
        return set().union(*map(cgroup.members, self._directories))

    def remove(self) -> bool:
        """Kill who is in; whether all of it is gone."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()
        return all([cgroup.end(directory) for directory in self._directories])
