"""What programs with a network may reach: the outside, and nothing private. As data, for the gateway to hold them to.

Whether a host can give a network at all, and how names are resolved there, is decided here, too.
"""

import ipaddress
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from holdfast.errors import HostError
from holdfast.guest.gateway import CELL_PREFIX, UPLINK
from holdfast.types import Destination, Problem

DENIED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""Everything that IANA does not call globally reachable, and the one public address at which a cloud (Azure) has a
service for its machines."""

CONNECTIONS_OF_A_CELL = 128
"""Each may take 256 KiB of the process that carries them, which is no memory of the cell."""

_NETWORKS = tuple(map(ipaddress.IPv4Network, DENIED))
_DNS_PORT = 53
_RESOLV_CONF = Path("/etc/resolv.conf")
_BEHIND_THE_STUB = Path("/run/systemd/resolve/resolv.conf")
"""Where systemd tells which name servers its own one on the loopback asks."""

NO_NAMES = Problem(
    layer="network",
    reason="programs with a network cannot look up names, because this host asks no public IPv4 name server",
    fix="name the servers they may ask: HOLDFAST_NETWORK_RESOLVERS=ADDRESS",
)

_TOOLS = {"slirp4netns": "slirp4netns", "nft": "nftables"}
_PLACES = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
_TUN = Path("/dev/net/tun")


def is_public(address: str) -> bool:
    """Whether programs with a network may reach it without being allowed to by the operator."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return not any(parsed in network for network in _NETWORKS)


def resolvers(chosen: Sequence[ipaddress.IPv4Address]) -> tuple[str, ...]:
    """The name servers of programs: those the operator chose, or those of the host that are public."""
    if chosen:
        return tuple(map(str, chosen))
    found = _name_servers(_RESOLV_CONF)
    if all(ipaddress.ip_address(address).is_loopback for address in found):
        found = _name_servers(_BEHIND_THE_STUB)
    return tuple(filter(is_public, found))


def _name_servers(path: Path) -> list[str]:
    try:
        lines = [line.split() for line in path.read_text(errors="replace").splitlines()]
    except OSError:
        return []
    found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return [address for address in found if _is_ipv4(address)]


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def tools() -> Mapping[str, str]:
    """Where the programs are that a gateway needs. Raises HostError with the command that installs them."""
    found = {name: shutil.which(name, path=_PLACES) for name in _TOOLS}
    missing = [_TOOLS[name] for name, path in found.items() if path is None]
    if missing:
        raise HostError(
            f"Programs cannot be given a network here, because {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing; run: sudo apt install {' '.join(missing)}"
            " (or unset HOLDFAST_ALLOW_NETWORK)."
        )
    if not os.access(_TUN, os.R_OK | os.W_OK):
        raise HostError(
            f"Programs cannot be given a network here, because {_TUN} cannot be opened; run: sudo modprobe tun"
            f" && sudo chmod 666 {_TUN}, or start the container with --device {_TUN}"
            " (or unset HOLDFAST_ALLOW_NETWORK)."
        )
    return {name: path for name, path in found.items() if path is not None}


def can_give_network() -> bool:
    """Whether this host has what it takes."""
    try:
        tools()
    except HostError:
        return False
    return True


def rules(allowed: Iterable[Destination], name_servers: Iterable[str]) -> str:
    """The rules of a gateway, for nft. The set `host` is filled there, with the addresses the host has at the time.

    Only TCP and UDP over IPv4 leave, nothing comes in that a cell did not ask for, cells do not reach each other, and
    a cell has no more connections than fits the one process that carries them all.
    """
    permitted = [
        *allowed,
        *(Destination(network=ipaddress.IPv4Network(address), port=_DNS_PORT) for address in name_servers),
    ]
    lines = "\n".join(f"    {_permit(destination)}" for destination in permitted)
    return _RULES.format(
        cells=f'"{CELL_PREFIX}*"',
        uplink=f'"{UPLINK}"',
        denied=", ".join(DENIED),
        permitted=lines.lstrip(),
        most=CONNECTIONS_OF_A_CELL,
        reject="reject with icmp type admin-prohibited",
    )


def _permit(destination: Destination) -> str:
    port = "" if destination.port is None else f" th dport {destination.port}"
    return f"ip daddr {destination.network}{port} goto leave"


_RULES = """\
table inet holdfast {{
  set host {{ type ipv4_addr; flags interval; auto-merge; }}
  set denied {{ type ipv4_addr; flags interval; elements = {{ {denied} }}; }}
  set callers {{ type ipv4_addr; size 65536; flags dynamic; }}

  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
    iifname {cells} fib saddr . iif oif missing drop
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname {cells} {reject}
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    meta nfproto != ipv4 drop
    iifname {uplink} oifname {cells} ct state established,related accept
    iifname != {cells} drop
    oifname != {uplink} {reject}
    meta l4proto != {{ tcp, udp }} drop
    ip daddr @host {reject}
    {permitted}
    ip daddr @denied {reject}
    goto leave
  }}
  chain leave {{
    ct state new add @callers {{ ip saddr ct count over {most} }} {reject}
    ct state new,established accept
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname {uplink} masquerade
  }}
}}
"""
