"""Lies: programs that try to make the verdict, the account of what they used, or another run's output untrue."""

import json
from collections.abc import Mapping

import anyio

from holdfast.testing.attacks.arena import Arena, Cage
from holdfast.testing.attacks.model import (
    LACKING,
    WITHHELD,
    Aim,
    Attack,
    BrokenAttackError,
    Outcome,
    Ran,
    Truth,
    contained,
    escaped,
    program,
)

MiB = 1 << 20
BURNT_SECONDS = 0.8
HIDDEN_BYTES = 40 * MiB
HIDDEN_PROCESSES = 12
HONEST_CODE = 3
FORGED_CODE = 42
MAX_NAMES_BYTES = 512 << 10
MEMORY = {"memory_bytes": 64 * MiB, "disk_bytes": 16 * MiB}

FORGED = (
    f"{FORGED_CODE}\n".encode(),
    json.dumps({"exit_code": FORGED_CODE, "signal": None, "reason": None, "status": "succeeded"}).encode() + b"\n",
)

FORGES_EVERYWHERE = f"""
refused("UNSEEN")
for number in range(3, 256):
    for forged in {FORGED!r}:
        try:
            os.write(number, forged)
        except OSError:
            pass
sys.exit({HONEST_CODE})
"""

FORGES_AS_FRAMES = f"""
refused("UNSEEN")
forged = {FORGED[1]!r}
for number in range(3, 256):
    for head in (b"{FORGED_CODE} ", *(struct.pack(form, len(forged)) for form in (">I", "<I", ">Q"))):
        try:
            os.write(number, head + forged)
        except OSError:
            pass
os._exit({HONEST_CODE})
"""

FORGES_AND_DIES = f"""
refused("UNSEEN")
for number in range(3, 256):
    try:
        os.writev(number, [{FORGED[0]!r}, bytes(64)])
    except OSError:
        pass
os.kill(os.getpid(), signal.SIGKILL)
"""

SPEAKS_AFTERWARDS = """
refused("UNSEEN")
sys.stdout.flush()
if os.fork() == 0:
    os.setsid()
    time.sleep(0.4)
    os.write({stream}, b"\\nAFTERWARDS\\n")
    os._exit(0)
time.sleep(0.1)
os._exit(0)
"""

MANY_TO_COLLECT = 2_000
WRITES_ON = f"""
refused("UNSEEN")
for number in range({MANY_TO_COLLECT}):
    open(f"a{{number:05}}", "w").close()
first, last = (os.open(name, os.O_WRONLY | os.O_CREAT) for name in ("0", "z"))
if os.fork() == 0:
    os.setsid()
    for stream in range(3):
        os.close(stream)
    started, count = time.monotonic(), 0
    while time.monotonic() < started + 2:
        count += 1
        for file in (first, last):
            os.pwrite(file, b"%012d" % count, 0)
    os._exit(0)
time.sleep(0.1)
"""

HIDES_CPU = f"""
refused("UNSEEN")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
done = os.pipe()
if os.fork() == 0:
    while time.process_time() < {BURNT_SECONDS}:
        sum(range(10000))
    os.write(done[1], b"x")
    os._exit(0)
os.read(done[0], 1)
time.sleep(0.1)
"""

HIDES_CPU_IN_DAEMON = f"""
refused("UNSEEN")
done = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    while time.process_time() < {BURNT_SECONDS}:
        sum(range(10000))
    os.write(done[1], b"x")
    time.sleep(2)
    os._exit(0)
os.wait()
os.read(done[0], 1)
"""

HIDES_MEMORY_IN_CHILD = f"""
refused("UNSEEN")
if os.fork() == 0:
    quit_after(lambda: touch({HIDDEN_BYTES}))
os.wait()
"""

HIDES_MEMORY_IN_FILE = f"""
with attempt():
    fill(f"/dev/shm/{{A.token}}-hidden", {HIDDEN_BYTES})
    os.unlink(f"/dev/shm/{{A.token}}-hidden")
    refused("UNSEEN")
"""

HIDES_PROCESSES = f"""
refused("UNSEEN")
children = []
for _ in range({HIDDEN_PROCESSES}):
    children.append(os.fork())
    if children[-1] == 0:
        time.sleep(0.3)
        os._exit(0)
for child in children:
    os.waitpid(child, 0)
"""

OVERRUNS_IN_CHILD = """
child = os.fork()
if child == 0:
    quit_after(lambda: touch(96 * MiB))
left = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
escaped("the child was not stopped") if left == 0 else refused(f"SIG{left}")
"""

KILLS_THE_JUDGE = f"""
judges = sorted({{1, os.getppid()}} - {{os.getpid(), 0}})
if A.bare:
    with attempt():
        for pid in judges:
            os.kill(pid, 0)
        escaped(judges)
else:
    for pid in judges:
        for number in ({{number}}):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    time.sleep(0.1)
    refused("UNSEEN")
    sys.exit({HONEST_CODE})
"""

LONG_NAMES = """
refused("UNSEEN")
place = "/".join(["d" * 250] * 5)
os.makedirs(place)
for number in range(900):
    open(f"{place}/{number}", "w").close()
"""

UGLY_NAMES = """
refused("UNSEEN")
with open(b"big\\x1b[31m\\n\\xff", "wb") as file:
    file.truncate(17 * MiB)
os.mkdir(b"shut\\x1b[31m\\n\\xff", 0)
"""

FILLS_AND_LEAVES = f"""
with attempt():
    for number in range(18):
        fill(f"part{{number:02}}", MiB)
    escaped("18 MiB on a disk of 14 MiB")
os._exit({HONEST_CODE})
"""

WRITES_ELSEWHERE = """
with attempt():
    pid = find(A.token + "-other")
    with open(f"/proc/{pid}/fd/1", "wb", buffering=0) as file:
        file.write(b"\\nFORGED BY ANOTHER RUN\\n")
    refused("UNSEEN")
"""
OTHER_RUN = """
python = sys.executable or "/usr/bin/python3"
os.execv(python, [python, "-c", "import time; time.sleep(1.5)", A.token + "-other"])
"""


def _lies(
    name: str,
    code: str,
    truth: Truth,
    may_refuse: frozenset[str] = frozenset(),
    limits: Mapping[str, float] | None = None,
) -> Attack:
    return program(name, Aim.LIE, code, truth=truth, may_refuse=may_refuse, limits=limits)


def _unless_exit_code(expected: int) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        exited = ran.exited
        honest = exited.exit_code == expected and exited.signal is None and exited.reason is None
        return (
            None if honest else f"exit {expected} was reported as {exited.exit_code=} {exited.signal=} {exited.reason=}"
        )

    return truth


def _unless_killed(arena: Arena, ran: Ran) -> str | None:
    exited = ran.exited
    honest = exited.signal == 9 and exited.exit_code is None and exited.reason is None
    return None if honest else f"SIGKILL was reported as {exited.exit_code=} {exited.signal=} {exited.reason=}"


def _spoke_afterwards(arena: Arena, ran: Ran) -> str | None:
    return "output came from beyond the end" if b"AFTERWARDS" in ran.stdout + ran.stderr else None


def _wrote_while_collected(arena: Arena, ran: Ran) -> str | None:
    """The same count is written into the first artifact and then into the last."""
    first, last = (int(ran.exited.artifacts.get(name) or 0) for name in ("0", "z"))
    return f"an artifact was written {last - first} times while they were collected" if last > first + 1 else None


def _cpu_hidden(arena: Arena, ran: Ran) -> str | None:
    usage = ran.exited.usage
    counted = usage.cpu_user_seconds + usage.cpu_system_seconds
    return f"{counted:.2f} s were counted of {BURNT_SECONDS} s" if counted < BURNT_SECONDS * 0.9 else None


def _memory_hidden(arena: Arena, ran: Ran) -> str | None:
    counted = ran.exited.usage.memory_peak_bytes or 0
    return f"{counted >> 20} MiB were counted of {HIDDEN_BYTES >> 20}" if counted < HIDDEN_BYTES else None


def _processes_hidden(arena: Arena, ran: Ran) -> str | None:
    counted = ran.exited.usage.processes_peak or 0
    return f"{counted} processes were counted of {HIDDEN_PROCESSES}" if counted < HIDDEN_PROCESSES else None


def _overrun_hidden(arena: Arena, ran: Ran) -> str | None:
    return None if ran.exited.usage.out_of_memory else "nobody was told that memory ran out"


def _long_names(arena: Arena, ran: Ran) -> str | None:
    size = sum(map(len, ran.exited.artifacts))
    return f"the names of the artifacts are {size >> 10} KiB long" if size > MAX_NAMES_BYTES else None


def _ugly_note(arena: Arena, ran: Ran) -> str | None:
    return next((ascii(note) for note in ran.exited.notes if not note.isprintable()), None)


async def _writes_into_another_run(arena: Arena) -> Outcome:
    heard: list[Ran] = []

    async def speak(cage: Cage) -> None:
        heard.append(await cage.run(OTHER_RUN))

    async with arena.sandbox() as other, anyio.create_task_group() as tasks:
        tasks.start_soon(speak, other)
        await anyio.sleep(0.6)
        await arena.run(WRITES_ELSEWHERE)
    if heard[0].exited.exit_code != 0:
        raise BrokenAttackError(f"the other run failed: {heard[0].stderr!r}")
    forged = b"FORGED" in heard[0].stdout
    return escaped("it spoke in another run's name") if forged else contained("the other run was not to be found")


ATTACKS = (
    _lies("forges_a_verdict_on_every_descriptor", FORGES_EVERYWHERE, _unless_exit_code(HONEST_CODE)),
    _lies("forges_a_verdict_as_frames", FORGES_AS_FRAMES, _unless_exit_code(HONEST_CODE)),
    _lies("forges_a_verdict_and_kills_itself", FORGES_AND_DIES, _unless_killed),
    _lies("exits_as_if_it_had_been_killed", "refused('UNSEEN')\nsys.exit(137)", _unless_exit_code(137)),
    _lies("exits_as_if_it_had_been_interrupted", "refused('UNSEEN')\nos._exit(130)", _unless_exit_code(130)),
    _lies("exits_as_if_its_time_had_run_out", "refused('UNSEEN')\nsys.exit(124)", _unless_exit_code(124)),
    _lies("exits_with_the_highest_code", "refused('UNSEEN')\nsys.exit(255)", _unless_exit_code(255)),
    _lies("speaks_after_its_end", SPEAKS_AFTERWARDS.format(stream=1), _spoke_afterwards),
    _lies("speaks_in_its_errors_after_its_end", SPEAKS_AFTERWARDS.format(stream=2), _spoke_afterwards),
    program(
        "writes_into_its_artifacts_while_they_are_collected",
        Aim.LIE,
        WRITES_ON,
        truth=_wrote_while_collected,
        artifacts=("*",),
    ),
    _lies("hides_processor_time_in_a_child_nobody_waits_for", HIDES_CPU, _cpu_hidden),
    _lies("hides_processor_time_in_a_daemon", HIDES_CPU_IN_DAEMON, _cpu_hidden),
    _lies("hides_memory_in_a_child", HIDES_MEMORY_IN_CHILD, _memory_hidden),
    _lies("hides_memory_in_a_file", HIDES_MEMORY_IN_FILE, _memory_hidden, LACKING | WITHHELD),
    _lies("hides_how_many_processes_it_had", HIDES_PROCESSES, _processes_hidden),
    _lies("hides_that_a_child_ran_out_of_memory", OVERRUNS_IN_CHILD, _overrun_hidden, limits=MEMORY),
    _lies(
        "kills_the_process_that_judges_it",
        KILLS_THE_JUDGE.replace("{number}", "9, 15, 6"),
        _unless_exit_code(HONEST_CODE),
    ),
    _lies(
        "stops_the_process_that_judges_it",
        KILLS_THE_JUDGE.replace("{number}", "19, 20, 22"),
        _unless_exit_code(HONEST_CODE),
    ),
    program("gives_artifacts_endless_names", Aim.LIE, LONG_NAMES, truth=_long_names, artifacts=("**",)),
    program("writes_to_the_readers_terminal_in_a_note", Aim.LIE, UGLY_NAMES, truth=_ugly_note, artifacts=("**",)),
    program(
        "leaves_no_memory_for_its_verdict",
        Aim.LIE,
        FILLS_AND_LEAVES,
        truth=_unless_exit_code(HONEST_CODE),
        limits={"memory_bytes": 24 * MiB, "disk_bytes": 14 * MiB},
        artifacts=("**",),
    ),
    Attack("writes_into_the_output_of_another_run", Aim.LIE, _writes_into_another_run),
)
