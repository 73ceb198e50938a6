"""The guest: locks itself in while it is still ours, waits for its one job, then becomes the untrusted program."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import _socket
import fcntl
import os
import resource
import sys

from holdfast.guest import collect, ending, preload, syscalls
from holdfast.guest.frames import Channel, Frame, split_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

UID = 1000
PYTHON = "python"
MAIN_FILE = "main.py"
JOB_DESCRIPTOR = 3
"""Where a program that was started in advance finds its job."""
IGNORED_BY_OURS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2)
"""Signals the launcher and pid 1 do not want to hear of; a guest gets them back."""
READ_FILE, READ_DIR, EXECUTE, WRITE_FILE = 1 << 2, 1 << 3, 1 << 0, 1 << 1
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
_OOM_SCORE = "/proc/self/oom_score_adj"
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the file rights, counted from bit 0, each Landlock version knows (linux/landlock.h)."""


class CleanStart:
    """How the interpreter looked when it had just started: the modules it had, and those loaded since for later."""

    def __init__(self, modules: set[str], stash: preload.Stash) -> None:
        self.modules = modules
        self.stash = stash


def socket_pair() -> tuple[int, int]:
    """The two descriptors between pid 1 and a guest."""
    ours, theirs = _socket.socketpair()
    return ours.detach(), theirs.detach()


def landlock_ruleset(abi: int) -> int | None:
    """The files a guest may touch, as Landlock sees them; None where the kernel has no Landlock."""
    if abi == 0:
        return None
    rights = (1 << _RIGHTS_BY_ABI.get(abi, 16)) - 1
    scratch = rights & ~IOCTL_DEVICE
    devices = (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEVICE) & rights
    rules = [("/", READ_FILE | READ_DIR | EXECUTE), ("/dev", devices)]
    rules += [(path, scratch) for path in ("/workspace", "/tmp", "/dev/shm")]
    return syscalls.landlock_ruleset(rights, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0, rules)


def enter(
    config: dict[str, Any], channel: Channel, landlock: int | None, clean: CleanStart, streams: tuple[int, ...]
) -> None:
    """Lock this process in, wait for the job, and start it. Returns only to run main.py in this interpreter.

    With `streams`, become the program of the profile at once and let it wait for the job on descriptor 3.
    """
    try:
        _lock_in(config, channel, landlock, streams)
        channel.send({"landlock": _landlock_holds()})
        if streams:
            _wait_as_program(config, channel, streams)
        job = channel.receive()
        if job is None:
            os._exit(0)
        # Its number may become one of the program's own.
        channel.close()
        _start(job, clean)
    except BaseException as error:
        _give_up(channel, error)


def _give_up(channel: Channel, error: BaseException) -> NoReturn:
    try:
        channel.send({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _wait_as_program(config: dict[str, Any], channel: Channel, streams: tuple[int, ...]) -> NoReturn:
    job = fcntl.fcntl(channel.fileno(), fcntl.F_DUPFD_CLOEXEC, 16)
    for target, fd in enumerate(streams):
        os.dup2(fd, target)
    os.dup2(job, JOB_DESCRIPTOR)
    syscalls.close_fds_from(JOB_DESCRIPTOR + 1)
    os.environ.clear()
    os.environ.update(config["environment"])
    _exec(config["warm"])


def _lock_in(config: dict[str, Any], channel: Channel, landlock: int | None, streams: tuple[int, ...]) -> None:
    """The order matters: rights are needed to give up rights, and the filter forbids the rest."""
    syscalls.set_process_name(PYTHON)
    _signal.set_wakeup_fd(-1)
    for number in (*IGNORED_BY_OURS, _signal.SIGCHLD):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.setsid()
    os.umask(0o022)
    keep = [channel.fileno(), *streams] + ([] if landlock is None else [landlock])
    syscalls.close_fds_from(3, keep)
    if config["uid_base"] is not None:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    syscalls.set_fs_ids(UID, UID)
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
    _raise_oom_score()
    _forbid_core_dumps()
    if landlock is not None:
        syscalls.landlock_restrict(landlock)
        os.close(landlock)
    if config["seccomp"]:
        syscalls.load_seccomp(bytes.fromhex(config["seccomp"]))


def _raise_oom_score() -> None:
    """When the cell runs out of memory the kernel should take the program, not pid 1."""
    fd = os.open(_OOM_SCORE, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, b"1000")
    os.close(fd)


def _forbid_core_dumps() -> None:
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


def _start(job: Frame, clean: CleanStart) -> None:
    for target, fd in enumerate(job.fds):
        os.dup2(fd, target)
    syscalls.close_fds_from(len(job.fds))
    header = job.header
    try:
        for name, data in split_files(header["files"], job.payload).items():
            collect.write_file_by_name(name, data)
    except OSError as error:
        _refuse(f"the files could not be placed: {error.strerror}", 1)
    for name, value in header["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    os.environ.clear()
    os.environ.update(header["environment"])
    argv = list(header["argv"])
    if argv[:2] == [PYTHON, MAIN_FILE] and not header["cold"] and not preload.is_shadowed(clean.stash, "."):
        _become_main(argv, clean)
        return
    _exec(argv)


def _become_main(argv: list[str], clean: CleanStart) -> None:
    """Leave this interpreter as it was when it started, so that it goes on as `python main.py`."""
    sys.argv[:] = argv[1:]
    sys.orig_argv[:] = argv
    taken = preload.hide(clean.stash, clean.modules)
    ending.shorten(clean.stash, taken)
    library = __file__.partition("/holdfast/guest/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != library]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(library)]:
        del sys.path_importer_cache[entry]


def _exec(argv: list[str]) -> NoReturn:
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, os.environ)
    except FileNotFoundError:
        _refuse(f"{argv[0]}: command not found", 127)
    except OSError as error:
        _refuse(f"{argv[0]}: {error.strerror}", 126)


def _refuse(sentence: str, exit_code: int) -> NoReturn:
    os.write(2, f"holdfast: {sentence}\n".encode())
    os._exit(exit_code)
