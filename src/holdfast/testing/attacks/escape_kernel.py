"""Escapes through the kernel: one case per system call and per socket family that a program has no use for.

Arguments are invalid on purpose. A kernel that lets the call through says EINVAL, EFAULT or EBADF; a filter says EPERM
or ENOSYS or kills. So nothing is mounted, loaded, set or rebooted even where nothing is filtered.
"""

from holdfast.testing.attacks.model import LACKING, WITHHELD, Aim, Attack, program

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
BAD_ADDRESS = 1
BAD_FLAGS = 0x7FFFFFFF

CALLS: dict[str, tuple[int | bytes | None, ...]] = {
    "mount": (BAD_ADDRESS, BAD_ADDRESS, BAD_ADDRESS, 0, 0),
    "umount2": (b"/nowhere/at/all", 0),
    "pivot_root": (b"/nowhere/at/all", b"/nowhere/at/all"),
    "fsopen": (b"no-such-filesystem", 0),
    "fsconfig": (-1, 0, None, None, 0),
    "fsmount": (-1, 0, 0),
    "fspick": (-1, b"nowhere", 0),
    "move_mount": (-1, b"nowhere", -1, b"nowhere", 0),
    "open_tree": (-1, b"nowhere", 0),
    "mount_setattr": (-1, b"nowhere", 0, None, 0),
    "chroot": (b"/nowhere/at/all",),
    "setns": (-1, 0),
    "clone3": (None, 0),
    "bpf": (9999, None, 0),
    "perf_event_open": (BAD_ADDRESS, 0, -1, -1, 0),
    "userfaultfd": (BAD_FLAGS,),
    "io_uring_setup": (0, None),
    "io_uring_enter": (-1, 0, 0, 0, None, 0),
    "io_uring_register": (-1, 0, None, 0),
    "keyctl": (9999, 0, 0, 0, 0),
    "add_key": (b"user", None, None, 0, 0),
    "request_key": (b"user", BAD_ADDRESS, None, 0),
    "ptrace": (9999, 0, 0, 0),
    "process_vm_readv": (0, None, 0, None, 0, 99),
    "process_vm_writev": (0, None, 0, None, 0, 99),
    "process_madvise": (-1, None, 0, 0, 99),
    "pidfd_getfd": (-1, -1, 0),
    "kcmp": (0, 0, 99, 0, 0),
    "kexec_load": (0, 0, None, 0xFF),
    "kexec_file_load": (-1, -1, 0, None, BAD_FLAGS),
    "open_by_handle_at": (-1, None, 0),
    "name_to_handle_at": (-1, b"nowhere", None, None, 0),
    "init_module": (None, 0, b""),
    "finit_module": (-1, b"", 0),
    "delete_module": (b"no_such_module", 0o4000),
    "swapon": (b"/nowhere/at/all", 0),
    "swapoff": (b"/nowhere/at/all",),
    "reboot": (1, 2, 3, None),
    "settimeofday": (BAD_ADDRESS, None),
    "clock_settime": (9999, None),
    "clock_adjtime": (9999, None),
    "adjtimex": (BAD_ADDRESS,),
    "sethostname": (None, -1),
    "setdomainname": (None, -1),
    "quotactl": (-1, b"nowhere", 0, None),
    "acct": (b"/nowhere/at/all",),
    "ioperm": (0xFFFFF, 1, 1),
    "iopl": (99,),
    "syslog": (9999, None, 0),
    "fanotify_init": (BAD_FLAGS, 0),
    "lookup_dcookie": (0, None, 0),
    "nfsservctl": (0, None, None),
    "move_pages": (0, 0, None, None, None, 99),
    "migrate_pages": (0, 0, BAD_ADDRESS, BAD_ADDRESS),
    "mbind": (1, 4096, 99, None, 0, 0),
    "inotify_init1": (BAD_FLAGS,),
    "io_setup": (0, None),
    "sync": (),
    "syncfs": (-1,),
}

AF = {
    "alg": 38, "vsock": 40, "packet": 17, "netlink": 16, "key": 15, "rxrpc": 33, "bluetooth": 31, "can": 29,
    "tipc": 30, "xdp": 44, "smc": 43, "qipcrtr": 42, "rds": 21, "pppox": 24, "nfc": 39, "kcm": 41, "llc": 26,
    "appletalk": 5, "x25": 9, "ax25": 3, "phonet": 35, "caif": 37, "ieee802154": 36,
}  # fmt: skip
KINDS = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET")
PROTOCOLS = {
    "raw_ipv4": "socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP",
    "raw_ipv6": "socket.AF_INET6, socket.SOCK_RAW, 58",
    "sctp": "socket.AF_INET, socket.SOCK_STREAM, 132",
    "dccp": "socket.AF_INET, 6, 33",
}

NEW_NAMESPACE_BY_CLONE = f"""
before = os.readlink("/proc/self/ns/user")
with attempt():
    child = syscall("clone", {CLONE_NEWUSER} | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0 if os.readlink("/proc/self/ns/user") == before else 7)
    left = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    escaped("a new user namespace") if left == 7 else refused("EPERM", "the flag was dropped")
"""

# push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; int 0x80; pop rbx; ret
INT_80 = "b'\\x53\\x89\\xf8\\x89\\xf3\\x89\\xd1\\xcd\\x80\\x5b\\xc3'"
CALLS_32_BIT = f"""
def deed():
    answer = machine_code({INT_80})(20, 0, 0)
    os._exit(7 if answer == os.getpid() else 8)
with attempt():
    left = os.waitstatus_to_exitcode(in_child(deed))
    escaped("a 32-bit getpid was answered") if left == 7 else refused(killed_by(left, "EPERM"))
"""

# socketcall(SYS_SOCKET, [AF_NETLINK, SOCK_RAW, 0]) dodges filters that look at the arguments of socket().
SOCKETCALL = f"""
def deed():
    low = LIBC.mmap
    low.restype = ctypes.c_long
    MAP_32BIT = 0x40
    page = low(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT, -1, 0)
    ctypes.memmove(page, struct.pack("III", 16, 3, 0), 12)
    answer = machine_code({INT_80})(102, 1, page)
    os._exit(7 if answer >= 0 else 8)
with attempt():
    left = os.waitstatus_to_exitcode(in_child(deed))
    escaped("a netlink socket") if left == 7 else refused(killed_by(left, "EPERM"))
"""

X32 = """
def deed():
    os._exit(7 if LIBC.syscall(ctypes.c_long(0x40000000 | 39)) == os.getpid() else 8)
with attempt():
    left = os.waitstatus_to_exitcode(in_child(deed)) if X86_64 else 8
    escaped("an x32 getpid was answered") if left == 7 else refused(killed_by(left, "ENOSYS"))
"""

WATCHES_A_DIRECTORY = """
with attempt():
    fcntl.fcntl(os.open("/usr/bin", os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)
    escaped("it is told when anybody reads there")
"""
SENDS_URGENT_DATA = """
with attempt():
    ends = socket.socketpair()
    ends[0].send(b"x", socket.MSG_OOB)
    escaped("urgent data over a local socket")
"""
TCP_ULP = """
with attempt():
    socket.socket().setsockopt(socket.IPPROTO_TCP, 31, b"tls")
    escaped("a protocol above TCP in the kernel")
"""

READ_IMPLIES_EXEC = 0x0400000
PERSONALITY = f"""
with attempt():
    before = syscall("personality", 0xffffffff)
    syscall("personality", before | {READ_IMPLIES_EXEC})
    escaped("every readable page is executable now")
"""


def _calls(name: str, arguments: tuple[int | bytes | None, ...]) -> Attack:
    code = f"reaches({', '.join(map(repr, (name, *arguments)))})"
    return program(f"calls_{name}", Aim.ESCAPE, code, may_refuse=WITHHELD | {"ENOSYS"})


def _opens_family(name: str, number: int) -> Attack:
    """Families differ in the kinds and protocols they know, so each kind is tried."""
    code = f"""
answers = []
for kind, protocol in [(k, p) for k in ({", ".join("socket." + kind for kind in KINDS)}) for p in (0, 1, 2)]:
    try:
        socket.socket({number}, kind, protocol).close()
        answers.append("OPENED")
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
distinct = sorted(set(answers) - {{"ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EINVAL"}})
escaped("opened") if "OPENED" in answers else refused(distinct[0] if distinct else answers[0], answers)
"""
    return program(f"opens_a_socket_of_the_{name}_family", Aim.ESCAPE, code, may_refuse=LACKING | WITHHELD | {"EINVAL"})


def _opens_protocol(name: str, arguments: str) -> Attack:
    code = f"with attempt():\n    socket.socket({arguments}).close()\n    escaped('opened')"
    return program(f"opens_a_{name}_socket", Aim.ESCAPE, code, may_refuse=LACKING | WITHHELD)


def _unshares(name: str, flag: int) -> Attack:
    return program(
        f"unshares_a_{name}_namespace", Aim.ESCAPE, f"reaches('unshare', {flag})", may_refuse=WITHHELD | {"ENOSYS"}
    )


NO_EMULATION = frozenset({"ENOSYS", "SIGSEGV"})

ATTACKS = (
    *(_calls(name, arguments) for name, arguments in CALLS.items()),
    _unshares("user", CLONE_NEWUSER),
    _unshares("mount", CLONE_NEWNS),
    program("clones_into_a_user_namespace", Aim.ESCAPE, NEW_NAMESPACE_BY_CLONE, may_refuse=WITHHELD),
    program("watches_a_directory_that_all_runs_read", Aim.ESCAPE, WATCHES_A_DIRECTORY),
    program("sends_urgent_data_over_a_local_socket", Aim.ESCAPE, SENDS_URGENT_DATA, may_refuse=LACKING),
    program("puts_a_kernel_protocol_above_tcp", Aim.ESCAPE, TCP_ULP, may_refuse=LACKING | {"ENOTCONN"}),
    program("changes_its_personality", Aim.ESCAPE, PERSONALITY),
    program("calls_32_bit_system_calls", Aim.ESCAPE, CALLS_32_BIT, may_refuse=NO_EMULATION),
    program("opens_a_socket_by_32_bit_socketcall", Aim.ESCAPE, SOCKETCALL, may_refuse=NO_EMULATION),
    program("calls_x32_system_calls", Aim.ESCAPE, X32, may_refuse=NO_EMULATION),
    *(_opens_family(name, number) for name, number in AF.items()),
    *(_opens_protocol(name, arguments) for name, arguments in PROTOCOLS.items()),
    program(
        "opens_a_pair_of_tipc_sockets",
        Aim.ESCAPE,
        "with attempt():\n    socket.socketpair(30, socket.SOCK_SEQPACKET)\n    escaped('opened')",
        may_refuse=LACKING | WITHHELD,
    ),
)
