"""The gateway of the cells that have a network: a namespace with one way out, which it holds open while it lives.

The server starts it outside the tree. It makes a network namespace (as root one that belongs to a user of its own),
lets slirp4netns carry what leaves it to the network of the host, loads the server's rules there, and joins each cell to
it by a pair of interfaces. The host's own interfaces, routes, rules and switches stay as they are. When the server
closes the socket, or this process dies, everything is gone with it.

Server -> gateway: `{attach}` with the descriptor of a cell's network namespace.
Gateway -> server: `ready`, `attached {id, interfaces}`, `failed {id, error}`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the names of `signal` without its enums
import json
import os
import resource
import select
import socket
import stat
import subprocess
import sys

from holdfast.guest import syscalls
from holdfast.guest.frames import receive_with_fds
from holdfast.guest.netlink import IPV4_ADDRESSES, IPV4_ROUTES, Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

ROUTER = "240.0.0.1"
"""What every cell sees as its gateway. Class E addresses exist nowhere, so they hide nothing."""

UPLINK_NETWORK, UPLINK, CELL_PREFIX, CELL_INTERFACE = "240.1.0.0/24", "tap0", "c", "eth0"
FIRST_CELL, CELL_ADDRESSES = 0xF0100000, 1 << 20
MTU = 65520
READY_SECONDS = 10.0
TUNNELS = "/dev/net/tun"
_UPLINK_NICENESS = 5
_MAX_MESSAGE_BYTES, _READY = 4096, b"ready"
_SWITCHES = {
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/conf/all/arp_ignore": "0",
    "ipv4/conf/default/arp_ignore": "0",
    "netfilter/nf_conntrack_udp_timeout": "10",
    "netfilter/nf_conntrack_udp_timeout_stream": "30",
    "ipv4/ip_forward": "1",
}
"""Of the gateway's namespace only. The router's address must be answered for on every interface, and datagrams are
forgotten soon, because what is remembered counts against the connections of a cell."""


def become_gateway(config_fd: int) -> None:
    """Serve until the server goes away. A failure to start is one line on stderr and exit code 1."""
    with os.fdopen(config_fd) as file:
        config = json.load(file)
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_IGN)
    gateway = Gateway(config)
    try:
        gateway.open()
        gateway.serve()
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(str(error))
    finally:
        gateway.close()


class Gateway:
    """The namespace, its uplink, and the way into the cells."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._server = socket.socket(fileno=config["socket"])
        os.set_inheritable(config["socket"], False)
        self._host = Netlink()
        self._watch = Netlink(IPV4_ADDRESSES | IPV4_ROUTES)
        self._addresses: frozenset[str] = frozenset()
        self._children: list[int] = []

    def open(self) -> None:
        """Make everything, and forward only once the rules hold. Raises OSError, SubprocessError."""
        self._anchor = self._make_anchor()
        self._start_uplink()
        if self._config["launcher"] is not None:
            _enter(self._anchor, "user", syscalls.CLONE_NEWUSER)
        _enter(self._anchor, "net", syscalls.CLONE_NEWNET)
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._links = Netlink()
        self._filter(self._config["rules"])
        self._refuse_the_host()
        loopback = socket.if_nametoindex("lo")
        self._links.up(loopback)
        self._links.add_address(loopback, ROUTER)
        for name, value in _SWITCHES.items():
            _switch(name, value)

    def close(self) -> None:
        """End both children, and thereby the namespace."""
        for pid in self._children:
            os.kill(pid, _signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)

    def _make_anchor(self) -> int:
        """A process that does nothing but own the namespace; as root in a user namespace of its own."""
        ready, tell = os.pipe2(os.O_CLOEXEC)
        mapped, go = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _be_anchor(self._config["launcher"], self._config["uid"], tell, (ready, go), mapped)
        self._children.append(pid)
        os.close(tell)
        os.close(mapped)
        answer = os.read(ready, _MAX_MESSAGE_BYTES)
        if answer != _READY:
            raise OSError(f"the network namespace of the gateway could not be made ({answer.decode()})")
        os.close(ready)
        uid = self._config["uid"]
        if uid is not None:
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{pid}/{name}", "w") as file:
                    file.write(f"0 {uid} 1")
        # The other end of `go` stays open: the anchor ends when this process does.
        self._lifeline = go
        return pid

    def _start_uplink(self) -> None:
        """slirp4netns: in the host's network, as root of nothing but the anchor's user namespace."""
        ready, tell = os.pipe2(os.O_CLOEXEC)
        said, say = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        alive, self._uplink_lifeline = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            self._become_uplink(tell, alive, say)
        self._children.append(pid)
        for fd in (tell, alive, say):
            os.close(fd)
        if not select.select([ready], [], [], READY_SECONDS)[0] or os.read(ready, 1) != b"1":
            text = os.read(said, 4096).decode(errors="replace").strip() if select.select([said], [], [], 0)[0] else ""
            raise OSError(f"slirp4netns did not start: {text.splitlines()[-1] if text else 'it said nothing'}")
        os.close(ready)
        # What it says from now on stays unread in a pipe that never blocks it.
        self._said = said

    def _become_uplink(self, ready: int, alive: int, say: int) -> NoReturn:
        try:
            _die_with_parent()
            if self._config["uid"] is not None:
                _may_open_tunnels()
                _become_user(self._config["uid"])
            _enter(self._anchor, "user", syscalls.CLONE_NEWUSER)
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            # What programs send costs processor time here; the server comes first.
            os.nice(_UPLINK_NICENESS)
            os.dup2(say, 1)
            os.dup2(say, 2)
            for fd in (ready, alive):
                os.set_inheritable(fd, True)
            command = [self._config["uplink"], *_UPLINK_OPTIONS, f"--ready-fd={ready}", f"--exit-fd={alive}"]
            os.execve(command[0], [*command, f"/proc/{self._anchor}/ns/net", UPLINK], {"PATH": "/usr/sbin:/usr/bin"})
        except OSError as error:
            os.write(2, str(error).encode())
        finally:
            os._exit(1)

    def _filter(self, rules: str) -> None:
        done = subprocess.run(
            [self._config["nft"], "-f", "-"], input=rules.encode(), capture_output=True, timeout=READY_SECONDS
        )
        if done.returncode != 0:
            raise OSError(f"nft refused the rules: {done.stderr.decode(errors='replace').strip()[:400]}")

    def _refuse_the_host(self) -> None:
        """Take note of what are addresses of the host now."""
        addresses = self._host.host_addresses()
        if addresses == self._addresses:
            return
        listed = ", ".join(sorted(addresses))
        self._filter(
            f"flush set inet holdfast host\nadd element inet holdfast host {{ {listed} }}\n"
            if listed
            else "flush set inet holdfast host\n"
        )
        self._addresses = addresses

    def serve(self) -> None:
        """Join cells, and follow the addresses of the host, until the server or a part of this is gone."""
        poll = select.poll()
        children = [os.pidfd_open(pid) for pid in self._children]
        for fd in (self._server.fileno(), self._watch.fileno(), *children):
            poll.register(fd, select.POLLIN)
        self._send({"op": "ready"})
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if ready & set(children):
                raise OSError("slirp4netns ended")
            if self._watch.fileno() in ready and self._watch.host_changed():
                self._refuse_the_host()
            if self._server.fileno() in ready:
                self._answer()

    def _answer(self) -> None:
        data, fds = receive_with_fds(self._server, _MAX_MESSAGE_BYTES)
        if not data:
            sys.exit()
        number = json.loads(data)["attach"]
        try:
            answer = {"op": "attached", "id": number, "interfaces": self._attach(number, fds[0])}
        except OSError as error:
            answer = {"op": "failed", "id": number, "error": str(error)}
        finally:
            for fd in fds:
                os.close(fd)
        self._send(answer)

    def _attach(self, number: int, namespace: int) -> list[str]:
        """Join a cell; the interfaces it has then."""
        name = f"{CELL_PREFIX}{number}"
        address = socket.inet_ntoa((FIRST_CELL + number % CELL_ADDRESSES).to_bytes(4, "big"))
        self._links.add_pair(name, CELL_INTERFACE, namespace, MTU)
        index = socket.if_nametoindex(name)
        self._links.up(index)
        self._links.add_route(index, address)
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            _connect_cell(address)
            return [name for _, name in socket.if_nameindex()]
        finally:
            syscalls.setns(self._home, syscalls.CLONE_NEWNET)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._server.send(json.dumps(message).encode())
        except OSError:
            sys.exit()


_UPLINK_OPTIONS = (
    "--configure",
    f"--mtu={MTU}",
    f"--cidr={UPLINK_NETWORK}",
    "--disable-host-loopback",
    "--disable-dns",
    "--enable-sandbox",
    "--enable-seccomp",
    "--netns-type=path",
)


def _connect_cell(address: str) -> None:
    """Inside the namespace of a cell, whose program has no right to change any of it."""
    _switch(f"ipv6/conf/{CELL_INTERFACE}/disable_ipv6", "1")
    index = socket.if_nametoindex(CELL_INTERFACE)
    with Netlink() as links:
        links.add_address(index, address)
        links.up(index)
        links.add_route(index, ROUTER)
        links.add_route(index, None, via=ROUTER)


def _be_anchor(launcher: int | None, uid: int | None, tell: int, not_ours: tuple[int, ...], lifeline: int) -> NoReturn:
    try:
        for fd in not_ours:
            os.close(fd)
        _die_with_parent()
        if launcher is not None:
            _enter(launcher, "user", syscalls.CLONE_NEWUSER)
            syscalls.unshare(syscalls.CLONE_NEWNET)
        elif uid is not None:
            _become_user(uid, keep_rights=True)
            syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        syscalls.set_process_name("holdfast-net")
        syscalls.drop_capabilities()
        # So that the uplink may open its namespaces.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        _die_with_parent()
        os.write(tell, _READY)
        os.read(lifeline, 1)
    except OSError as error:
        os.write(tell, str(error).encode())
    finally:
        os._exit(0)


def _may_open_tunnels() -> None:
    """Where only root may open the device of tunnels, this process sees one of its own; the host's stays as it is."""
    found = os.stat(TUNNELS)
    if found.st_mode & 0o006 == 0o006:
        return
    folder = os.path.dirname(TUNNELS)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "size=4k,mode=755")
    os.mknod(TUNNELS, stat.S_IFCHR, found.st_rdev)
    os.chmod(TUNNELS, 0o666)  # noqa: S103  # it is seen by this process and what it becomes


def _become_user(uid: int, *, keep_rights: bool = False) -> None:
    if keep_rights:
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if keep_rights:
        syscalls.raise_permitted_capabilities()


def _enter(pid: int, kind: str, flag: int) -> None:
    fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(fd, flag)
    finally:
        os.close(fd)


def _die_with_parent() -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)


def _switch(name: str, value: str) -> None:
    """A switch of this network namespace; a kernel without IPv6 lacks some."""
    try:
        with open(f"/proc/sys/net/{name}", "w") as file:
            file.write(value)
    except FileNotFoundError:
        return
