"""What every cell will do, done in the launcher a few times and without effect.

CPython adapts code while it runs, and keeps what it looked up, by writing. What is written before the fork is shared
by all cells; what is written after it, each of them copies a page for.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import _socket
import os
import time

from holdfast.guest import collect, frames, groups, guest, init, processes, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.guest.preload import Stash

TIMES = 20
"""CPython 3.11 specialises what has run eight times, and gives up after some more tries."""

_FAR = 3600.0
_BEYOND_ALL_DESCRIPTORS = 1 << 30
_PR_GET_DUMPABLE = 3


def rehearse(config: dict[str, Any], stash: Stash) -> None:
    """Leaves nothing behind: no file, no process, no descriptor. Needs a handler of SIGCHLD, whose wakeup it takes."""
    left, right = _socket.socketpair()
    played = init.Init(
        config | {"cgroup": {"writes": (), "usage": {}}}, frames.Channel(left), groups.GroupFiles(), stash
    )
    for _ in range(TIMES):
        _act_as_pid_1(played)
        _act_as_guest(config)
    played.close()
    right.close()
    syscalls.drop_bounding_set()


def _act_as_pid_1(played: init.Init) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    played.supervise(pid, time.monotonic() + _FAR, None)
    usage = played.usage_since((0.0, 0.0), 0, 1.0)
    ends = _socket.socketpair()
    myself = processes.Guest(os.getpid(), frames.Channel(ends[0], frames.json_text), landlock=True, started=False)
    myself.channel.send({"op": "exited", "usage": usage, "isolation": played.isolation(myself)}, b"")
    collect.artifacts(-1, [], 0)
    ends[1].close()
    ends[0].close()


def _act_as_guest(config: dict[str, Any]) -> None:
    guest.receive_rehearsed()
    landlock = guest.landlock_ruleset(config)
    if landlock is not None:
        os.close(landlock)
    syscalls.close_fds_from(_BEYOND_ALL_DESCRIPTORS)
    syscalls.prctl(_PR_GET_DUMPABLE, 0)
    syscalls.set_fs_ids(os.geteuid(), os.getegid())
    _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
