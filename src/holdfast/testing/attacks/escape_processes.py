"""Escapes through other processes: seeing, reading, tracing and killing them, and keeping or regaining privileges."""

import os

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import LACKING, WITHHELD, Aim, Attack, Ran, Truth, program

NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
CAPABILITY_SETS = {"effective": "CapEff", "permitted": "CapPrm", "bounding": "CapBnd"}

# IOV is struct iovec; the bystander's stack holds its arguments, and with them the secret.
READ_ACROSS = """
with attempt():
    pid = find(A.bystander)
    stack = next(line for line in read(f"/proc/{pid}/maps").decode().splitlines() if line.endswith("[stack]"))
    low, high = (int(part, 16) for part in stack.split(" ")[0].split("-"))
    buffer = ctypes.create_string_buffer(high - low)
    local = struct.pack("NN", ctypes.addressof(buffer), high - low)
    remote = struct.pack("NN", low, high - low)
    syscall("process_vm_readv", pid, local, 1, remote, 1, 0)
    reveal(buffer.raw)
"""

TAKES_A_DESCRIPTOR = """
with attempt():
    process = syscall("pidfd_open", find(A.bystander), 0)
    reveal(os.pread(syscall("pidfd_getfd", process, 0, 0), 100, 0))
"""

TRACES = """
PTRACE_SEIZE = 0x4206
with attempt():
    syscall("ptrace", PTRACE_SEIZE, find(A.bystander), 0, 0)
    escaped("traced")
"""


def _same_namespace(kind: str) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        own = os.readlink(f"/proc/self/ns/{kind}")
        return f"it is in the host's {own}" if ran.lines("LISTED") == [own] else None

    return truth


def _shares_namespace(kind: str) -> Attack:
    code = f"with attempt():\n    print('LISTED', os.readlink('/proc/self/ns/{kind}'))\n    refused('OTHER')"
    return program(f"shares_the_{kind}_namespace_of_the_host", Aim.ESCAPE, code, truth=_same_namespace(kind))


def _holds_capabilities(kind: str, field: str) -> Attack:
    code = f"""
value = re.search(r"{field}:\\s+(\\w+)", read("/proc/self/status").decode())[1]
refused("NOTHING", value) if int(value, 16) == 0 else escaped(value)
"""
    return program(f"holds_{kind}_capabilities", Aim.ESCAPE, code, may_refuse=frozenset({"NOTHING"}))


def _bystander_died(arena: Arena, ran: Ran) -> str | None:
    return None if arena.bystander.poll() is None else "it killed a process of the host"


def _bystander_stopped(arena: Arena, ran: Ran) -> str | None:
    with open(f"/proc/{arena.bystander.pid}/stat", encoding="ascii", errors="replace") as file:
        return "it stopped a process of the host" if file.read().rpartition(")")[2].split()[0] == "T" else None


def _simple(name: str, body: str, may_refuse: frozenset[str] = frozenset(), truth: Truth | None = None) -> Attack:
    return program(name, Aim.ESCAPE, f"with attempt():\n    {body}", may_refuse=may_refuse, truth=truth)


ATTACKS = (
    *(_shares_namespace(kind) for kind in NAMESPACES),
    *(_holds_capabilities(kind, field) for kind, field in CAPABILITY_SETS.items()),
    _simple("becomes_root", "os.setuid(0); escaped(f'uid {os.getuid()}')", WITHHELD),
    _simple("takes_the_group_of_root", "os.setgid(0); escaped(f'gid {os.getgid()}')", WITHHELD),
    _simple("drops_its_groups_to_pass_a_group_denial", "os.setgroups([]); escaped('dropped')", WITHHELD),
    program(
        "is_root_from_the_start",
        Aim.ESCAPE,
        "escaped('uid 0') if 0 in os.getresuid() + os.getresgid() else refused('EPERM', os.getresuid())",
        may_refuse=WITHHELD,
    ),
    program(
        "may_gain_privileges_by_executing_a_setuid_program",
        Aim.ESCAPE,
        "PR_GET_NO_NEW_PRIVS = 39\n"
        "refused('EPERM') if LIBC.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 else escaped('not forbidden')",
    ),
    program(
        "runs_without_a_system_call_filter",
        Aim.ESCAPE,
        "filtered = re.search(r'Seccomp:\\s+(\\d)', read('/proc/self/status').decode())\n"
        "refused('EPERM') if filtered and filtered[1] == '2' else escaped('no filter')",
    ),
    _simple("sees_the_processes_of_the_host", "escaped(find(A.bystander))"),
    _simple("kills_a_process_of_the_host", "os.kill(find(A.bystander), 9); time.sleep(0.1)", truth=_bystander_died),
    _simple(
        "stops_a_process_of_the_host",
        "os.kill(find(A.bystander), signal.SIGSTOP); time.sleep(0.1)",
        truth=_bystander_stopped,
    ),
    _simple("signals_every_process_it_can", "os.kill(-1, 0); escaped('somebody is there')"),
    _simple(
        "signals_the_process_group_of_its_parent",
        "group = os.getpgid(os.getppid()); os.killpg(group, 0) if group else os.kill(-1, 0); escaped(group)",
        LACKING | WITHHELD,
    ),
    _simple(
        "changes_the_priority_of_a_host_process",
        "os.setpriority(os.PRIO_PROCESS, find(A.bystander), 1); escaped('changed')",
    ),
    _simple("moves_a_host_process_to_one_processor", "os.sched_setaffinity(find(A.bystander), {0}); escaped('moved')"),
    _simple(
        "reads_the_limits_of_its_parent",
        "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE); escaped('read')",
        WITHHELD,
    ),
    program("traces_a_process_of_the_host", Aim.ESCAPE, TRACES, may_refuse=WITHHELD | LACKING),
    program(
        "reads_the_memory_of_a_host_process_with_process_vm_readv", Aim.LEAK, READ_ACROSS, may_refuse=WITHHELD | LACKING
    ),
    program("takes_a_descriptor_of_a_host_process", Aim.LEAK, TAKES_A_DESCRIPTOR, may_refuse=WITHHELD | LACKING),
    program(
        "reads_the_memory_of_a_host_process_in_proc",
        Aim.LEAK,
        "with attempt():\n    reveal(memory_of(find(A.bystander)))",
        may_refuse=WITHHELD,
    ),
    program(
        "opens_a_descriptor_of_a_host_process_in_proc",
        Aim.LEAK,
        "with attempt():\n    reveal(read(f'/proc/{find(A.bystander)}/fd/0'))",
        may_refuse=WITHHELD,
    ),
    program(
        "enters_the_namespace_of_a_host_process",
        Aim.ESCAPE,
        "with attempt():\n    opens(f'/proc/{find(A.bystander)}/ns/mnt', os.O_RDONLY)",
        may_refuse=WITHHELD,
    ),
)
