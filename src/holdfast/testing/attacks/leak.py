"""Leaks: secrets of the server, of the host and of other runs that a program could find."""

import os
import socket
from pathlib import Path

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import (
    LACKING,
    WITHHELD,
    Aim,
    Attack,
    Outcome,
    Ran,
    Truth,
    contained,
    escaped,
    judge,
    program,
)

EVERY = """
found = []
for pid in pids() + ["self"]:
    try:
        found.append(read(f"/proc/{{pid}}/{what}"))
    except OSError:
        pass
reveal(b"\\n".join(found))
"""

DESCRIPTORS = """
found = []
for number in range(3, 256):
    try:
        found.append(os.pread(number, 1000, 0))
    except OSError:
        pass
reveal(b"\\n".join(found))
"""

OPEN_DESCRIPTORS = """
held = []
for number in range(3, 1024):
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        continue
    held.append(number)
escaped(held) if held else refused("EBADF")
"""

# CVE-2024-21626: a directory of the host that was left open leads out of any root.
LEAKED_DIRECTORY = """
found = []
for number in range(3, 256):
    for way in (os.path.basename(A.private), "../" * 20 + A.private[1:]):
        try:
            with open(os.open(way, os.O_RDONLY, dir_fd=number), "rb") as file:
                found.append(file.read())
        except OSError:
            pass
reveal(b"\\n".join(found))
"""

TEMPORARY = """
found = []
for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock"):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    print("LISTED", "/".join(names))
refused("NOTHING")
"""

OTHER_WORKSPACE = """
import glob
found = []
for place in ("..", "/workspace*", "/workspace*/*", "/proc/[0-9]*/cwd", tempfile.gettempdir() + "/holdfast*/*"):
    for path in glob.glob(place + "/secret-of-a-run.txt") + glob.glob(place + "/*/secret-of-a-run.txt"):
        try:
            found.append(read(path))
        except OSError:
            pass
reveal(b"\\n".join(found))
"""

SHARED_SEGMENT = """
with attempt():
    segment = syscall("shmget", A.key, 0, 0)
    address = syscall("shmat", segment, 0, 0o10000)
    reveal(ctypes.string_at(address, 100))
"""

QUEUE = """
with attempt():
    queue = syscall("mq_open", A.queue.encode(), os.O_RDONLY | os.O_NONBLOCK, 0, None)
    buffer = ctypes.create_string_buffer(65536)
    syscall("mq_timedreceive", queue, buffer, 65536, None, None)
    reveal(buffer.value)
"""

HAS_CONTENT = """
with attempt():
    content = read("{path}")
    escaped(len(content)) if content else refused("NOTHING")
"""

KERNEL_ADDRESSES = """
with attempt():
    lines = read("/proc/kallsyms", 4096).decode().splitlines()
    shown = [line for line in lines if int(line.split()[0], 16)]
    escaped(shown[0].split()[0]) if shown else refused("EPERM", "all zero")
"""


def _leaks(name: str, code: str, truth: Truth | None = None, may_refuse: frozenset[str] = frozenset()) -> Attack:
    return program(name, Aim.LEAK, code, truth=truth, may_refuse=may_refuse)


def _prints(what: str) -> str:
    return f"with attempt():\n    print('LISTED', {what})\n    refused('NOTHING')"


def _says(expected: str, evidence: str) -> Truth:
    """The host knows what it must not have been told; an attribute of the arena or a path of the host."""

    def truth(arena: Arena, ran: Ran) -> str | None:
        wanted = str(getattr(arena, expected))
        return evidence if any(wanted in line for line in ran.lines("LISTED")) else None

    return truth


def _same_as_host(path: str) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        own = Path(path).read_text().strip() if os.path.exists(path) else ""
        return f"it knows {path} of the host" if own and own in ran.lines("LISTED") else None

    return truth


def _knows_host_name(arena: Arena, ran: Ran) -> str | None:
    return "it knows the name of the host" if socket.gethostname() in ran.lines("LISTED") else None


def _shares_temporary(arena: Arena, ran: Ran) -> str | None:
    names = {name for line in ran.lines("LISTED") for name in line.split("/")}
    return (
        "it sees the temporary files of the host" if arena.root.name in names or arena.shm_file.name in names else None
    )


async def _reads_another_workspace(arena: Arena) -> Outcome:
    async with arena.sandbox() as other:
        judge(arena, await other.run("refused('UNSEEN')", files={"secret-of-a-run.txt": arena.secret.encode()}))
        return judge(arena, await arena.run(OTHER_WORKSPACE))


async def _knows_the_next_id(arena: Arena) -> Outcome:
    """An id that can be counted up, or is short, can be guessed."""
    async with arena.sandbox() as one, arena.sandbox() as two:
        first, second = one.sandbox.id, two.sandbox.id
    fresh = sum(1 for a, b in zip(first[::-1], second[::-1], strict=False) if a != b)
    if min(len(first), len(second)) < 16 or fresh < 8:
        return escaped(f"after {first} comes {second}")
    return contained("ids are long and random")


ATTACKS = (
    _leaks("inherits_the_environment_of_the_server", "reveal(repr(dict(os.environ)))"),
    _leaks("reads_the_environment_of_every_process", EVERY.format(what="environ")),
    _leaks("reads_the_arguments_of_every_process", EVERY.format(what="cmdline")),
    _leaks("finds_secrets_of_the_server_in_its_own_memory", "with attempt():\n    reveal(memory_of('self'))"),
    _leaks("reads_a_file_the_server_left_open", DESCRIPTORS),
    _leaks("holds_descriptors_besides_the_standard_ones", OPEN_DESCRIPTORS),
    _leaks("climbs_out_through_a_directory_the_server_left_open", LEAKED_DIRECTORY),
    _leaks("reads_a_file_in_dev_shm", "with attempt():\n    reveal(read(A.shm_file))"),
    _leaks("lists_the_temporary_files_of_the_host", TEMPORARY, _shares_temporary),
    _leaks("attaches_shared_memory_of_the_host", SHARED_SEGMENT, may_refuse=frozenset({"ENOSYS", "ENOENT"})),
    _leaks(
        "lists_shared_memory_of_the_host",
        _prints("read('/proc/sysvipc/shm').decode().replace('\\n', '/').split()"),
        _says("key", "it sees a segment of the host"),
        LACKING,
    ),
    _leaks("receives_a_message_queued_on_the_host", QUEUE, may_refuse=frozenset({"ENOSYS", "ENOENT"})),
    _leaks(
        "lists_unix_sockets_of_the_host",
        _prints("read('/proc/net/unix').decode().split()"),
        _says("abstract", "it sees a socket of the host"),
        LACKING,
    ),
    _leaks("reads_kernel_addresses", KERNEL_ADDRESSES, may_refuse=LACKING | WITHHELD),
    _leaks("learns_the_name_of_the_host", _prints("socket.gethostname()"), _knows_host_name),
    _leaks(
        "learns_the_machine_id_of_the_host",
        _prints("read('/etc/machine-id').decode().strip()"),
        _same_as_host("/etc/machine-id"),
        LACKING,
    ),
    _leaks(
        "learns_the_serial_number_of_the_machine",
        _prints("read('/sys/class/dmi/id/product_uuid').decode().strip()"),
        _same_as_host("/sys/class/dmi/id/product_uuid"),
        LACKING | WITHHELD,
    ),
    _leaks(
        "lists_the_keys_of_the_kernel",
        HAS_CONTENT.format(path="/proc/keys"),
        may_refuse=LACKING | {"NOTHING"},
    ),
    _leaks(
        "lists_the_file_locks_of_the_host",
        HAS_CONTENT.format(path="/proc/locks"),
        may_refuse=LACKING | {"NOTHING"},
    ),
    Attack("reads_the_workspace_of_another_run", Aim.LEAK, _reads_another_workspace),
    Attack("guesses_the_id_of_the_next_sandbox", Aim.LEAK, _knows_the_next_id),
)
