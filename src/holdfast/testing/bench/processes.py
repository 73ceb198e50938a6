"""What the processes of a server weigh and cost, read from /proc."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from holdfast.testing.bench.figures import ProcessorTime, Weight

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM, _WAITED_USER, _WAITED_SYSTEM = 1, 11, 12, 13, 14
"""Fields of /proc/<pid>/stat after the name; `waited` is that of children that have ended."""


def status_megabytes(pid: int, name: str) -> float:
    """A figure of /proc/<pid>/status, such as VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def weight(server: int, stock: int) -> Weight:
    """What a server and everything below it weigh; `stock` is how many cells it says it has waiting."""
    launchers, cells = _family(server)
    return Weight(
        _proportional_megabytes(server),
        sum(map(_proportional_megabytes, launchers)),
        sum(map(_proportional_megabytes, cells)),
        stock,
    )


def processor_time(server: int) -> ProcessorTime:
    """What a server, its launchers and all cells so far have spent; an ended cell counts with its launcher."""
    launchers, cells = _family(server)
    own = sum(_spent(pid, _USER, _SYSTEM) for pid in launchers)
    ended = sum(_spent(pid, _WAITED_USER, _WAITED_SYSTEM) for pid in launchers)
    living = sum(_spent(pid, _USER, _SYSTEM, _WAITED_USER, _WAITED_SYSTEM) for pid in cells)
    return ProcessorTime(_spent(server, _USER, _SYSTEM), own, ended + living)


def _family(server: int) -> tuple[list[int], list[int]]:
    """The launchers, which are the server's children, and everything below them, which is cells."""
    parent_of = dict(parents())
    launchers = [pid for pid, parent in parent_of.items() if parent == server]
    cells, fresh = [], set(launchers)
    while fresh:
        fresh = {pid for pid, parent in parent_of.items() if parent in fresh}
        cells += sorted(fresh)
    return launchers, cells


def parents() -> Iterator[tuple[int, int]]:
    """Every process and its parent."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry), int(_stat(int(entry))[_PARENT])


def _spent(pid: int, *fields: int) -> float:
    """Milliseconds of these fields; nothing for a process that has ended meanwhile."""
    try:
        stat = _stat(pid)
    except OSError:
        return 0.0
    return sum(int(stat[field]) for field in fields) * 1000 / _TICKS_PER_SECOND


def _stat(pid: int) -> list[str]:
    # The name in parentheses may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _proportional_megabytes(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0  # it ended meanwhile
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
