"""Pid 1 of a container that somebody else isolates: what `init` is to a cell, with one pair of byte streams to talk.

A container runtime starts `python main.py` with `guest/pid1` as its PYTHONPATH and `/workspace` as its directory, as
root of the container with `CAP_SETUID`, `CAP_SETGID` and `CAP_SETPCAP` (and `CAP_SYS_ADMIN` if it is to mount `disk`),
and connects its stdin and stdout. The first message is the configuration (`_DEFAULTS` shows what there is); `ready`
answers it. Of its rights it keeps the first alone, and that only while it makes a guest. Guests get another uid, no
capability, and none of these streams. Like a launcher this interpreter can go on as a program itself.

Besides what pid 1 of a cell is told: `input {last}`, `taken {bytes}`; besides what it says: `output {stream}`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import fcntl
import gc
import os
import select

from holdfast.guest import building, groups, guest, init, preload, processes, syscalls
from holdfast.guest.streams import StreamChannel, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.guest.frames import Frame

_ABOVE_THE_PROGRAMS_OWN = 16
_STREAMS = ("stdout", "stderr")

_DEFAULTS: dict[str, Any] = {
    # What a maker may say: modules to load in advance, what programs find in their environment, a filter in hex, the
    # options of a tmpfs for all writable places (None: they are there already), and further places (name, mode, path).
    "modules": (),
    "environment": {},
    "seccomp": "",
    "disk": None,
    "places": (),
    # Files to remove and directories to cover, of what the container's kernel brings along.
    "removed": (),
    "covered": (),
    "warm_up": None,
    # What else a guest asks for, with the answers that suit a container.
    "landlock": 0,
    "uid_base": 0,
    "network": False,
    "cgroup": {"writes": (), "usage": {}},
    # Where the container finds its own account, by what it counts, and the lines of those files.
    "cgroup_files": {},
    "cgroup_usage_fields": {},
}


def serve(started_with: set[str]) -> None:
    """Serve until the other side goes away. Returns only in a guest that is to run main.py."""
    channel = _take_streams()
    try:
        prepared = _prepare(channel, started_with)
        if prepared is None:
            os._exit(0)
        prepared.serve(())
    except BaseException as error:
        init.report_and_exit(channel, error)


def _take_streams() -> StreamChannel:
    """Move the streams away from where programs have theirs; what is printed by accident goes to stderr."""
    ours = [os.dup(fd) for fd in (0, 1)]
    channel = StreamChannel(*[_moved_up(fd) for fd in ours])
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return channel


def _moved_up(fd: int) -> int:
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_THE_PROGRAMS_OWN)
    os.close(fd)
    os.set_blocking(moved, True)
    return moved


def _prepare(channel: StreamChannel, started_with: set[str]) -> ContainedInit | None:
    del os.environ["PYTHONPATH"]
    first = channel.receive()
    if first is None:
        return None
    config = _DEFAULTS | first.header
    config["seccomp"] = bytes.fromhex(config["seccomp"])
    os.environ.update(config["environment"])
    os.setgroups([])
    if config["disk"] is not None:
        building.mount_scratch(config)
    for path in config["removed"]:
        if os.path.lexists(path):
            os.unlink(path)
    for path in config["covered"]:
        syscalls.mount("covered", path, "tmpfs", syscalls.MS_RDONLY, "mode=555")
    _keep_what_makes_guests()
    os.chdir(building.WORKSPACE)
    stash = preload.load(config["modules"], started_with)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, guest.BLOCKED_BY_OURS)
    guest.forbid_core_dumps()
    prepared = ContainedInit(config, channel, stash)
    guest.look_fresh(stash, started_with)
    gc.collect()
    gc.freeze()
    return prepared


def _keep_what_makes_guests() -> None:
    """Of all rights, the one to give a guest another user; nothing that starts from here can gain any by exec."""
    syscalls.drop_bounding_set()
    group = building.GUEST_UID
    os.setresgid(group, group, group)
    syscalls.keep_capability(syscalls.CAP_SETUID)


class ContainedInit(init.Init):
    """The life of pid 1 of a container."""

    def __init__(self, config: dict[str, Any], channel: StreamChannel, stash: preload.Stash) -> None:
        super().__init__(config, channel, _open_account(config["cgroup_files"]), stash)
        self._streams: Streams | None = None
        self._built = True

    def _make_guest(self, streams: tuple[int, ...] = ()) -> processes.Guest | None:
        """As the user who has a right: to become another one."""
        os.seteuid(0)
        made = super()._make_guest(streams)
        if made is not None:
            self._take_the_guests_rights()
        return made

    def _take_the_guests_rights(self) -> None:
        """As effective id: not every kernel (gVisor's) has a separate one for files."""
        os.seteuid(building.GUEST_UID)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)

    def _exec(self, frame: Frame) -> bool | None:
        job = frame.header["job"]
        names = (*_STREAMS, "frames") if job["interactive"] else _STREAMS
        self._streams = Streams(self._channel, names)
        frame.fds = list(self._streams.program_ends)
        job["streams"] = len(frame.fds)
        try:
            return super()._exec(frame)
        finally:
            self._streams = None

    def _poll(self) -> select.poll:
        poll = super()._poll()
        if self._streams is not None:
            self._streams.join(poll)
        return poll

    def _move_data(self, ready: list[int]) -> None:
        if self._streams is not None:
            self._streams.move(ready)

    def _end_everything(self) -> None:
        super()._end_everything()
        if self._streams is not None:
            self._streams.finish()

    def _answer(self, frame: Frame) -> str | None:
        if frame.header["op"] not in ("input", "taken"):
            return super()._answer(frame)
        if self._streams is None:
            # What it was meant for has ended.
            return None
        if frame.header["op"] == "taken":
            self._streams.taken(frame.header["bytes"])
            return None
        return None if self._streams.feed(frame.payload, last=frame.header["last"]) else "killed"

    def isolation(self, waiting: processes.Guest) -> dict[str, Any]:
        """What this kernel says of the guest; what holds the container itself is for its maker to say."""
        lines = processes.read(f"/proc/{waiting.pid}/status").decode().splitlines()
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        capabilities = [int(value, 16) for name, value in status.items() if name.startswith("Cap")]
        return {
            "seccomp": status.get("Seccomp") == "2",
            "no_new_privileges": waiting.no_new_privileges,
            "capabilities_dropped": bool(capabilities) and not any(capabilities),
            "separate_users": status["Uid"].split()[:1] == [str(building.GUEST_UID)],
            "namespaces": {name: _link(f"/proc/{waiting.pid}/ns/{name}") for name in init.NAMESPACE_NAMES},
            "cgroup": sorted(self._usage),
        }


def _open_account(paths: dict[str, str]) -> groups.GroupFiles:
    """What of it this kernel has."""
    files = groups.GroupFiles()
    for key, path in paths.items():
        try:
            files.usage[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
    return files


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
