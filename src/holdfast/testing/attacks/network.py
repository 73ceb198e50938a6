"""Network: reaching services of the host, addresses beyond it, and other runs. Nothing is sent beyond loopback."""

import anyio

from holdfast.testing.attacks.arena import Arena, Cage
from holdfast.testing.attacks.canaries import Listener, new_secret
from holdfast.testing.attacks.model import (
    LACKING,
    Aim,
    Attack,
    BrokenAttackError,
    Outcome,
    Ran,
    Truth,
    contained,
    escaped,
    judge,
    program,
)
from holdfast.types import Network

LOOPBACK = {
    "connects_to_a_service_of_the_host": "127.0.0.1",
    "connects_to_a_service_of_the_host_by_name": "localhost",
    "connects_to_a_service_of_the_host_by_a_decimal_address": "2130706433",
    "connects_to_a_service_of_the_host_by_an_octal_address": "0177.0.0.1",
    "connects_to_a_service_of_the_host_by_a_hexadecimal_address": "0x7f.1",
    "connects_to_a_service_of_the_host_by_the_empty_address": "0.0.0.0",  # noqa: S104 -- called, not bound
    "connects_to_a_service_of_the_host_by_a_short_address": "127.1",
    "connects_to_a_service_of_the_host_by_a_mapped_address": "::ffff:127.0.0.1",
}
ROUTES = {
    "has_a_route_to_the_metadata_service": ("AF_INET", "169.254.169.254"),
    "has_a_route_to_the_metadata_service_by_ipv6": ("AF_INET6", "fd00:ec2::254"),
    "has_a_route_to_a_mapped_metadata_service": ("AF_INET6", "::ffff:169.254.169.254"),
    "has_a_route_to_container_metadata": ("AF_INET", "169.254.170.2"),
    "has_a_route_to_the_private_class_a_network": ("AF_INET", "10.0.0.1"),
    "has_a_route_to_the_private_class_b_network": ("AF_INET", "172.17.0.1"),
    "has_a_route_to_the_private_class_c_network": ("AF_INET", "192.168.0.1"),
    "has_a_route_to_carrier_grade_addresses": ("AF_INET", "100.64.0.1"),
    "has_a_route_to_the_internet": ("AF_INET", "192.0.2.1"),
    "has_a_route_to_the_internet_by_ipv6": ("AF_INET6", "2001:db8::1"),
    "has_a_route_to_multicast_addresses": ("AF_INET", "224.0.0.251"),
}

CONNECTS = """
with attempt():
    reveal(socket.create_connection(({address}, {port}), 2).recv(200))
"""

CALLS_UNIX = """
with attempt():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect({address})
    reveal(sock.recv(200))
"""

RECEIVES_DESCRIPTOR = """
with attempt():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(A.unix_path + ".fd")
    _, descriptors, _, _ = socket.recv_fds(sock, 100, 4)
    reveal(os.pread(descriptors[0], 100, 0))
"""

SENDS = """
with attempt():
    sock = socket.socket(socket.{family}, socket.SOCK_DGRAM)
    sock.sendto({payload}, {address})
    time.sleep(0.05)
    refused("UNSEEN")
"""

# A name server's question, with the stolen words in the name that is asked for.
QUESTION = (
    "b'\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x06stolen\\x07example\\x00\\x00\\x01\\x00\\x01'"
)

LISTENS = """
with attempt():
    server = socket.create_server(("127.0.0.1", A.free_port))
    server.settimeout(2)
    caller, _ = server.accept()
    caller.sendall(b"from inside")
    refused("UNSEEN")
"""

OTHER_RUN_LISTENS = """
secret = sys.stdin.read()
servers = [socket.create_server(("127.0.0.1", A.free_port))] if {internet} else []
if not servers:
    servers = [socket.socket(socket.AF_UNIX)]
    servers[0].bind("\\0" + A.token + "-run")
    servers[0].listen()
servers[0].settimeout(2.5)
print("READY", flush=True)
try:
    caller, _ = servers[0].accept()
    caller.sendall(secret.encode())
    caller.close()
except TimeoutError:
    pass
"""
CALLS_OTHER_RUN = """
error = None
for _ in range(20):
    try:
        sock = socket.socket(socket.{family})
        sock.connect({address})
        reveal(sock.recv(200))
        break
    except OSError as caught:
        error = caught
        time.sleep(0.05)
else:
    refused(errno.errorcode[error.errno])
"""


def _reached(which: str) -> Truth:
    def truth(arena: Arena, ran: Ran) -> str | None:
        listener: Listener | None = getattr(arena, which)
        return f"the {which} listener of the host was reached" if listener and listener.received else None

    return truth


def _network(name: str, code: str, which: str, may_refuse: frozenset[str] = frozenset()) -> Attack:
    return program(name, Aim.NETWORK, code, truth=_reached(which), may_refuse=may_refuse)


def _connects(name: str, address: str, port: str = "A.tcp_port", which: str = "tcp") -> Attack:
    code = CONNECTS.format(address=repr(address), port=port)
    return _network(name, code, which, LACKING | {"E-2", "E-9"} if ":" in address else frozenset())


def _routes(name: str, family: str, address: str) -> Attack:
    """Connecting a datagram socket looks up the route, and sends nothing."""
    code = f"""
with attempt():
    sock = socket.socket(socket.{family}, socket.SOCK_DGRAM)
    sock.connect(({address!r}, 80))
    escaped(sock.getsockname()[0])
"""
    return program(name, Aim.NETWORK, code, may_refuse=LACKING)


def _sends(name: str, payload: str, address: str, which: str, family: str = "AF_INET") -> Attack:
    return _network(name, SENDS.format(payload=payload, address=address, family=family), which)


async def _is_reached_from_the_host(arena: Arena) -> Outcome:
    greeting = b""

    async def call() -> None:
        nonlocal greeting
        while not greeting:
            await anyio.sleep(0.05)
            try:
                async with await anyio.connect_tcp("127.0.0.1", arena.free_port) as stream:
                    greeting = await stream.receive()
            except (OSError, anyio.EndOfStream):
                continue

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        ran = await arena.run(LISTENS)
        tasks.cancel_scope.cancel()
    if greeting:
        return escaped("a port of the host leads into the sandbox")
    outcome = judge(arena, ran)
    return contained("nobody could call in") if outcome.refusal == "ETIMEDOUT" else outcome


def _with_a_network(name: str, code: str, which: str) -> Attack:
    """By a program that has a network, from which the host must be as far away; refused where there is none."""

    async def deed(arena: Arena) -> Outcome:
        async with arena.sandbox(network=Network.FULL) as cage:
            return judge(arena, await cage.run(code), _reached(which))

    return Attack(name, Aim.NETWORK, deed)


def _calls_another_run(name: str, family: str, address: str) -> Attack:
    async def deed(arena: Arena) -> Outcome:
        secret = new_secret()
        listened: list[Ran] = []

        async def listen(cage: Cage) -> None:
            code = OTHER_RUN_LISTENS.format(internet=family == "AF_INET")
            listened.append(await cage.run(code, stdin=secret.encode()))

        async with arena.sandbox() as other, anyio.create_task_group() as tasks:
            tasks.start_soon(listen, other)
            ran = await arena.run(CALLS_OTHER_RUN.format(family=family, address=address))
        if not listened[0].lines("READY"):
            raise BrokenAttackError(f"nobody listened: {listened[0].stderr[-300:]!r}")
        return escaped("two runs talked to each other") if secret.encode() in ran.stdout else judge(arena, ran)

    return Attack(name, Aim.NETWORK, deed)


WITH_A_NETWORK = (
    _with_a_network(
        "with_a_network_connects_to_the_loopback_of_the_host",
        CONNECTS.format(address="'127.0.0.1'", port="A.tcp_port"),
        "tcp",
    ),
    _with_a_network(
        "with_a_network_connects_to_an_address_of_the_host",
        CONNECTS.format(address="A.own_address", port="A.own_tcp_port"),
        "own_tcp",
    ),
    _with_a_network(
        "with_a_network_sends_a_datagram_to_an_address_of_the_host",
        SENDS.format(payload="b'x'", address="(A.own_address, A.own_udp_port)", family="AF_INET"),
        "own_udp",
    ),
)
"""What an engine that gives programs a network must withstand besides."""

ATTACKS = (
    *WITH_A_NETWORK,
    *(_connects(name, address) for name, address in LOOPBACK.items()),
    _connects("connects_to_a_service_of_the_host_by_ipv6", "::1", "A.tcp6_port", "tcp6"),
    *(_routes(name, family, address) for name, (family, address) in ROUTES.items()),
    _sends("sends_a_datagram_to_the_host", "b'x'", "('127.0.0.1', A.udp_port)", "udp"),
    _sends("carries_secrets_out_in_a_name_lookup", QUESTION, "('127.0.0.1', A.udp_port)", "udp"),
    _sends(
        "sends_a_datagram_to_an_abstract_socket", "b'x'", "'\\0' + A.abstract + '-dgram'", "hidden_dgram", "AF_UNIX"
    ),
    _network("calls_a_unix_socket_of_the_host", CALLS_UNIX.format(address="A.unix_path"), "unix"),
    _network(
        "calls_a_unix_socket_by_a_link",
        "os.symlink(A.unix_path, 's')\n" + CALLS_UNIX.format(address="'s'"),
        "unix",
    ),
    _network("calls_an_abstract_socket_of_the_host", CALLS_UNIX.format(address="'\\0' + A.abstract"), "hidden"),
    _network("receives_a_descriptor_from_the_host", RECEIVES_DESCRIPTOR, "unix_fd"),
    program(
        "sees_the_ports_the_host_listens_on",
        Aim.NETWORK,
        "with attempt():\n    table = read('/proc/net/tcp').decode()\n"
        "    escaped('listed') if f':{A.tcp_port:04X} ' in table else refused('NOTHING')",
    ),
    program(
        "sees_the_traffic_of_the_host",
        Aim.NETWORK,
        "with attempt():\n    lines = read('/proc/net/dev').decode().splitlines()\n"
        "    counts = [int(line.split(':')[1].split()[0]) for line in lines if line.strip().startswith('lo:')]\n"
        "    escaped(counts) if counts and counts[0] else refused('NOTHING')",
    ),
    Attack("is_reached_from_the_host", Aim.NETWORK, _is_reached_from_the_host),
    _calls_another_run("calls_another_run_over_loopback", "AF_INET", "('127.0.0.1', A.free_port)"),
    _calls_another_run("calls_another_run_over_an_abstract_socket", "AF_UNIX", "'\\0' + A.token + '-run'"),
)
