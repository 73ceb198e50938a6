"""A program with a network reaches public addresses and nothing else, and the host's own network is left alone."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdfast.engines import Command, Exited, Output, Sandbox, SandboxSpec
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local import network as policy
from holdfast.engines.local.engine import STOCK_LIMITS
from holdfast.errors import EngineError, HostError, UnsupportedError
from holdfast.types import Network, parse_destination
from tests.conftest import lacks
from tests.local import world

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 10.0
NETWORKED = SandboxSpec("python", STOCK_LIMITS, Network.FULL)
FORBIDDEN = (world.HOST_PUBLIC, world.HOST_PRIVATE, world.HOST_LOOPBACK, world.PRIVATE, world.METADATA)
EVERYWHERE = (world.PUBLIC, *FORBIDDEN)

CALLS = """
import json, socket, sys
answers = {}
for address in json.loads(sys.argv[1]):
    for port in (80, 443):
        try:
            with socket.create_connection((address, port), 5) as sock:
                answers[f"{address}:{port}"] = sock.recv(100).decode()
        except OSError as error:
            continue
print(json.dumps(answers))
"""
ASKS = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(0.5)
sock.connect((sys.argv[1], 53))
try:
    sock.send(b"\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x06public\\x04test\\0\\0\\x01\\0\\x01")
    print("answered" if sock.recv(512) else "")
except OSError:
    print("nothing")
"""
LOOKS_UP = "import socket\ntry: print(socket.gethostbyname('public.test'))\nexcept OSError: print('unknown')"
MANY = """
import socket
held = []
for _ in range(300):
    try:
        held.append(socket.create_connection(("93.184.216.34", 80), 5))
    except OSError:
        break
print(len(held))
"""
LISTENS = """
import socket, sys
server = socket.create_server(("0.0.0.0", 8080))
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.connect(("93.184.216.34", 80))
print(probe.getsockname()[0], flush=True)
server.settimeout(1.5)
try:
    server.accept()
    print("called")
except TimeoutError:
    print("alone")
"""
CALLS_A_CELL = """
import socket, sys
for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 8080), 1)
        print("reached")
    except OSError:
        print("refused")
"""
SERVER = """
import asyncio
from holdfast.app import open_app
from holdfast.settings import load_settings

async def main():
    async with open_app(load_settings({"pool_size": 0, "allow_network": True})) as app:
        print("up", flush=True)
        await asyncio.sleep(100)

asyncio.run(main())
"""


@pytest.fixture(scope="module", autouse=True)
def small_internet() -> Iterator[None]:
    missing = [name for name in ("ip", "nft", "slirp4netns") if shutil.which(name, path=policy._PLACES) is None]
    reason = f"a network needs {', '.join(missing)}" if missing else "making a small internet needs root"
    if missing or os.geteuid() != 0:
        lacks("network", reason)
    with world.small_internet():
        yield


@pytest.fixture
def connected(config: LocalConfig) -> LocalConfig:
    return replace(config, allow_network=True)


@pytest.fixture
async def engine(connected: LocalConfig) -> AsyncIterator[LocalEngine]:
    async with LocalEngine.open(connected) as opened:
        yield opened


async def output_of(engine: LocalEngine, code: str, *arguments: str, spec: SandboxSpec = NETWORKED) -> str:
    sandbox = await engine.create(spec)
    try:
        return await said_in(sandbox, code, *arguments)
    finally:
        await sandbox.aclose()


async def said_in(sandbox: Sandbox, code: str, *arguments: str) -> str:
    command = Command(("python", "main.py", *arguments), files={"main.py": code.encode()}, wall_seconds=60)
    text = b""
    async with sandbox.exec(command) as process:
        async for event in process:
            if isinstance(event, Exited):
                assert event.exit_code == 0, text
            else:
                text += event.data
    return text.decode().strip()


async def reached(engine: LocalEngine, *addresses: str, spec: SandboxSpec = NETWORKED) -> dict[str, str]:
    answers: dict[str, str] = json.loads(await output_of(engine, CALLS, json.dumps(addresses), spec=spec))
    return answers


def reached_by_the_host(*addresses: str) -> dict[str, str]:
    """The same without any sandbox."""
    answers: dict[str, str] = json.loads(run_by_the_host(CALLS, json.dumps(addresses)))
    return answers


def run_by_the_host(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    return done.stdout.strip()


def a_server() -> "subprocess.Popen[str]":
    """A process of its own with an engine that gives a network."""
    return subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)


def uplinks() -> list[int]:
    """The processes that carry what leaves a gateway."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                inside = os.readlink(entry / "ns/net") == os.readlink("/proc/thread-self/ns/net")
            except OSError:
                continue
            if inside and b"slirp4netns\0" in command:
                found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def until_there_is_no_uplink() -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while uplinks():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_the_canaries_can_be_reached_from_the_host() -> None:
    assert len(reached_by_the_host(*EVERYWHERE)) == 2 * len(EVERYWHERE)


async def test_a_networked_program_reaches_public_addresses_and_nothing_else(engine: LocalEngine) -> None:
    answers = await reached(engine, *EVERYWHERE)
    assert answers == {f"{world.PUBLIC}:80": "internet", f"{world.PUBLIC}:443": "internet"}


async def test_a_program_without_network_reaches_nothing_where_others_have_one(engine: LocalEngine) -> None:
    assert await reached(engine, *EVERYWHERE, spec=replace(NETWORKED, network=Network.NONE)) == {}


@pytest.mark.parametrize("form", ["::ffff:{}", "0x{:08x}", "{:d}"])
async def test_no_spelling_of_a_private_address_is_a_way_to_it(engine: LocalEngine, form: str) -> None:
    addresses = map(IPv4Address, FORBIDDEN)
    spelled = [form.format(address if form.startswith("::") else int(address)) for address in addresses]
    assert len(reached_by_the_host(*spelled)) == 2 * len(FORBIDDEN)
    assert await reached(engine, *spelled) == {}


async def test_datagrams_reach_public_addresses_and_nothing_else(engine: LocalEngine) -> None:
    assert await output_of(engine, ASKS, world.PUBLIC_NAME_SERVER) == "answered"
    for address in FORBIDDEN:
        assert await output_of(engine, ASKS, address) == "nothing"


async def test_an_address_the_host_gets_later_is_refused_too(engine: LocalEngine) -> None:
    late = "93.184.217.9"
    with world.late_address(late):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await reached(engine, late):
            assert time.monotonic() < deadline
        assert len(reached_by_the_host(late)) == 2


BYPASSES = {
    "by the interface": "sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')",
    "by its number": "sock.setsockopt(socket.IPPROTO_IP, 50, struct.pack('!I', 2))",
    "by a source route": "sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes((131, 7, 4, 10, 77, 0, 2, 0)))",
    "by a foreign source": "sock.setsockopt(socket.IPPROTO_IP, 15, 1); sock.bind(('10.77.0.1', 0))",
}
GOES_AROUND = """
import socket, struct, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for address in sys.argv[2:]:
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(0.5)
            try:
                exec(sys.argv[1])
                sock.connect((address, 80 if kind == socket.SOCK_STREAM else 53))
                sock.send(b"\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x06public\\x04test\\0\\0\\x01\\0\\x01")
                print("reached", address) if sock.recv(512) else None
            except OSError:
                continue
"""


@pytest.mark.parametrize("way", BYPASSES.values(), ids=BYPASSES.keys())
async def test_no_option_of_a_socket_leads_around_the_rules(engine: LocalEngine, way: str) -> None:
    assert world.PUBLIC in await output_of(engine, GOES_AROUND, "pass", world.PUBLIC)
    assert await output_of(engine, GOES_AROUND, way, *FORBIDDEN) == ""


async def test_networked_cells_do_not_reach_each_other_and_nobody_calls_in(engine: LocalEngine) -> None:
    listener = await engine.create(NETWORKED)
    command = Command(("python", "main.py"), files={"main.py": LISTENS.encode()})
    text = ""
    async with listener.exec(command) as process:
        async for event in process:
            if isinstance(event, Output) and not text:
                address = event.data.decode().strip()
                assert await output_of(engine, CALLS_A_CELL, address) == "refused"
                assert run_by_the_host(CALLS_A_CELL, address) == "refused"
            text += event.data.decode() if isinstance(event, Output) else ""
    await listener.aclose()
    assert text.split()[1:] == ["alone"]


async def test_names_are_looked_up_where_the_operator_says_and_only_that_port_is_open(connected: LocalConfig) -> None:
    named = replace(connected, network_resolvers=(IPv4Address(world.PRIVATE),))
    async with LocalEngine.open(named) as engine:
        assert await output_of(engine, LOOKS_UP) == world.PUBLIC
        assert await reached(engine, *FORBIDDEN) == {}
        assert await output_of(engine, ASKS, world.HOST_PRIVATE) == "nothing"


async def test_without_a_public_name_server_results_say_that_there_are_no_names(
    connected: LocalConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "resolv.conf").write_text(f"nameserver {world.PRIVATE}\n")
    monkeypatch.setattr(policy, "_RESOLV_CONF", tmp_path / "resolv.conf")
    async with LocalEngine.open(connected) as engine:
        assert await output_of(engine, LOOKS_UP) == "unknown"
        assert await output_of(engine, ASKS, world.PRIVATE) == "nothing"
        assert policy.NO_NAMES in engine.capabilities.problems
        for wanted in (Network.FULL, Network.NONE):
            sandbox = await engine.create(replace(NETWORKED, network=wanted))
            await sandbox.aclose()
            assert (policy.NO_NAMES.reason in sandbox.isolation.notes) is (wanted is Network.FULL)


async def test_the_operator_may_open_one_port_of_one_private_address(connected: LocalConfig) -> None:
    wanted = replace(connected, network_allow=(parse_destination(f"{world.PRIVATE}:{world.OTHER_PORT}"),))
    async with LocalEngine.open(wanted) as engine:
        assert await reached(engine, *FORBIDDEN) == {f"{world.PRIVATE}:{world.OTHER_PORT}": "lan"}


async def test_not_even_the_operator_can_open_the_host_itself(connected: LocalConfig) -> None:
    wanted = replace(connected, network_allow=(parse_destination("10.77.0.0/24:80"),))
    async with LocalEngine.open(wanted) as engine:
        assert await reached(engine, *FORBIDDEN) == {f"{world.PRIVATE}:80": "lan"}


async def test_a_cell_has_a_limited_number_of_connections(engine: LocalEngine) -> None:
    assert await output_of(engine, MANY) == str(policy.CONNECTIONS_OF_A_CELL)


async def test_network_is_refused_by_an_engine_whose_operator_did_not_enable_it(config: LocalConfig) -> None:
    async with LocalEngine.open(config) as engine:
        with pytest.raises(UnsupportedError, match="Network access is not enabled"):
            await engine.create(NETWORKED)


async def test_the_network_of_the_host_stays_as_it_is_and_nothing_remains(connected: LocalConfig) -> None:
    before = world.network_of_the_host()
    async with LocalEngine.open(connected) as engine:
        assert await reached(engine, world.PUBLIC)
        assert world.network_of_the_host() == before
        assert len(uplinks()) == 1
    assert uplinks() == []
    assert world.network_of_the_host() == before


async def test_a_killed_server_leaves_no_gateway(connected: LocalConfig) -> None:
    with a_server() as server:
        assert server.stdout is not None and server.stdout.readline() == "up\n"
        assert uplinks()
        server.send_signal(signal.SIGKILL)
    await until_there_is_no_uplink()


@pytest.mark.parametrize("victim", ["uplink", "gateway"])
async def test_the_engine_survives_the_death_of_its_gateway(engine: LocalEngine, victim: str) -> None:
    sandbox = await engine.create(NETWORKED)
    running = asyncio.create_task(said_in(sandbox, "import time; time.sleep(60)"))
    (uplink,) = uplinks()
    os.kill(uplink if victim == "uplink" else parent_of(uplink), signal.SIGKILL)
    with pytest.raises(EngineError):
        await running
    await until_there_is_no_uplink()
    assert sandbox.lost
    assert await reached(engine, world.PUBLIC)


async def test_missing_packages_are_named_with_the_command_that_installs_them(
    connected: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "_PLACES", "/nowhere")
    with pytest.raises(HostError, match="sudo apt install slirp4netns nftables"):
        async with LocalEngine.open(connected):
            pass
    seen = await LocalEngine.probe(connected)
    assert seen.layers
    assert seen.networks == {Network.NONE}
    assert any("slirp4netns" in problem.reason for problem in seen.problems)
