"""The Linux calls the standard library lacks. Every function raises OSError with the kernel's errno."""

from __future__ import annotations

import _socket
import ctypes
import errno
import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_KEEPCAPS = 1, 4, 24, 38, 8
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 1, 2, 4, 8

_CLONE_INTO_CGROUP = 0x200000000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_LANDLOCK_RULE_PATH_BENEATH, _LANDLOCK_CREATE_RULESET_VERSION = 1, 1
_SECCOMP_SET_MODE_FILTER = 1
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 1, 0x40
_LOOPBACK_UP = struct.pack("16sH14x", b"lo", _IFF_UP | _IFF_RUNNING)
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITY_HEADER = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
_PR_CAPBSET_READ = 23
CAP_SETUID = 7
_PR_SET_NAME = 15
_PR_GET_NO_NEW_PRIVS = 39
_MADV_DONTNEED = 4
_LOWEST_HIGH, _MOST_HIGH = 32, 64
_HIGHEST_DESCRIPTOR = 0x7FFFFFFF

_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "seccomp": 317},
    "aarch64": {"clone": 220, "pivot_root": 41, "seccomp": 277},
}
_COMMON = {
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_NR = _NUMBERS.get(os.uname().machine, {}) | _COMMON
# Single-threaded processes use this module, so nobody waits for the lock of the interpreter meanwhile.
_libc = ctypes.PyDLL(None, use_errno=True)
_prctl = ctypes.PyDLL(None).prctl
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
_libc.mount.argtypes = (*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p)


def _check(result: int, what: str) -> int:
    if result < 0:
        _fail(what)
    return result


def _fail(what: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")


def _syscall(name: str, *arguments: object) -> int:
    boxed = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _check(_libc.syscall(ctypes.c_long(_NR[name]), *boxed), name)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    if _libc.mount(_bytes(source), target.encode(), _bytes(kind), flags, _bytes(data)):
        _fail(f"mount {kind or 'bind'} on {target}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(_bytes(target), flags), f"umount {target}")


def make_read_only(path: str, *, devices: bool = False, recursive: bool = True) -> None:
    """Make a mount (and all below it) read-only, without set-uid and, unless asked for, without devices."""
    attributes = _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | (0 if devices else _MOUNT_ATTR_NODEV)
    argument = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0), 32)
    _syscall("mount_setattr", _AT_FDCWD, os.fsencode(path), _AT_RECURSIVE if recursive else 0, argument, 32)


def pivot_root_here() -> None:
    """Make the working directory the root and detach the old one."""
    _syscall("pivot_root", b".", b".")
    umount(".", MNT_DETACH)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """setns(2)."""
    _check(_libc.setns(fd, kind), "setns")


def clone(flags: int, cgroup_fd: int | None = None) -> int:
    """Fork this single-threaded interpreter into new namespaces (and a v2 cgroup); 0 in the child, like os.fork.

    os.fork cannot pass flags, so the raw call is wrapped in the same three hooks os.fork runs.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    if cgroup_fd is None:
        pid = _libc.syscall(ctypes.c_long(_NR["clone"]), ctypes.c_long(flags | 17), *[ctypes.c_long(0)] * 4)
    else:
        words = struct.pack("=11Q", flags | _CLONE_INTO_CGROUP, 0, 0, 0, 17, 0, 0, 0, 0, 0, cgroup_fd)
        arguments = ctypes.create_string_buffer(words, len(words))
        pid = _libc.syscall(ctypes.c_long(_NR["clone3"]), arguments, ctypes.c_long(len(words)))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return _check(pid, "clone")


def prctl(option: int, argument: int, argument3: int = 0) -> None:
    """prctl(2)."""
    if _libc.prctl(option, argument, argument3, 0, 0) < 0:
        _fail(f"prctl {option}")


def has_no_new_privileges() -> bool:
    """Whether no program can give this process more rights."""
    return bool(_prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)


def set_process_name(name: str) -> None:
    """What `ps` and `top` show of this process; at most 15 characters."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def forget_library_pages() -> None:
    """Let go of the pages of libraries this process has read and not changed. Its children read their own anyway."""
    begin, end = 0, 0
    with open("/proc/self/smaps") as file:
        for line in file:
            head, _, rest = line.partition(" ")
            if "-" in head and not head.endswith(":"):
                mode, *_, path = rest.split()
                is_library = path.startswith("/") and mode in ("r-xp", "r--p")
                begin, end = [int(part, 16) for part in head.split("-")] if is_library else (0, 0)
            elif head == "Anonymous:" and rest.split()[0] == "0" and end > begin:
                _libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_DONTNEED)


def set_fs_ids(uid: int, gid: int) -> None:
    """Do all later file operations of this thread with the rights of another user. Raises OSError when refused."""
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
    if (_libc.setfsuid(-1), _libc.setfsgid(-1)) != (uid, gid):
        raise PermissionError("setfsuid was refused")


def drop_bounding_set() -> None:
    """Give up, for this process and its children, the chance to ever gain a capability by exec."""
    capability = 0
    # To drop one needs a right of its own, which a process whose parent has dropped them all does not need.
    while _prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 or _prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) == 0:
        capability += 1
    if _prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) > 0:
        raise PermissionError("prctl PR_CAPBSET_DROP was refused")


def drop_capabilities() -> None:
    """Clear the effective, permitted and inheritable sets, and with them the ambient one."""
    _check(_libc.capset(_CAPABILITY_HEADER, bytes(24)), "capset")


def keep_capability(number: int) -> None:
    """Clear every set but for this one capability, permitted and effective."""
    _check(_libc.capset(_CAPABILITY_HEADER, struct.pack("=6I", 1 << number, 1 << number, 0, 0, 0, 0)), "capset")


def raise_permitted_capabilities() -> None:
    """Make every permitted capability effective again, after a change of user with PR_SET_KEEPCAPS."""
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(_CAPABILITY_HEADER, data), "capget")
    _, low, _, _, high, _ = struct.unpack("=6I", data.raw)
    _check(_libc.capset(_CAPABILITY_HEADER, struct.pack("=6I", low, low, 0, high, high, 0)), "capset")


def close_fds_from(first: int, keep: Iterable[int] = ()) -> None:
    """Close every descriptor from `first` up except those to keep."""
    for fd in sorted(keep):
        if fd >= first:
            if fd > first:
                _syscall("close_range", first, fd - 1, 0)
            first = fd + 1
    _syscall("close_range", first, _HIGHEST_DESCRIPTOR, 0)


def take_low_descriptors() -> list[int]:
    """So many that what is opened next has a number that the streams of a program will not have."""
    taken = [os.dup(2)]
    while taken[-1] < _LOWEST_HIGH - 1:
        taken.append(os.dup(2))
    return taken


def high_descriptors() -> tuple[int, ...]:
    """What is open beyond those that a program is given."""
    return tuple(filter(_is_open, range(_LOWEST_HIGH, _LOWEST_HIGH + _MOST_HIGH)))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def load_seccomp(program: bytes) -> None:
    """Filter the system calls of this process from now on with a ready BPF program."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions)))
    _syscall("seccomp", _SECCOMP_SET_MODE_FILTER, 0, header)


def landlock_abi() -> int:
    """The Landlock version of this kernel, 0 where it is absent or switched off."""
    try:
        return _syscall("landlock_create_ruleset", None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    except OSError:
        return 0


def landlock_ruleset(file_rights: int, scopes: int, rules: Iterable[tuple[str, int]]) -> int:
    """A descriptor of a ruleset that denies `file_rights` everywhere except what `rules` allow beneath their paths."""
    words = struct.pack("=QQQ", file_rights, 0, scopes) if scopes else struct.pack("=Q", file_rights)
    ruleset = _syscall("landlock_create_ruleset", words, len(words), 0)
    for path, allowed in rules:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", allowed, parent)
        _syscall("landlock_add_rule", ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        os.close(parent)
    return ruleset


def landlock_restrict(ruleset: int) -> None:
    """Apply a ruleset to this thread for good."""
    _syscall("landlock_restrict_self", ruleset, 0)


def open_beneath(directory: int, path: str, flags: int, mode: int = 0, *, links: bool = False) -> int:
    """Open a path below a directory, never leaving it, and never following a link of any kind.

    With `links`, symbolic links that stay below it are followed where the kernel can tell.
    """
    resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV | (0 if links else RESOLVE_NO_SYMLINKS)
    how = ctypes.create_string_buffer(struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve), 24)
    try:
        return _syscall("openat2", directory, os.fsencode(path), how, 24)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    return _open_step_by_step(directory, path, flags, mode)


def _open_step_by_step(directory: int, path: str, flags: int, mode: int) -> int:
    """The same where the kernel (gVisor's) has no openat2: nobody can put a link where a step has been."""
    *parents, name = path.split("/")
    if ".." in (*parents, name) or path.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    below = directory
    try:
        for parent in parents:
            step = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=below)
            if below != directory:
                os.close(below)
            below = step
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=below)
    finally:
        if below != directory:
            os.close(below)


def loopback_up() -> None:
    """Switch on the loopback interface of this network namespace."""
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(control, _SIOCSIFFLAGS, _LOOPBACK_UP)
    finally:
        control.close()
