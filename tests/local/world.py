"""A small internet in network namespaces: what a networked program may reach, and what it must never reach.

The process that runs the tests moves into a namespace that plays the host; three more play the internet, a private
network and a metadata service. No packet leaves them, and the machine's own network is not touched.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from holdfast.guest import syscalls

PUBLIC, PUBLIC_NAME_SERVER = "93.184.216.34", "93.184.216.53"
HOST_PUBLIC, HOST_PRIVATE, HOST_LOOPBACK = "93.184.216.1", "10.77.0.1", "127.0.0.1"
PRIVATE, METADATA = "10.77.0.2", "169.254.169.254"
PORT, OTHER_PORT = 80, 443

_OUTSIDE = {
    "internet": (f"{HOST_PUBLIC}/24", (f"{PUBLIC}/24", f"{PUBLIC_NAME_SERVER}/24")),
    "lan": (f"{HOST_PRIVATE}/24", (f"{PRIVATE}/24",)),
    "metadata": ("169.254.169.1/24", (f"{METADATA}/24",)),
}

_CANARY = r"""
import selectors, socket, subprocess, sys
from holdfast.guest import syscalls

name, own_namespace, *addresses = sys.argv[1:]
if own_namespace == "yes":
    syscalls.unshare(syscalls.CLONE_NEWNET)
print("ready", flush=True)
sys.stdin.readline()
if own_namespace == "yes":
    for address in addresses:
        subprocess.run(["ip", "address", "add", address, "dev", "out"], check=True)
    subprocess.run(["ip", "link", "set", "out", "up"], check=True)
selector = selectors.DefaultSelector()
for address in [address.partition("/")[0] for address in addresses]:
    for port in (80, 443):
        selector.register(socket.create_server((address, port), backlog=600), selectors.EVENT_READ)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((address, 53))
    selector.register(names, selectors.EVENT_READ)
print("listening", flush=True)
kept = []
while True:
    for key, _ in selector.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            caller, _ = key.fileobj.accept()
            caller.sendall(name.encode())
            kept.append(caller)
            continue
        question, caller = key.fileobj.recvfrom(512)
        end = question.index(b"\0", 12) + 5
        answer = bytes((192, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)) + socket.inet_aton("93.184.216.34")
        is_address = question[end - 4 : end - 2] == b"\0\1"
        counts = bytes((129, 128, 0, 1, 0, is_address, 0, 0, 0, 0))
        key.fileobj.sendto(question[:2] + counts + question[12:end] + answer * is_address, caller)
"""


@contextmanager
def small_internet() -> Iterator[Mapping[str, int]]:
    """While entered, this process and those it starts live on the host of the small internet.

    It yields a process in each of the places around it.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        with ExitStack() as stack:
            places: dict[str, int] = {}
            _ip("link set lo up")
            for index, (name, (ours, theirs)) in enumerate(_OUTSIDE.items()):
                canary = stack.enter_context(_canary(name, theirs, own_namespace=True))
                _ip(f"link add to{index} type veth peer name out netns {canary.pid}")
                _ip(f"address add {ours} dev to{index}")
                _ip(f"link set to{index} up")
                _go(canary)
                places[name] = canary.pid
            _ip(f"route add default via {PUBLIC}")
            host = (HOST_LOOPBACK, HOST_PUBLIC, HOST_PRIVATE)
            _go(stack.enter_context(_canary("host", host, own_namespace=False)))
            yield places
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        os.close(home)


@contextmanager
def _canary(name: str, addresses: tuple[str, ...], *, own_namespace: bool) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-c", _CANARY, name, "yes" if own_namespace else "no", *addresses]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _go(canary: "subprocess.Popen[str]") -> None:
    assert canary.stdin is not None and canary.stdout is not None
    canary.stdin.write("go\n")
    canary.stdin.flush()
    assert canary.stdout.readline() == "listening\n"


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


@contextmanager
def late_address(address: str) -> Iterator[None]:
    """One more address of the host, with a canary on it."""
    _ip(f"address add {address}/32 dev lo")
    try:
        with _canary("late", (address,), own_namespace=False) as canary:
            _go(canary)
            yield
    finally:
        _ip(f"address delete {address}/32 dev lo")


def network_of_the_host() -> str:
    """All an engine could have changed of the host's network."""
    seen = [subprocess.run(["ip", "-o", *what], capture_output=True, text=True).stdout for what in _SHOWN]
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout
    return "\n".join([*seen, rules, Path("/proc/sys/net/ipv4/ip_forward").read_text()])


_SHOWN = (("link",), ("address",), ("route", "show", "table", "all"), ("rule",), ("netns",))
