"""Exhaustion: every program tries to use more than it was given, and bounded itself, so that no host is harmed."""

from collections.abc import Mapping

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import WITHHELD, Aim, Attack, Ran, Truth, program

MiB = 1 << 20
MEMORY = {"memory_bytes": 64 * MiB, "disk_bytes": 16 * MiB}
DISK = {"memory_bytes": 128 * MiB, "disk_bytes": 16 * MiB}
UNREAD_BYTES = 16 * MiB
WALL = {"wall_seconds": 1.0}
WALL_OVERRUN = 2.5

IN_A_CHILD = """
with attempt():
    child = os.fork()
    if child == 0:
        quit_after(lambda: touch(96 * MiB))
    left = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    escaped("96 MiB in a child") if left == 0 else refused(killed_by(left, "ENOMEM"))
"""

IN_FOUR_CHILDREN = """
import select
def hold():
    kept = touch(32 * MiB)
    os.write(heard[1], b"x")
    os.read(go[0], 1)
    os.write(heard[1], b"x")
def answers():
    count = 0
    while count < 4 and select.select([heard[0]], [], [], 2)[0]:
        count += len(os.read(heard[0], 1))
    return count
with attempt():
    heard, go = os.pipe(), os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            os.close(go[1])
            quit_after(hold)
    held = answers()
    os.write(go[1], b"xxxx")
    lived = answers() if held == 4 else held  # one that was killed to make room for the next had answered once
    escaped("four children with 32 MiB each") if lived == 4 else refused("SIGKILL", lived)
"""

SYSV_SEGMENT = """
with attempt():
    segment = syscall("shmget", 0, 96 * MiB, 0o600)
    address = syscall("shmat", segment, 0, 0)
    syscall("shmctl", segment, 0, 0)
    ctypes.memset(address, 1, 96 * MiB)
    escaped("96 MiB of shared memory")
"""

PIPES = """
with attempt():
    kept = []
    for _ in range(96):
        ends = os.pipe()
        fcntl.fcntl(ends[1], 1031, MiB)
        os.set_blocking(ends[1], False)
        kept.append(ends)
        if os.write(ends[1], bytes(MiB)) < MiB:
            raise BlockingIOError(errno.EAGAIN, "the pipe is smaller")
    escaped("96 MiB in pipes")
"""

FORKS = """
children = []
with attempt():
    for number in range(40):
        child = os.fork()
        if child == 0:
            time.sleep({pause})
            os._exit(0)
        children.append(child)
    escaped(f"{{len(children)}} processes")
time.sleep({settle})
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
"""

THREADS = """
go = threading.Event()
threads = []
with attempt():
    for number in range(40):
        threads.append(threading.Thread(target=go.wait))
        threads[-1].start()
    escaped(f"{len(threads)} threads")
go.set()
"""

TREE = """
def grow(depth):
    if depth == 0:
        time.sleep(4)
        os._exit(0)
    for _ in range(6):
        if os.fork() == 0:
            grow(depth - 1)
    for _ in range(6):
        os.wait()
    os._exit(0)
before = len(pids())
if os.fork() == 0:
    try:
        grow(2)
    except OSError:
        os._exit(0)
until, grown = time.monotonic() + 2.5, 0
while grown < 40 and time.monotonic() < until:
    time.sleep(0.05)
    grown = max(grown, len(pids()) - before)
escaped(f"{grown} processes") if grown >= 40 else refused("EAGAIN", f"{grown} processes")
"""

DESCRIPTORS = """
with attempt():
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(400)]
    escaped(f"{len(kept)} descriptors")
"""

RAISES_LIMIT = """
with attempt():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 2048), max(hard, 2048)))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error))
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(400)]
    escaped(f"{len(kept)} descriptors")
"""

INODES = """
with attempt():
    os.mkdir("many")
    for number in range(50000):
        os.close(os.open(f"many/{number}", os.O_CREAT | os.O_WRONLY))
    escaped("50000 files")
"""

BURN = """
def burn(seconds):
    while time.process_time() < seconds:
        sum(range(10000))
"""

BURNS_IN_CHILDREN = (
    BURN
    + """
children = [os.fork() for _ in range(1)]
for _ in range(3):
    if children[-1] != 0:
        children.append(os.fork())
if children[-1] == 0:
    burn(0.8)
    os._exit(0)
left = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
escaped("3.2 seconds in four children") if left == [0] * 4 else refused("SIGKILL", left)
"""
)

SPINS_EVERYWHERE = (
    BURN
    + """
began = time.monotonic()
for _ in range(4):
    if os.fork() == 0:
        while time.monotonic() < began + 1.5:
            sum(range(10000))
        os._exit(0)
for _ in range(4):
    os.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
share = (used.ru_utime + used.ru_stime) / (time.monotonic() - began)
escaped(f"{share:.2f} processors") if share > 0.35 else refused("THROTTLED", f"{share:.2f} processors")
"""
)

UNREAD = """
import select
refused("EAGAIN")
os.set_blocking({flooded}, False)
written, end = 0, time.monotonic() + 1.5
while written < 64 * MiB and (left := end - time.monotonic()) > 0:
    if select.select([], [{flooded}], [], left)[1]:
        written += os.write({flooded}, bytes(65536))
os.set_blocking({flooded}, True)
os.write({other}, f"\\nWROTE {{written}}\\n".encode())
"""

IGNORES_TERM = """
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
began = time.monotonic()
while time.monotonic() < began + 2.5:
    {deed}
    time.sleep(0.05)
escaped("it went on after its time")
"""


Limits = Mapping[str, float]


def uses(
    name: str,
    code: str,
    limits: Limits | None = None,
    truth: Truth | None = None,
    may_refuse: frozenset[str] = frozenset(),
) -> Attack:
    return program(name, Aim.EXHAUST, code, truth=truth, may_refuse=may_refuse, limits=limits)


def _one_line(name: str, line: str, evidence: str, limits: Limits) -> Attack:
    return uses(name, f"with attempt():\n    kept = {line}\n    escaped('{evidence}')", limits)


def _buffered(stream: str) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        said = (ran.stdout + ran.stderr).rpartition(b"WROTE ")[2].split()
        written = int(said[0]) if said else 0
        return f"{written >> 20} MiB of {stream} were taken that nobody read" if written > UNREAD_BYTES else None

    return truth


def _floods(name: str, stream: str, flooded: int, other: int) -> Attack:
    code = UNREAD.format(flooded=flooded, other=other)
    return program(name, Aim.EXHAUST, code, truth=_buffered(stream), read_after=2.0)


def _held_its_place(arena: Arena, ran: Ran) -> str | None:
    lasted = ran.exited.usage.wall_seconds
    return f"it held its place for {lasted:.1f} s of 1.0 s" if lasted > WALL_OVERRUN else None


def _spins(name: str, deed: str) -> Attack:
    return uses(name, IGNORES_TERM.format(deed=deed), limits=WALL)


ATTACKS = (
    _one_line("takes_more_memory_than_it_was_given", "touch(96 * MiB)", "96 MiB", limits=MEMORY),
    _one_line(
        "maps_more_memory_than_it_was_given",
        "touch(96 * MiB, lambda size: mmap.mmap(-1, size))",
        "96 MiB",
        limits=MEMORY,
    ),
    _one_line(
        "takes_more_memory_in_small_pieces", "[bytearray(4096) for _ in range(96 * 256)]", "96 MiB", limits=MEMORY
    ),
    uses("takes_more_memory_in_a_child", IN_A_CHILD, limits=MEMORY),
    uses("takes_more_memory_in_four_children", IN_FOUR_CHILDREN, limits=MEMORY),
    uses("takes_more_memory_in_a_system_v_segment", SYSV_SEGMENT, limits=MEMORY),
    uses("takes_more_memory_in_pipes", PIPES, may_refuse=WITHHELD, limits={**MEMORY, "open_files": 1024}),
    _one_line(
        "takes_more_memory_in_a_memory_file",
        "fill(f'/proc/self/fd/{os.memfd_create(\"m\")}', 96 * MiB)",
        "96 MiB",
        limits=MEMORY,
    ),
    _one_line(
        "takes_more_memory_in_dev_shm",
        "fill(f'/dev/shm/{A.token}-fill', 96 * MiB)",
        "96 MiB in /dev/shm",
        limits=MEMORY,
    ),
    uses(
        "locks_more_memory_than_it_was_given",
        "with attempt():\n    kept = mmap.mmap(-1, 96 * MiB)\n    view = ctypes.c_char.from_buffer(kept)\n"
        "    if LIBC.mlock(ctypes.c_void_p(ctypes.addressof(view)), ctypes.c_size_t(96 * MiB)):\n"
        "        raise OSError(ctypes.get_errno(), 'mlock')\n    escaped('96 MiB are locked')",
        may_refuse=WITHHELD | {"ENOMEM"},
        limits=MEMORY,
    ),
    _one_line("fills_more_than_its_disk", "fill('big', 24 * MiB)", "24 MiB", limits=DISK),
    _one_line(
        "fills_more_than_its_disk_in_tmp",
        "fill(f'{tempfile.gettempdir()}/{A.token}-fill', 24 * MiB)",
        "24 MiB",
        limits=DISK,
    ),
    _one_line(
        "fills_more_than_its_disk_in_var_tmp", "fill(f'/var/tmp/{A.token}-fill', 24 * MiB)", "24 MiB", limits=DISK
    ),
    _one_line(
        "fills_more_than_its_disk_in_many_files", "[fill(f'part{n}', MiB) for n in range(24)]", "24 MiB", limits=DISK
    ),
    _one_line(
        "reserves_more_than_its_disk",
        "os.posix_fallocate(os.open('big', os.O_CREAT | os.O_RDWR), 0, 24 * MiB)",
        "24 MiB",
        limits=DISK,
    ),
    _one_line(
        "fills_its_disk_with_a_file_it_has_unlinked",
        "(file := open('big', 'wb', buffering=0), os.unlink('big'), [file.write(bytes(MiB)) for _ in range(24)])",
        "24 MiB",
        limits=DISK,
    ),
    _one_line(
        "fills_each_writable_place_with_most_of_its_disk",
        "[fill(f'{place}/{A.token}-fill', 12 * MiB) for place in ('.', tempfile.gettempdir(), '/dev/shm')]",
        "36 MiB on a disk of 16 MiB",
        limits=DISK,
    ),
    uses("makes_fifty_thousand_files", INODES, limits=DISK),
    uses("starts_more_processes_than_it_may", FORKS.format(pause=5, settle=0), limits={"processes": 16}),
    uses("leaves_more_zombies_than_it_may", FORKS.format(pause=0, settle=0.1), limits={"processes": 16}),
    uses("starts_more_threads_than_it_may", THREADS, limits={"processes": 16}),
    uses("starts_a_tree_of_processes", TREE, limits={"processes": 16}),
    uses("opens_more_files_than_it_may", DESCRIPTORS),
    uses("raises_its_own_limit_of_open_files", RAISES_LIMIT, may_refuse=WITHHELD),
    uses(
        "burns_more_processor_time_than_it_was_given",
        BURN + "burn(2.2)\nescaped('2.2 seconds')",
        limits={"cpu_seconds": 1.0},
    ),
    uses("burns_more_processor_time_in_children", BURNS_IN_CHILDREN, limits={"cpu_seconds": 1.0}),
    uses("spins_on_more_processors_than_it_was_given", SPINS_EVERYWHERE, limits={"cpus": 0.15}),
    uses(
        "takes_precedence_over_the_host",
        "with attempt():\n    os.nice(-5)\n    escaped('priority raised')",
        may_refuse=WITHHELD,
    ),
    uses(
        "takes_real_time_precedence",
        "with attempt():\n    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\n    escaped('real time')",
        may_refuse=WITHHELD,
    ),
    uses(
        "exempts_itself_from_the_out_of_memory_killer",
        "with attempt():\n    os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-500')\n"
        "    escaped('exempt')",
        may_refuse=WITHHELD,
    ),
    _floods("floods_its_output_while_nobody_reads", "output", 1, 2),
    _floods("floods_its_errors_while_nobody_reads", "errors", 2, 1),
    _spins("ignores_the_request_to_end", "pass"),
    _spins("drips_output_past_its_time", "print('.', flush=True)"),
    _spins("forks_past_its_time", "os.waitpid(os.fork() or os._exit(0), 0)"),
    uses(
        "stops_itself_to_hold_its_place",
        "os.kill(os.getpid(), signal.SIGSTOP)\nrefused('LATE')",
        truth=_held_its_place,
        limits=WALL,
    ),
    uses(
        "blocks_every_signal_to_hold_its_place",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\ntime.sleep(30)\nrefused('LATE')",
        truth=_held_its_place,
        limits=WALL,
    ),
)
