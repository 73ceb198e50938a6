"""Residue: what one run leaves for the next to find, or for the host to keep."""

import fcntl
import re

import anyio

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.canaries import new_secret
from holdfast.testing.attacks.model import (
    LACKING,
    Aim,
    Attack,
    BrokenAttackError,
    Outcome,
    Ran,
    contained,
    escaped,
    judge,
    not_applicable,
    program,
)

# The first program of a pair gets the secret of that run from its input; the second must not be able to print it.
TAKE = "secret = sys.stdin.read()\n"
DONE = "\nrefused('UNSEEN')"
KEY_SPEC_USER_KEYRING = -4

PLACES = {
    "tmp": "tempfile.gettempdir() + f'/{A.token}-left'",
    "var_tmp": "f'/var/tmp/{A.token}-left'",
    "dev_shm": "f'/dev/shm/{A.token}-left'",
    "the_home_directory": "os.path.expanduser('~') + f'/{A.token}-left'",
    "a_package_cache": "os.path.expanduser('~') + f'/.cache/pip/wheels/{A.token}.whl'",
    "a_compile_cache": "os.path.expanduser('~') + f'/.cache/__pycache__/{A.token}.pyc'",
    "a_node_cache": "os.path.expanduser('~') + f'/.npm/_cacache/{A.token}'",
}

SEGMENT_PLANT = """
with attempt():
    segment = syscall("shmget", A.key + 1, 4096, 0o1666)
    ctypes.memmove(syscall("shmat", segment, 0, 0), secret.encode(), len(secret))
    refused("UNSEEN")
"""
SEGMENT_LOOK = """
with attempt():
    reveal(ctypes.string_at(syscall("shmat", syscall("shmget", A.key + 1, 0, 0), 0, 0), 100))
"""
MESSAGE_PLANT = """
with attempt():
    queue = syscall("msgget", A.key + 1, 0o1666)
    syscall("msgsnd", queue, struct.pack("l", 1) + secret.encode(), len(secret), 0)
    refused("UNSEEN")
"""
MESSAGE_LOOK = """
with attempt():
    buffer = ctypes.create_string_buffer(200)
    syscall("msgrcv", syscall("msgget", A.key + 1, 0), buffer, 100, 0, 0o4000)
    reveal(buffer.raw)
"""
# A semaphore holds a number, which is enough to pass a message.
SEMAPHORE_PLANT = """
with attempt():
    semaphores = syscall("semget", A.key + 1, 1, 0o1666)
    syscall("semctl", semaphores, 0, 16, 4711)
    refused("UNSEEN")
"""
SEMAPHORE_LOOK = """
with attempt():
    value = syscall("semctl", syscall("semget", A.key + 1, 0, 0), 0, 12, 0)
    escaped("the semaphore has the other run's value") if value == 4711 else refused("NOTHING", value)
"""
QUEUE_PLANT = """
with attempt():
    queue = syscall("mq_open", (A.token + "-left").encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
    syscall("mq_timedsend", queue, secret.encode(), len(secret), 0, None)
    refused("UNSEEN")
"""
QUEUE_LOOK = """
with attempt():
    buffer = ctypes.create_string_buffer(65536)
    queue = syscall("mq_open", (A.token + "-left").encode(), os.O_RDONLY | os.O_NONBLOCK, 0, None)
    syscall("mq_timedreceive", queue, buffer, 65536, None, None)
    reveal(buffer.value)
"""
KEY_PLANT = f"""
with attempt():
    key = syscall("add_key", b"user", A.token.encode(), secret.encode(), len(secret), {KEY_SPEC_USER_KEYRING})
    syscall("keyctl", 15, key, 20)
    refused("UNSEEN")
"""
KEY_LOOK = f"""
with attempt():
    key = syscall("keyctl", 10, {KEY_SPEC_USER_KEYRING}, b"user", A.token.encode(), 0)
    buffer = ctypes.create_string_buffer(200)
    syscall("keyctl", 11, key, buffer, 200, 0)
    syscall("keyctl", 9, key, {KEY_SPEC_USER_KEYRING})
    reveal(buffer.value)
"""
SOCKET_PLANT = """
server = '''
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(chr(0) + sys.argv[1] + "-left")
server.listen()
server.settimeout(4)
caller, _ = server.accept()
caller.sendall(sys.argv[2].encode())
'''
daemon([sys.executable or "python3", "-c", server, A.token, secret])
time.sleep(0.2)
"""
SOCKET_LOOK = """
with attempt():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect("\\0" + A.token + "-left")
    reveal(sock.recv(200))
"""
WORKSPACE_LOOK = """
import glob
found = [read(path) for path in glob.glob("../*/left-behind.txt") + glob.glob("left-behind.txt")]
reveal(b"\\n".join(found))
"""

ORPHANS = {
    "leaves_a_daemon": "stray(20, A.token)",
    "leaves_a_child": "subprocess.Popen(['sh', '-c', 'sleep 20; :', A.token], start_new_session=True)",
    "leaves_a_daemon_and_exits_at_once": "stray(20, A.token)\nos._exit(0)",
    "leaves_a_daemon_and_dies": "stray(20, A.token)\nos.kill(os.getpid(), 9)",
    "leaves_ten_daemons": "for _ in range(10):\n    stray(20, A.token)",
    "leaves_a_daemon_that_ignores_signals": (
        "daemon([sys.executable or 'python3', '-c', 'import signal, time; "
        "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]; time.sleep(20)', A.token])\ntime.sleep(0.2)"
    ),
    "leaves_a_daemon_that_keeps_starting_itself": (
        "again = 'import os, sys, time\\ntime.sleep(0.1)\\n"
        "if len(sys.argv[2]) < 60 and os.fork() == 0:\\n    os.setsid()\\n"
        '    os.execv(sys.executable, [sys.executable, "-c", open("/proc/self/cmdline").read().split(chr(0))[2], '
        'sys.argv[1], sys.argv[2] + "x"])\\n\'\n'
        "daemon([sys.executable or 'python3', '-c', again, A.token, 'x'])\ntime.sleep(0.3)"
    ),
    "leaves_a_stopped_daemon": "stray(20, A.token)\ntime.sleep(0.2)\nos.kill(find(A.token), signal.SIGSTOP)",
}

FRESH_INTERPRETER = """
arguments = read("/proc/self/cmdline").split(b"\\0")
print("LISTED", "fresh" if b"main.py" in arguments else "warm")
refused("UNSEEN")
"""
PATCHES = {
    "patches_a_builtin_of_the_next_run": (
        "import builtins\nbuiltins.left = secret",
        "import builtins\nreveal(getattr(builtins, 'left', ''))",
    ),
    "patches_a_module_of_the_next_run": (
        "import json\njson.left = secret",
        "import json\nreveal(getattr(json, 'left', ''))",
    ),
    "leaves_a_module_for_the_next_run": (
        "import types\nsys.modules['left'] = types.SimpleNamespace(left=secret)",
        "reveal(getattr(sys.modules.get('left'), 'left', ''))",
    ),
    "leaves_an_import_hook_for_the_next_run": (
        "sys.meta_path.append(type('Hook', (), {'left': secret, 'find_spec': lambda *a: None}))",
        "reveal(' '.join(str(getattr(hook, 'left', '')) for hook in sys.meta_path))",
    ),
    "leaves_an_environment_variable_for_the_next_run": (
        "os.environ['LEFT'] = secret",
        "reveal(os.environ.get('LEFT', ''))",
    ),
    "leaves_secrets_in_the_memory_of_the_next_run": (
        "kept = [secret + str(n) for n in range(100)]",
        "with attempt():\n    reveal(memory_of('self'))",
    ),
    "leaves_objects_for_the_collector_of_the_next_run": (
        "kept = [[secret]]",
        "import gc\nlists = [found for found in gc.get_objects() if type(found) is list]\n"
        "reveal(' '.join(item for found in lists for item in found if type(item) is str))",
    ),
}
NUMBERS = {
    "repeats_the_random_numbers_of_another_run": (
        "import random",
        "random.seed(7)",
        "random.random(), random.getrandbits(64)",
    ),
    "repeats_the_identifiers_of_another_run": ("import uuid", "uuid.uuid4 = lambda: 7", "uuid.uuid4()"),
    "repeats_the_random_bytes_of_another_run": ("", "os.urandom = lambda size: 7", "os.urandom(16)"),
    "repeats_the_temporary_names_of_another_run": ("", "tempfile.mktemp = lambda: 7", "tempfile.mktemp()"),
    "repeats_the_secrets_of_another_run": ("import secrets", "secrets.token_hex = lambda: 7", "secrets.token_hex()"),
    "repeats_the_numpy_numbers_of_another_run": (
        "try:\n    import numpy\nexcept ImportError:\n    refused('ENOENT', 'no numpy')\n    os._exit(0)",
        "numpy.random.seed(7)",
        "numpy.random.random(), numpy.random.default_rng().random()",
    ),
}


def _pair(name: str, plant: str, look: str, may_refuse: frozenset[str] = frozenset()) -> Attack:
    """One run leaves its secret somewhere, a later one looks for it there."""

    async def deed(arena: Arena) -> Outcome:
        arena.secret = new_secret()
        first = judge(arena, await arena.run(TAKE + plant, stdin=arena.secret.encode()))
        if first.refusal in may_refuse:
            return first
        return judge(arena, await arena.run(look))

    return Attack(name, Aim.RESIDUE, deed, may_refuse)


def _file(place: str, path: str) -> Attack:
    plant = (
        f"with attempt():\n    os.makedirs(os.path.dirname({path}), exist_ok=True)\n    open({path}, 'w').write(secret)"
    )
    return _pair(f"leaves_a_file_in_{place}", plant + DONE, f"with attempt():\n    reveal(read({path}))")


def _outlived(arena: Arena, ran: Ran) -> str | None:
    alive = arena.survivors()
    return f"{len(alive)} processes outlived their run" if alive else None


async def _is_fresh(arena: Arena) -> bool:
    """Whether this engine executes an interpreter anew for every run, so that none can inherit from another."""
    return (await arena.run(FRESH_INTERPRETER)).lines("LISTED") == ["fresh"]


FRESH = not_applicable(
    "probed: this engine starts a new interpreter for every run (within one, the deed is seen to work)"
)


def _warm(name: str, plant: str, look: str) -> Attack:
    async def deed(arena: Arena) -> Outcome:
        secret = new_secret()
        judge(arena, await arena.run(TAKE + plant + DONE, stdin=secret.encode()))
        ran = await arena.run(look)
        if secret.encode() in ran.stdout:
            return escaped("the next run found the secret")
        if not ran.lines("ESCAPED") + ran.lines("REFUSED"):
            return judge(arena, ran)
        if not arena.bare or not await _is_fresh(arena):
            return contained("the next run found nothing")
        together = await arena.run(TAKE + plant + "\n" + look, stdin=secret.encode())
        if secret.encode() not in together.stdout:
            raise BrokenAttackError(f"the deed is not seen even within one interpreter: {together.stderr!r}")
        return FRESH

    return Attack(name, Aim.RESIDUE, deed)


def _numbers(name: str, prepare: str, weaken: str, expression: str) -> Attack:
    """`weaken` makes the numbers repeat, to show that a repetition would be noticed."""
    look = f"{prepare}\n%s\nprint('LISTED', ({expression}))" + DONE

    async def drawn(arena: Arena, code: str) -> tuple[str, Outcome]:
        ran = await arena.run(code)
        return " ".join(ran.lines("LISTED")), judge(arena, ran)

    async def deed(arena: Arena) -> Outcome:
        first, outcome = await drawn(arena, look % "")
        if not first:
            return outcome
        second, _ = await drawn(arena, look % "")
        if first == second:
            return escaped(f"two runs drew {first}")
        if not arena.bare or not await _is_fresh(arena):
            return contained("two runs drew different numbers")
        weak = [(await drawn(arena, look % weaken))[0] for _ in range(2)]
        if _first_number(weak[0]) != _first_number(weak[1]):
            raise BrokenAttackError(f"a repetition is not noticed: {weak}")
        return FRESH

    return Attack(name, Aim.RESIDUE, deed, frozenset({"ENOENT"}))


def _first_number(line: str) -> str:
    return re.split(r"[(), ]+", line.strip("( "))[0]


def _orphan(name: str, code: str) -> Attack:
    return program(name, Aim.RESIDUE, f"refused('UNSEEN')\n{code}", truth=_outlived)


LOCK = """
with attempt():
    fcntl.flock(os.open(A.lock_file, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    refused("UNSEEN")
"""
LOCK_KEPT_BY_A_DAEMON = """
if os.fork() == 0:
    os.setsid()
    [os.close(n) for n in (0, 1, 2)]
    time.sleep(5)
time.sleep(0.1)
os._exit(0)
"""


def _is_locked(path: str) -> bool:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def _holds_a_lock(arena: Arena) -> Outcome:
    """A file that every sandbox reads is one file: a lock on it is felt by all of them, and by the host."""
    judge(arena, await arena.run(LOCK + LOCK_KEPT_BY_A_DAEMON))
    outcome = judge(arena, await arena.run(LOCK))
    return escaped("a lock of an ended run is still held") if outcome.refusal in ("EAGAIN", "EWOULDBLOCK") else outcome


async def _locks_a_shared_file(arena: Arena) -> Outcome:
    """While the program holds its lock, the host tries to take one on the same file."""
    blocked = False

    async def look() -> None:
        nonlocal blocked
        while not blocked:
            await anyio.sleep(0.05)
            blocked = _is_locked(str(arena.facts()["lock_file"]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        ran = await arena.run(LOCK + "    time.sleep(0.8)")
        tasks.cancel_scope.cancel()
    return escaped("a program locked a file that the host uses") if blocked else judge(arena, ran)


LEFT_OVERS: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    ("leaves_a_system_v_segment", SEGMENT_PLANT, SEGMENT_LOOK, frozenset({"ENOSYS"})),
    ("leaves_a_system_v_message", MESSAGE_PLANT, MESSAGE_LOOK, frozenset({"ENOSYS"})),
    ("leaves_a_system_v_semaphore", SEMAPHORE_PLANT, SEMAPHORE_LOOK, frozenset({"ENOSYS"})),
    ("leaves_a_posix_message", QUEUE_PLANT, QUEUE_LOOK, frozenset({"ENOSYS"})),
    ("leaves_a_key_in_the_user_keyring", KEY_PLANT, KEY_LOOK, frozenset({"ENOSYS", "EPERM", "EACCES"})),
    ("leaves_an_abstract_socket", SOCKET_PLANT + DONE, SOCKET_LOOK, LACKING),
    (
        "leaves_a_file_in_the_workspace",
        "open('left-behind.txt', 'w').write(secret)" + DONE,
        WORKSPACE_LOOK,
        frozenset(),
    ),
)

ATTACKS = (
    *(_file(place, path) for place, path in PLACES.items()),
    *(_pair(*row) for row in LEFT_OVERS),
    *(_orphan(name, code) for name, code in ORPHANS.items()),
    Attack("leaves_a_lock_on_a_file_of_the_host", Aim.RESIDUE, _holds_a_lock),
    Attack("locks_a_file_of_the_host_while_it_runs", Aim.RESIDUE, _locks_a_shared_file),
    *(_warm(name, *pair) for name, pair in PATCHES.items()),
    *(_numbers(name, *parts) for name, parts in NUMBERS.items()),
)
