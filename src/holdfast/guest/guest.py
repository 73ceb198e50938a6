"""The guest: locks itself in while it is still ours, waits for its one job, then becomes the untrusted program."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import _socket
import fcntl
import os
import resource
import select
import sys
from functools import partial

from holdfast.guest import building, collect, ending, layering, preload, syscalls
from holdfast.guest.frames import Channel, Frame, split_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

PYTHON = "python"
MAIN_FILE = "main.py"
_MAIN_PATH = f"{building.WORKSPACE}/{MAIN_FILE}"
_ARCHIVE_MARK = b"PK\5\6"
_REHEARSED = {"argv": ("python", "main.py"), "environment": {}, "files": [("main.py", 4)], "rlimits": {}}
JOB_DESCRIPTOR = 3
"""Where a program that was started in advance finds its job, and above it the two ends of a pipe to rehearse with."""
LIBRARY_VARIABLE = "HOLDFAST_CELL_LIBRARY"
"""Where such a program finds what was compiled for it; it is told its real environment with its job."""
BLOCKED_BY_OURS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2)
"""Signals the launcher and pid 1 do not want to hear of; a guest gets them back."""
READ_FILE, READ_DIR, EXECUTE, WRITE_FILE = 1 << 2, 1 << 3, 1 << 0, 1 << 1
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
_OOM_SCORE = "/proc/self/oom_score_adj"
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the file rights, counted from bit 0, each Landlock version knows (linux/landlock.h)."""


def look_fresh(stash: preload.Stash, started_with: set[str]) -> None:
    """Let the interpreter look as it did when it had just started, so that a guest can go on as `python main.py`.

    Done once, in the launcher: what a guest does itself costs every run copies of memory.
    """
    ending.shorten(stash, preload.hide(stash, started_with))
    library = __file__.partition("/holdfast/guest/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != library]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(library)]:
        del sys.path_importer_cache[entry]
    # CPython looks into every main file, whether it is a zip archive, and keeps the answer here.
    sys.path_importer_cache[_MAIN_PATH] = None


def landlock_ruleset(config: dict[str, Any]) -> int | None:
    """The files a guest may touch, as Landlock sees them; None where the kernel has no Landlock."""
    return syscalls.landlock_ruleset(*landlock_rules(config)) if config["landlock"] else None


def landlock_rules(config: dict[str, Any]) -> tuple[int, int, list[tuple[str, int]]]:
    """The rights on files that are denied, the scopes, and the rights that are allowed beneath paths."""
    abi = config["landlock"]
    rights = (1 << _RIGHTS_BY_ABI.get(abi, 16)) - 1
    scratch = rights & ~IOCTL_DEVICE
    devices = (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEVICE) & rights
    rules = [("/", READ_FILE | READ_DIR | EXECUTE), ("/dev", devices)]
    places = [target for _, _, target in config["places"]]
    rules += [(path, scratch) for path in ("/workspace", "/tmp", "/dev/shm", *places)]
    return rights, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0, rules


def enter(
    config: dict[str, Any], channel: Channel, stash: preload.Stash, streams: tuple[int, ...], *, built: bool
) -> None:
    """Build the cell unless that is done, lock this process in, wait for the job, and start it.

    Returns only to run main.py in this interpreter.

    With `streams`, become the program of the profile at once and let it wait for the job on descriptor 3.
    """
    try:
        if not built:
            building.build(config)
        _lock_in(config, (channel.fileno(), *streams))
        channel.send({"landlock": _landlock_holds(), "no_new_privileges": syscalls.has_no_new_privileges()})
        if streams:
            _wait_as_program(config, channel, streams)
        _wait_for_job(config, channel, stash)
    except BaseException as error:
        _give_up(channel, error)


def go_on(config: dict[str, Any], channel: Channel, stash: preload.Stash, streams: tuple[int, ...]) -> None:
    """The rest of `enter` in a process that cell.c has locked in, all but what only the interpreter knows."""
    try:
        _forget_our_signals()
        if streams:
            _wait_as_program(config, channel, streams)
        _wait_for_job(config, channel, stash)
    except BaseException as error:
        _give_up(channel, error)


def _wait_for_job(config: dict[str, Any], channel: Channel, stash: preload.Stash) -> None:
    calm_milliseconds = config["warm_up"]
    if calm_milliseconds is not None and not _is_asked_within(channel, calm_milliseconds):
        preload.warm_up(stash, receive_rehearsed)
        if config.get("data") and stash.modules and not _is_asked_within(channel, 0):
            preload.open_ahead(stash, partial(_is_asked_within, channel), config.get("read_ahead", 0))
    job = channel.receive()
    if job is None:
        os._exit(0)
    # Its number may become one of the program's own.
    channel.close()
    _start(job, stash)


def _is_asked_within(channel: Channel, milliseconds: float) -> bool:
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    return bool(poll.poll(milliseconds))


def receive_rehearsed() -> None:
    """Receive a job that nobody sent."""
    ends = _socket.socketpair()
    Channel(ends[0]).send(_REHEARSED, b"text", (0, 1, 2))
    frame = Channel(ends[1]).receive()
    if frame is not None:
        split_files(frame.header["files"], frame.payload)
        for fd in frame.fds:
            os.close(fd)
    for end in ends:
        end.close()


def _forget_our_signals() -> None:
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)


def _give_up(channel: Channel, error: BaseException) -> NoReturn:
    try:
        channel.send({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _wait_as_program(config: dict[str, Any], channel: Channel, streams: tuple[int, ...]) -> NoReturn:
    out_of_the_way = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 32) for fd in (*streams, channel.fileno(), *os.pipe())]
    for target, fd in enumerate(out_of_the_way):
        os.dup2(fd, target)
    syscalls.close_fds_from(JOB_DESCRIPTOR + 3)
    if config["native"] is not None:
        os.environ[LIBRARY_VARIABLE] = config["native"]
    _exec(config["warm"])


def _lock_in(config: dict[str, Any], keep: tuple[int, ...]) -> None:
    """The order matters: rights are needed to give up rights, and the filter forbids the rest."""
    syscalls.set_process_name(PYTHON)
    _forget_our_signals()
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, BLOCKED_BY_OURS)
    os.setsid()
    os.chdir(building.WORKSPACE)
    syscalls.close_fds_from(3, keep)
    landlock = landlock_ruleset(config)
    syscalls.drop_bounding_set()
    uid = building.GUEST_UID
    if config["uid_base"] is not None:
        if os.getgroups():
            os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
    _raise_oom_score()
    if landlock is not None:
        syscalls.landlock_restrict(landlock)
        os.close(landlock)
    if config["seccomp"]:
        syscalls.load_seccomp(config["seccomp"])


def _raise_oom_score() -> None:
    """When the cell runs out of memory the kernel should take the program, not pid 1."""
    fd = os.open(_OOM_SCORE, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, b"1000")
    os.close(fd)


def forbid_core_dumps() -> None:
    """With a limit of 0 the kernel still runs a handler named by `core_pattern`, on the host; with 1 it does not."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _landlock_holds() -> bool:
    """Landlock has no entry in /proc, so try something only it forbids."""
    try:
        os.close(os.open(_OOM_SCORE, os.O_WRONLY | os.O_CLOEXEC))
    except PermissionError:
        return True
    return False


def _start(job: Frame, stash: preload.Stash) -> None:
    header = job.header
    streams = header["streams"]
    payload = job.payload or large_payload(job.fds[streams:])
    for target, fd in enumerate(job.fds[:streams]):
        os.dup2(fd, target)
    syscalls.close_fds_from(streams, stash.held)
    try:
        for name, data in split_files(header["files"], payload).items():
            collect.write_file_by_name(name, data, collect.mode_of(name, header["executables"]))
    except OSError as error:
        _refuse(f"the files could not be placed: {error.strerror}", 1)
    for name, value in header["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    for name, value in header["environment"].items():
        os.environ[name] = value
    argv = list(header["argv"])
    if argv[:2] == [PYTHON, MAIN_FILE] and not header["cold"] and not preload.is_shadowed(stash, "."):
        _become_main(argv, stash, may_be_archive=_ARCHIVE_MARK in payload)
        return
    _exec(argv)


def job_of_started(job: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a program that runs already has to be told; it was started with two words of its command."""
    return {"argv": job["argv"][2:], "environment": {**environment, **job["environment"]}}


def large_payload(fds: list[int]) -> bytes:
    """What was too large for a message, and came as the descriptor of a file."""
    return os.pread(fds[0], os.fstat(fds[0]).st_size, 0) if fds else b""


def _become_main(argv: list[str], stash: preload.Stash, *, may_be_archive: bool) -> None:
    """What a guest must do itself to go on as `python main.py`."""
    if may_be_archive:
        del sys.path_importer_cache[_MAIN_PATH]
    if len(argv) > 2:
        sys.argv[:] = argv[1:]
        sys.orig_argv[:] = argv
    if layering.VARIABLE in os.environ:
        layering.show()
    preload.give_main(stash)
    ending.watch(stash)


def _exec(argv: list[str]) -> NoReturn:
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    name, fault = argv[0], ""
    for folder in [""] if "/" in name else os.environ.get("PATH", os.defpath).split(":"):
        try:
            os.execv(f"{folder}/{name}" if folder else name, argv)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            fault = fault or str(error.strerror)
    if fault:
        _refuse(f"{name}: {fault}", 126)
    _refuse(f"{name}: command not found", 127)


def _refuse(sentence: str, exit_code: int) -> NoReturn:
    os.write(2, f"holdfast: {sentence}\n".encode())
    os._exit(exit_code)
