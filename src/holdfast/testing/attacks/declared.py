"""What an engine is known to answer otherwise, and why that is no escape.

Each declaration has a probe, which says whether it is still so. Without one of its own it is the attack itself: one
that is contained breaks off, until the declaration is removed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from holdfast.engines import Engine
from holdfast.testing.attacks.arena import Arena

SPIN = """
began = time.monotonic()
for _ in range(12):
    if os.fork() == 0:
        while time.monotonic() < began + 1.5:
            sum(range(10000))
        os._exit(0)
for _ in range(12):
    os.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("CLOCK", used.ru_utime + used.ru_stime)
"""
CLOCK_RUNS_AHEAD = 1.3

Probe = Callable[[Arena], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Declaration:
    """`reason` is one line; `probe` says whether it is still so."""

    reason: str
    probe: Probe | None = None


async def _clock_runs_ahead(arena: Arena) -> bool:
    """Whether processor time, as a program reads it, goes on while it has no processor."""
    ran = await arena.run(SPIN)
    usage = ran.exited.usage
    return float(ran.lines("CLOCK")[0]) > CLOCK_RUNS_AHEAD * (usage.cpu_user_seconds + usage.cpu_system_seconds)


_CLOCK = Declaration(
    "a program's own clock of processor time runs on while it waits for one; the host's account is right",
    _clock_runs_ahead,
)

_SOCKET_BUFFERS = Declaration(
    "runtimes of containers do not bound the buffers of sockets on cgroup v1; on v2 they count as memory"
)

_DISK_OF_EACH_PLACE = Declaration(
    "Docker gives each writable place a tmpfs of its own, each as large as the disk; together they count as memory"
)

_GVISOR: Mapping[str, Declaration] = {
    "opens_a_socket_by_32_bit_socketcall": Declaration(
        "gVisor takes a 32-bit call for the 64-bit one of that number, here getuid"
    ),
    "makes_fifty_thousand_files": Declaration("gVisor's tmpfs counts no files; each takes memory, which is limited"),
    "exempts_itself_from_the_out_of_memory_killer": Declaration(
        "the score is kept by gVisor alone; the host's killer does not see it"
    ),
    "hides_how_many_processes_it_had": Declaration(
        "gVisor keeps no peak of processes, so the usage says that it is not known"
    ),
    "burns_more_processor_time_than_it_was_given": _CLOCK,
    "burns_more_processor_time_in_children": _CLOCK,
    "spins_on_more_processors_than_it_was_given": _CLOCK,
    "hides_processor_time_in_a_child_nobody_waits_for": _CLOCK,
    "hides_processor_time_in_a_daemon": _CLOCK,
}

_GVISOR_BY_DOCKER: Mapping[str, Declaration] = {
    "fills_each_writable_place_with_most_of_its_disk": _DISK_OF_EACH_PLACE,
    "opens_the_tunnel_device": Declaration("the device is one of gVisor's own kernel, not of the host's"),
    "opens_the_fuse_device": Declaration("the device is one of gVisor's own kernel, not of the host's"),
    "opens_the_memory_map_of_pid_1": Declaration(
        "gVisor shows it to whoever has pid 1's effective user; it is that of the interpreter every program has"
    ),
    "opens_the_environment_of_pid_1": Declaration(
        "gVisor shows it to whoever has pid 1's effective user; nothing is in it that a program's own has not"
    ),
}

DECLARED: Mapping[str, Mapping[str, Declaration]] = {
    "docker": {
        "fills_each_writable_place_with_most_of_its_disk": _DISK_OF_EACH_PLACE,
        "shares_the_user_namespace_of_the_host": Declaration(
            "containers have one of their own only if the daemon remaps users"
        ),
    },
    "docker on cgroup v1": {
        "takes_more_memory_in_tcp_buffers": _SOCKET_BUFFERS,
        "takes_more_memory_in_udp_buffers": _SOCKET_BUFFERS,
    },
    "gvisor": _GVISOR,
    "docker+runsc": {**_GVISOR, **_GVISOR_BY_DOCKER},
}
"""By engine, or by engine and version of control groups, and attack."""


def declaration(engine: Engine, attack: str) -> Declaration | None:
    """What is known of this attack on this engine."""
    name, cgroup = engine.capabilities.engine, engine.capabilities.cgroup
    found = (DECLARED.get(key, {}).get(attack) for key in (name, f"{name} on cgroup {cgroup}"))
    return next(filter(None, found), None)
