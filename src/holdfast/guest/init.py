"""Pid 1 of a cell: owns its namespaces, keeps one guest ready, judges and tidies up.

It is not dumpable, ignores every signal but SIGCHLD, and touches files only with the guest's rights. Its verdict is the
only one: it travels over the control socket, which no guest ever holds. When that socket closes, it exits, and the
kernel ends everything else in the cell with it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import _socket
import os
import resource
import select
import time

from holdfast.guest import building, collect, filing, groups, guest, native, preload, processes, syscalls
from holdfast.guest.frames import Channel, Frame, json_text, marshalled, split_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

KILL_POLL_SECONDS = 0.05
_NO_CAPABILITIES = b"".join(b"Cap%s:\t%016x\n" % (name, 0) for name in (b"Inh", b"Prm", b"Eff", b"Bnd", b"Amb"))
NAMESPACE_NAMES = native.NAMESPACE_NAMES


def enter_cell(
    config: dict[str, Any], ends: list[int], go: int, files: groups.GroupFiles, stash: preload.Stash
) -> None:
    """Become pid 1 of a cell. Returns only in a guest that is to run main.py."""
    control, *streams = ends
    channel = Channel(_socket.socket(fileno=control), json_text)
    try:
        if os.read(go, 1) != b"g":
            os._exit(1)
        syscalls.close_fds_from(3, (*ends, *files.descriptors()))
        syscalls.set_process_name("holdfast-init")
        _take_charge(config)
        cell = Init(config, channel, files, stash)
        cell.serve(tuple(streams))
    except BaseException as error:
        _report_and_exit(channel, error)


def go_on(
    config: dict[str, Any], files: groups.GroupFiles, stash: preload.Stash, code: int, state: native.State
) -> None:
    """Be pid 1 from where cell.c left off. Returns only in a guest that is to run main.py."""
    channel = Channel(_socket.socket(fileno=state.control), json_text)
    try:
        cell = Init(config, channel, files, stash)
        cell.go_on(code, state)
    except BaseException as error:
        _report_and_exit(channel, error)


def _report_and_exit(channel: Channel, error: BaseException) -> NoReturn:
    try:
        channel.send({"op": "failed", "error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _take_charge(config: dict[str, Any]) -> None:
    """Become the owner of the cell's namespaces, out of reach of everything that will run in them."""
    if config["uid_base"] is not None:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    _stay_out_of_reach()


def _stay_out_of_reach() -> None:
    """Nobody may look into this process, and it ends with the launcher. Each change of ids takes both back."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)


class Init:
    """The life of pid 1 after the cell is built."""

    def __init__(
        self, config: dict[str, Any], channel: Channel, files: groups.GroupFiles, stash: preload.Stash
    ) -> None:
        self._config = config
        self._channel = channel
        self._usage = files.usage
        self._knobs = files.knobs
        self._limits: dict[str, str] = {name: value for _, name, value in config["cgroup"]["writes"]}
        self._stash = stash
        self._workspace = -1
        self._wake, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._guest: processes.Guest | None = None
        _signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def close(self) -> None:
        """Give back the descriptors. Only a rehearsal ends so; pid 1 exits."""
        os.close(self._wake)
        os.close(self._wake_write)

    def serve(self, streams: tuple[int, ...]) -> None:
        """Make a guest ready, then do what the server asks. Returns only in a guest.

        `streams` are the standard streams of a program to start in advance.
        """
        first = self._make_guest(streams)
        if first is None:
            return
        syscalls.set_fs_ids(building.GUEST_UID, building.GUEST_UID)
        _stay_out_of_reach()
        self._workspace = os.open(building.WORKSPACE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._send_ready(first)
        self._serve()

    def go_on(self, code: int, state: native.State) -> None:
        """Finish what cell.c has begun, then serve. Returns only in a guest."""
        self._workspace = state.workspace
        self._limits |= state.limits_turned(self._knobs)
        if code == native.SERVE and state.channel >= 0:
            started = state.streams[0] >= 0
            channel = Channel(_socket.socket(fileno=state.channel), json_text if started else marshalled)
            self._guest = processes.Guest(state.guest, channel, landlock=bool(state.landlock), started=started)
        if code in (native.SUPERVISE, native.CONCLUDE):
            run = processes.Run(state.guest, state.rest_of_order(), state.received)
            run.started, run.cpu_before, run.kills_before = (
                state.started,
                (state.cpu_user, state.cpu_system),
                state.oom_kills,
            )
            if code == native.SUPERVISE:
                self._see_through(run)
            else:
                self._conclude(run, state.status, native.REASONS[state.reason], state.ended)
        self._serve()

    def _serve(self) -> None:
        """Do what the server asks. Returns only in a guest."""
        while True:
            frame = self._channel.receive()
            if frame is None:
                os._exit(0)
            if frame.header["op"] == "exec":
                if self._exec(frame) is None:
                    return
            elif frame.header["op"] not in ("kill", "interrupt"):
                self._answer(frame)

    def _send_ready(self, first: processes.Guest) -> None:
        """Say what holds the guest; for a network, hand over the namespace that is to be joined to it."""
        namespaces = [os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)] if self._config["network"] else []
        self._channel.send({"op": "ready", "isolation": self.isolation(first)}, fds=namespaces)
        for fd in namespaces:
            os.close(fd)

    def _make_guest(self, streams: tuple[int, ...] = ()) -> processes.Guest | None:
        """Fork the next guest and wait until it is locked in; None in the guest itself. The first builds the cell."""
        ours, theirs = _socket.socketpair()
        built = self._workspace >= 0
        pid = os.fork()
        if pid == 0:
            ours.close()
            # No object of ours may close a descriptor whose number has become one of the program's own.
            self._channel.close()
            guest.enter(self._config, Channel(theirs), self._stash, streams, built=built)
            return None
        theirs.close()
        for fd in streams:
            os.close(fd)
        channel = Channel(ours, json_text if streams else marshalled)
        locked = channel.receive()
        if locked is None or "error" in locked.header:
            raise RuntimeError(f"the guest could not be locked in: {locked and locked.header['error']}")
        self._guest = processes.Guest(pid, channel, landlock=bool(locked.header["landlock"]), started=bool(streams))
        return self._guest

    def isolation(self, waiting: processes.Guest) -> dict[str, Any]:
        """What the kernel says of the guest."""
        status = _read(f"/proc/{waiting.pid}/status")
        outside: dict[str, str] = self._config["namespaces_outside"]
        folder = f"/proc/{waiting.pid}/ns/"
        return {
            "namespaces": [name for name in NAMESPACE_NAMES if os.readlink(folder + name) != outside[name]],
            "seccomp": b"\nSeccomp:\t2\n" in status,
            "no_new_privileges": b"\nNoNewPrivs:\t1\n" in status,
            "capabilities_dropped": _NO_CAPABILITIES in status,
            "separate_users": b"\nUid:\t%d\t" % os.getuid() not in status,
            "landlock": waiting.landlock,
            "cgroup": sorted(self._usage),
            "memory_bytes": self._counter("memory_peak"),
        }

    def _exec(self, frame: Frame) -> bool | None:
        """Run one command to its end and send the verdict; None in a guest."""
        received = time.monotonic()
        header = frame.header
        chosen = self._choose_guest(started=header["started"])
        if chosen is None:
            return None
        self._adjust(header["writes"], header["disk"])
        run = processes.Run(chosen.pid, header, received)
        run.cpu_before, run.kills_before = self._cpu_seconds(), self._counter("oom_kills") or 0
        run.started = time.monotonic()
        try:
            self._hand_over(chosen, frame)
        finally:
            for fd in frame.fds:
                os.close(fd)
            chosen.channel.close()
        self._see_through(run)
        return True

    def _see_through(self, run: processes.Run) -> None:
        """Wait for the end of a program, end what it left, and send the verdict."""
        cpu_limit: float | None = run.header["cpu_seconds"]
        status, reason = self.supervise(
            run.pid,
            run.started + run.header["wall_seconds"],
            None if cpu_limit is None else sum(run.cpu_before) + cpu_limit,
        )
        ended = time.monotonic()
        self._end_everything()
        self._conclude(run, status, reason, ended)

    def _conclude(self, run: processes.Run, status: int, reason: str | None, ended: float) -> None:
        """Send the verdict on a program of which nothing is left."""
        header = run.header
        disk = os.fstatvfs(self._workspace)
        usage = self.usage_since(run.cpu_before, run.kills_before, ended - run.started)
        with groups.MoreMemory(self._knobs, self._limits, usage["memory_peak"]):
            files, notes = collect.artifacts(self._workspace, header["artifacts"], header["artifact_bytes"])
            returned = collect.named(self._workspace, header["returns"], notes)
            files |= returned
            verdict = {
                "op": "exited",
                "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "reason": reason,
                "usage": usage,
                "disk_full": disk.f_bavail == 0 or disk.f_favail == 0,
                "artifacts": list(files.items()),
                "returned": list(returned),
                "notes": notes,
                "start_ms": (run.started - run.received) * 1000,
                "run_ms": (ended - run.started) * 1000,
                "collect_ms": (time.monotonic() - ended) * 1000,
            }
            self._channel.send_pieces(verdict, sum(files.values()), collect.pieces(self._workspace, files))

    def _choose_guest(self, *, started: bool) -> processes.Guest | None:
        """The waiting guest if it is of the right kind, else a new one; None in that new one."""
        waiting, self._guest = self._guest, None
        if waiting is not None and waiting.started == started:
            return waiting
        if waiting is not None:
            os.kill(waiting.pid, _signal.SIGKILL)
            waiting.channel.close()
        made = self._make_guest()
        self._guest = None
        return made

    def _hand_over(self, chosen: processes.Guest, frame: Frame) -> None:
        """Give a guest its job. For a program that runs already, do what it would have done before its start."""
        job = frame.header["job"]
        if not chosen.started:
            chosen.channel.send(job, frame.payload, tuple(frame.fds))
            return
        for name, value in job["rlimits"].items():
            resource.prlimit(chosen.pid, getattr(resource, name), (value, value))
        for name, data in split_files(job["files"], frame.payload or guest.large_payload(frame.fds)).items():
            collect.write_file(self._workspace, name, data, collect.mode_of(name, job["executables"]))
        chosen.channel.send(guest.job_of_started(job, self._config["environment"]))

    def _adjust(self, writes: dict[str, str], disk: str | None) -> None:
        """Apply what this job's limits have different from those the cell was made with."""
        if disk is not None:
            syscalls.mount(
                None, building.WORKSPACE, None, syscalls.MS_REMOUNT | syscalls.MS_NOSUID | syscalls.MS_NODEV, disk
            )
        for name, value in writes.items():
            # Memory with and without swap bound each other, so of a pair one may have to wait for the other.
            try:
                groups.turn(self._knobs[name], name, value)
            except OSError:
                continue
        for name, value in writes.items():
            groups.turn(self._knobs[name], name, value)
        self._limits |= writes

    def supervise(self, pid: int, deadline: float, cpu_limit: float | None) -> tuple[int, str | None]:
        """Wait for the guest and reap orphans meanwhile: its wait status, and why it was ended if we did it."""
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        reason = None
        while True:
            processes.drain(self._wake)
            status = processes.reap_until(pid)
            if status is not None:
                return status, reason
            reason = reason or self._overdue(deadline, cpu_limit)
            if reason is None and self._asked_to_kill(pid, poll, deadline, polling=cpu_limit is not None):
                reason = "killed"
            if reason is not None:
                processes.kill_everything()
                _, status = os.waitpid(pid, 0)
                return status, reason

    def _overdue(self, deadline: float, cpu_limit: float | None) -> str | None:
        if time.monotonic() >= deadline:
            return "wall"
        if cpu_limit is not None and sum(self._cpu_seconds()) >= cpu_limit:
            return "cpu"
        return None

    def _asked_to_kill(self, pid: int, poll: select.poll, deadline: float, *, polling: bool) -> bool:
        """Sleep until something happens, and do what the server asks; True when it wants the program ended."""
        seconds = max(0.0, deadline - time.monotonic())
        if polling:
            seconds = min(seconds, KILL_POLL_SECONDS)
        ready = [fd for fd, _ in poll.poll(seconds * 1000 + 1)]
        if self._channel.fileno() not in ready:
            return False
        frame = self._channel.receive()
        if frame is None:
            os._exit(0)
        if frame.header["op"] == "interrupt":
            os.killpg(pid, _signal.SIGINT)
        elif frame.header["op"] != "kill":
            self._answer(frame)
        return bool(frame.header["op"] == "kill")

    def _end_everything(self) -> None:
        """Kill and reap until this process is alone in its namespace."""
        while True:
            processes.kill_everything()
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _cpu_seconds(self) -> tuple[float, float]:
        """User and system seconds of all that ever ran in this cell."""
        if "cpu_user" not in self._usage:
            times = resource.getrusage(resource.RUSAGE_CHILDREN)
            return times.ru_utime, times.ru_stime
        user, system = (self._counter(key) or 0 for key in ("cpu_user", "cpu_system"))
        scale: float = self._config["cgroup_cpu_unit_seconds"]
        return user * scale, system * scale

    def usage_since(self, cpu_before: tuple[float, float], kills_before: int, wall_seconds: float) -> dict[str, Any]:
        """What the cell has used."""
        user, system = self._cpu_seconds()
        counters = {key: self._counter(key) for key in ("memory_peak", "processes_peak")}
        return {
            "wall_seconds": wall_seconds,
            "cpu_user_seconds": user - cpu_before[0],
            "cpu_system_seconds": system - cpu_before[1],
            "oom_kills": (self._counter("oom_kills") or 0) - kills_before,
            **counters,
        }

    def _counter(self, key: str) -> int | None:
        if key not in self._usage:
            return None
        fields: dict[str, str | None] = self._config["cgroup_usage_fields"]
        return groups.read_counter(self._usage[key], fields[key])

    def _answer(self, frame: Frame) -> None:
        if frame.header["op"] == "usage":
            self._channel.send({"op": "done", "usage": self.usage_since((0.0, 0.0), 0, 0.0)})
            return
        filing.answer(self._workspace, frame, self._channel)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 14)
    finally:
        os.close(fd)
