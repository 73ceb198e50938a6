"""The processes of a cell, as its pid 1 knows them."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.guest.frames import Channel


class Guest:
    """A child that is locked in and waits for its job; `started` if it is the program of a profile already."""

    def __init__(self, pid: int, channel: Channel, *, landlock: bool, started: bool) -> None:
        self.pid = pid
        self.channel = channel
        self.landlock = landlock
        self.started = started


class Run:
    """A program that runs: what the server said of it, and what there was before."""

    def __init__(self, pid: int, header: dict[str, Any], received: float) -> None:
        self.pid = pid
        self.header = header
        self.received = self.started = received
        self.cpu_before = (0.0, 0.0)
        self.kills_before = 0


def drain(fd: int) -> None:
    """Empty a non-blocking pipe."""
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def reap_until(pid: int) -> int | None:
    """Reap every zombie; the wait status of `pid` once it is among them."""
    while True:
        try:
            reaped, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if reaped == pid:
            return status
        if reaped == 0:
            return None


def kill_everything() -> None:
    if os.getpid() != 1:
        raise RuntimeError("only pid 1 of a cell may end everything it can see")
    try:
        os.kill(-1, _signal.SIGKILL)
    except ProcessLookupError:
        return
