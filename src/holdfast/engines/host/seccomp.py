"""The system call filter of a guest: everything but a reviewed list, because eight languages must live under it.

Socket families are the other way round: only AF_UNIX, AF_INET and AF_INET6 (TCP and UDP) exist. Calls of a foreign
architecture kill the process. The program is compiled once by libseccomp and loaded as bytes in each guest.
"""

import errno
import os
import struct
import tempfile
from collections.abc import Collection, Iterator
from types import ModuleType

from holdfast.errors import HostError

CLONE_NAMESPACE_FLAGS = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)

# fmt: off
REFUSED = (
    # mounts and namespaces
    "mount", "umount", "umount2", "pivot_root", "chroot", "unshare", "setns", "mount_setattr", "move_mount",
    "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "statmount", "listmount",
    "name_to_handle_at", "open_by_handle_at", "quotactl", "quotactl_fd",
    # other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd",
    "kcmp", "migrate_pages", "move_pages",
    # memory tricks
    "userfaultfd", "memfd_secret", "remap_file_pages", "modify_ldt", "mbind", "get_mempolicy",
    "set_mempolicy", "set_mempolicy_home_node", "vmsplice",
    # keys, programs and probes in the kernel
    "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "seccomp", "fanotify_init", "fanotify_mark",
    "lookup_dcookie", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules",
    # the machine itself
    "sync", "syncfs", "acct", "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "query_module", "get_kernel_syms", "swapon", "swapoff", "syslog", "sethostname",
    "setdomainname", "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "adjtimex", "ioperm",
    "iopl", "vhangup",
    # long obsolete
    "_sysctl", "sysfs", "uselib", "ustat", "nfsservctl", "vm86", "vm86old",
)
# fmt: on
"""Answered EPERM: kernel surface no program in a cell has a use for."""

ABSENT = (
    "clone3",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "inotify_init",
    "inotify_init1",
    "io_setup",
)
"""Answered ENOSYS, so that libraries fall back to calls whose arguments can be filtered, or to polling.

Instances of inotify count against the user who started the server, and watches see other cells read shared files.
Asynchronous I/O has one quota for the whole machine.
"""

NEWER_THAN_LIBSECCOMP = {
    "memfd_secret": 447,
    "process_mrelease": 448,
    "set_mempolicy_home_node": 450,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "open_tree_attr": 467,
}
"""Numbers, equal on all architectures, of calls a distribution's libseccomp may not know by name."""

_BINARY_TREE = 2
"""How libseccomp orders the system calls: found in a few steps, where a list would be walked."""

LAST_REVIEWED_CALL = 469

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
IPPROTO_TCP, IPPROTO_UDP = 6, 17
_RLIMIT_CORE = 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_F_NOTIFY = 1026
_MSG_OOB = 1
_TCP_ULP = 31
_X32_BIT = 0x40000000
_SIGN_BIT = 0x80000000
_S_IFMT, _S_IFCHR, _S_IFBLK = 0o170000, 0o020000, 0o060000


def compile_filter(*, shared_user: bool) -> bytes:
    """The filter as BPF instructions. `shared_user`: pid 1 has the guest's uid, so its limits need protection.

    Raises HostError when libseccomp is missing.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise HostError("libseccomp is missing; run: sudo apt install libseccomp2") from error
    compiler = _Compiler(pyseccomp)
    compiler.refuse_calls()
    compiler.filter_sockets()
    compiler.filter_arguments(shared_user=shared_user)
    return compiler.to_bytes()


def all_but(allowed: Collection[int], below: int) -> Iterator[tuple[int, int]]:
    """Masks and values that match, together, every number below a power of two but the allowed ones.

    Few rules make a short filter, and the kernel walks through it for every call there is when it is loaded.
    """

    def split(mask: int, value: int, bit: int) -> Iterator[tuple[int, int]]:
        if not any(number & mask == value for number in allowed):
            yield mask, value
        elif bit:
            yield from split(mask | bit, value, bit >> 1)
            yield from split(mask | bit, value | bit, bit >> 1)

    yield from split(0, 0, below >> 1)


class _Compiler:
    def __init__(self, library: ModuleType) -> None:
        self.lib = library
        self._filter = library.SyscallFilter(library.ALLOW)
        self._filter.set_attr(library.Attr.ACT_BADARCH, library.KILL_PROCESS)
        self._filter.set_attr(library.Attr.CTL_OPTIMIZE, _BINARY_TREE)

    def _refuse(self, name: str, *conditions: object, error: int = errno.EPERM) -> None:
        try:
            number = self.lib.resolve_syscall(self.lib.Arch.NATIVE, name)
        except (ValueError, OSError):
            number = -1
        number = number if number != -1 else NEWER_THAN_LIBSECCOMP.get(name, -1)
        if number >= 0:
            self._filter.add_rule(self.lib.ERRNO(error), number, *conditions)

    def refuse_calls(self) -> None:
        for name in REFUSED:
            self._refuse(name)
        for name in ABSENT:
            self._refuse(name, error=errno.ENOSYS)

    def filter_sockets(self) -> None:
        """Refuse all but a few numbers, also one with high bits set, which the kernel would cut off."""
        arg, eq, ge, masked = self.lib.Arg, self.lib.EQ, self.lib.GE, self.lib.MASKED_EQ
        types = {AF_UNIX: (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET), AF_INET: (SOCK_STREAM, SOCK_DGRAM)}
        types[AF_INET6] = types[AF_INET]
        for call in ("socket", "socketpair"):
            self._refuse(call, arg(0, ge, 64), error=errno.EAFNOSUPPORT)
            for mask, family in all_but(types, 64):
                self._refuse(call, arg(0, masked, mask, family), error=errno.EAFNOSUPPORT)
            for family, allowed in types.items():
                for mask, kind in all_but(allowed, 16):
                    self._refuse(call, arg(0, eq, family), arg(1, masked, mask, kind), error=errno.ESOCKTNOSUPPORT)
        for family in (AF_INET, AF_INET6):
            self._refuse("socket", arg(0, eq, family), arg(2, ge, 32), error=errno.EPROTONOSUPPORT)
            for mask, protocol in all_but((0, IPPROTO_TCP, IPPROTO_UDP), 32):
                self._refuse("socket", arg(0, eq, family), arg(2, masked, mask, protocol), error=errno.EPROTONOSUPPORT)

    def filter_arguments(self, *, shared_user: bool) -> None:
        arg, ne, masked = self.lib.Arg, self.lib.NE, self.lib.MASKED_EQ
        for flag in CLONE_NAMESPACE_FLAGS:
            self._refuse("clone", arg(0, masked, flag, flag))
        for request in (_TIOCSTI, _TIOCLINUX):
            self._refuse("ioctl", arg(1, masked, 0xFFFFFFFF, request))
        for call, position in (("mknod", 1), ("mknodat", 2)):
            for kind in (_S_IFCHR, _S_IFBLK):
                self._refuse(call, arg(position, masked, _S_IFMT, kind))
        self._refuse("fcntl", arg(1, masked, 0xFFFFFFFF, _F_NOTIFY))
        for call, position in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
            self._refuse(call, arg(position, masked, _MSG_OOB, _MSG_OOB), error=errno.EOPNOTSUPP)
        tcp_ulp = (arg(1, masked, 0xFFFFFFFF, IPPROTO_TCP), arg(2, masked, 0xFFFFFFFF, _TCP_ULP))
        self._refuse("setsockopt", *tcp_ulp, error=errno.ENOPROTOOPT)
        self._refuse("personality", arg(0, ne, 0))
        # Not every kernel that programs run on (gVisor's) refuses what raises a priority.
        self._refuse("setpriority", arg(2, masked, _SIGN_BIT, _SIGN_BIT), error=errno.EACCES)
        # Asking for another limit on core dumps succeeds and does nothing: see `_forbid_core_dumps` of the guest.
        core = (masked, 0xFFFFFFFF, _RLIMIT_CORE)
        self._refuse("setrlimit", arg(0, *core), error=0)
        self._refuse("prlimit64", arg(1, *core), arg(2, ne, 0), error=0)
        if shared_user:
            self._refuse("prlimit64", arg(0, ne, 0))

    def to_bytes(self) -> bytes:
        with tempfile.TemporaryFile() as file:
            self._filter.export_bpf(file)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            return _refuse_unreviewed_calls() + file.read()


def _refuse_unreviewed_calls() -> bytes:
    """Three instructions in front: calls newer than this list answer ENOSYS, until somebody has reviewed them."""
    load_number = struct.pack("=HBBI", 0x20, 0, 0, 0)
    if_foreign_skip_two = struct.pack("=HBBI", 0x35, 2, 0, _X32_BIT)
    if_reviewed_skip_one = struct.pack("=HBBI", 0x25, 0, 1, LAST_REVIEWED_CALL)
    answer_absent = struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | errno.ENOSYS)
    return load_number + if_foreign_skip_two + if_reviewed_skip_one + answer_absent
