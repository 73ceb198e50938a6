"""Exhaustion of what is not the program's own: quotas of the host's user, of the machine, and places in the server."""

import time

from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.exhaust import MEMORY, WALL, uses
from holdfast.testing.attacks.model import Aim, Attack, Outcome, escaped, judge

LINGERING = 0.9

TCP_BUFFERS = """
with attempt():
    server, kept, taken, chunk = socket.create_server(("127.0.0.1", 0)), [], 0, bytes(MiB)
    while taken < 96 * MiB and len(kept) < 400:
        sender = socket.create_connection(server.getsockname())
        sender.setblocking(False)
        kept += [sender, server.accept()[0]]
        before = taken
        try:
            while True:
                taken += sender.send(chunk)
        except BlockingIOError:
            if taken - before < 4096:
                break
    escaped(f"{taken >> 20} MiB") if taken > 80 * MiB else refused("EAGAIN", taken)
"""
UDP_BUFFERS = """
with attempt():
    kept, taken, datagram = [], 0, bytes(32000)
    for _ in range(500):
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        kept[-1].bind(("127.0.0.1", 0))
        kept[-1].setblocking(False)
        for _ in range(8):
            kept[-1].sendto(datagram, kept[-1].getsockname())
    for receiver in kept:
        with suppress(BlockingIOError):
            while True:
                taken += len(receiver.recv(65536))
    escaped(f"{taken >> 20} MiB") if taken > 48 * MiB else refused("EAGAIN", taken)
"""
NOTIFIERS = """
with attempt():
    kept = [syscall("inotify_init1", 0) for _ in range(32)]
    escaped("32 of the few instances of the user who runs the server")
"""
ASYNCHRONOUS_INPUT = """
with attempt():
    context = ctypes.create_string_buffer(8)
    syscall("io_setup", 2048, context)
    escaped("2048 of the requests that the machine has")
"""
SIGNALS = """
with attempt():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    for _ in range(8192):
        if LIBC.sigqueue(os.getpid(), int(signal.SIGRTMIN), None):
            raise OSError(ctypes.get_errno(), "sigqueue")
    escaped("8192 signals on the account of the user who runs the server")
"""
DESCRIPTORS_IN_FLIGHT = """
refused("UNSEEN")
import array
if os.fork() == 0:
    os.setsid()
    time.sleep(3)
    os._exit(0)
time.sleep(0.1)
ends = socket.socketpair()
for end in ends:
    flying = array.array("i", [ends[0].fileno(), ends[1].fileno(), 1, 2])
    end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, flying)])
os._exit(0)
"""


async def _stays_in_flight(arena: Arena) -> Outcome:
    """Descriptors in a socket that only they refer to outlive every program, until the kernel looks for such."""
    async with arena.sandbox(WALL) as cage:
        began = time.monotonic()
        ran = await cage.run(DESCRIPTORS_IN_FLIGHT)
        longer = time.monotonic() - began - ran.exited.usage.wall_seconds
    return escaped(f"it held its place for {longer:.1f} s beyond its end") if longer > LINGERING else judge(arena, ran)


ATTACKS = (
    uses("takes_more_memory_in_tcp_buffers", TCP_BUFFERS, limits={**MEMORY, "open_files": 1024}),
    uses("takes_more_memory_in_udp_buffers", UDP_BUFFERS, limits={**MEMORY, "open_files": 1024}),
    uses("takes_the_file_notifiers_of_the_host", NOTIFIERS, may_refuse=frozenset({"ENOSYS", "EMFILE"})),
    uses("takes_the_asynchronous_requests_of_the_host", ASYNCHRONOUS_INPUT, may_refuse=frozenset({"ENOSYS", "EAGAIN"})),
    uses("takes_the_queued_signals_of_the_host", SIGNALS, may_refuse=frozenset({"EAGAIN"})),
    Attack("keeps_its_output_open_in_flight", Aim.EXHAUST, _stays_in_flight),
)
