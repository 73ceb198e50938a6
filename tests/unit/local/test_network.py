"""What programs with a network may reach, as data."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engines.local import network
from holdfast.errors import ConfigurationError
from holdfast.settings import load_settings
from holdfast.types import parse_destination


@given(st.ip_addresses(v=4))
def test_what_is_public_is_global_to_everybody(address: ipaddress.IPv4Address) -> None:
    if network.is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "10.0.0.1"])
def test_addresses_of_cloud_metadata_are_not_public(address: str) -> None:
    assert not network.is_public(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3:443", ("10.1.2.3/32", 443)),
        ("10.1.0.0/16:80", ("10.1.0.0/16", 80)),
        ("10.9.9.9", ("10.9.9.9/32", None)),
    ],
)
def test_a_destination_is_an_address_or_network_with_or_without_a_port(
    text: str, expected: tuple[str, int | None]
) -> None:
    destination = parse_destination(text)
    assert (str(destination.network), destination.port) == expected


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("network_allow", "internal.example:443", "not an IPv4 address"),
        ("network_allow", "10.1.2.3:99999", "no port"),
        ("network_allow", "10.1.2.3/8:80", "not an IPv4 address"),
        ("network_allow", "fd00::1", "not an IPv4 address"),
        ("network_allow", "127.0.0.1:80", "loopback of the host"),
        ("network_allow", "0.0.0.0/0", "loopback of the host"),
        ("network_resolvers", "127.0.0.53", "loopback of the host"),
        ("network_resolvers", "dns.example", "not the IPv4 address"),
    ],
)
def test_a_destination_that_cannot_be_opened_is_refused_with_its_reason(
    setting: str, value: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=f"{setting}.*{reason}"):
        load_settings({}, environ={f"HOLDFAST_{setting.upper()}": value}, directory=tmp_path)


@pytest.mark.parametrize(
    ("host", "behind_the_stub", "expected"),
    [
        ("nameserver 9.9.9.9\nnameserver 10.0.0.1\n", "", ("9.9.9.9",)),
        ("nameserver 10.0.0.1\n", "nameserver 9.9.9.9\n", ()),
        ("nameserver 127.0.0.53\noptions edns0\n", "nameserver 9.9.9.9\nnameserver fe80::1%eth0\n", ("9.9.9.9",)),
        ("nameserver 127.0.0.53\n", "nameserver 192.168.1.1\n", ()),
        ("", "", ()),
    ],
)
def test_programs_ask_the_name_servers_of_the_host_that_are_public(
    host: str, behind_the_stub: str, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("_RESOLV_CONF", host), ("_BEHIND_THE_STUB", behind_the_stub)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(network, name, tmp_path / name)
    assert network.resolvers(()) == expected


def test_the_operators_name_servers_win(tmp_path: Path) -> None:
    chosen = load_settings({"network_resolvers": ["10.0.0.53"]}, environ={}, directory=tmp_path).network_resolvers
    assert network.resolvers(chosen) == ("10.0.0.53",)
