"""What a result says about isolation is what the kernel says, and the operator's floor is kept."""

import fcntl
import signal
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.engines import Command, Output, SandboxSpec
from holdfast.engines.host.cgroup import CgroupTree
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local.engine import CLONE_FLAGS, STOCK_LIMITS
from holdfast.engines.local.launchers import PLAIN
from holdfast.errors import HostError
from holdfast.guest import syscalls
from holdfast.types import Isolation
from tests.conftest import lacks

pytestmark = pytest.mark.anyio


async def isolation_of(engine_class: type[LocalEngine], config: LocalConfig) -> Isolation:
    async with engine_class.open(config) as engine:
        sandbox = await engine.create(SandboxSpec("python", STOCK_LIMITS))
        await sandbox.aclose()
        return sandbox.isolation


def without(**launcher: Any) -> type[LocalEngine]:
    """An engine whose launcher leaves a layer out, as a bug or an odd kernel might."""

    class Weakened(LocalEngine):
        def _launcher_description(self, modules: tuple[str, ...], layer: str = "") -> dict[str, Any]:
            described = super()._launcher_description(modules, layer)
            return {**described, "launcher": described["launcher"] | launcher}

    return Weakened


async def test_the_isolation_of_a_sandbox_is_read_from_the_kernel(config: LocalConfig) -> None:
    isolation = await isolation_of(LocalEngine, config)
    assert set(isolation.namespaces) == {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}
    assert isolation.seccomp == "filter"
    assert isolation.no_new_privileges
    assert isolation.capabilities_dropped
    assert isolation.landlock == (syscalls.landlock_abi() or None)


async def test_a_disabled_layer_vanishes_from_the_result(config: LocalConfig) -> None:
    weak = replace(config, floor=frozenset(), accept_rlimits=True)
    unfiltered = await isolation_of(without(seccomp=""), weak)
    unlocked = await isolation_of(without(landlock=0), weak)
    shared = await isolation_of(without(clone_flags=CLONE_FLAGS & ~syscalls.CLONE_NEWIPC), weak)
    assert unfiltered.seccomp == "none"
    assert unlocked.landlock is None
    assert "ipc" not in shared.namespaces
    assert "net" in shared.namespaces


async def test_a_host_without_control_groups_says_so_in_every_result(
    config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.engines.host.cgroup.prepare", lambda parent: CgroupTree("none"))
    isolation = await isolation_of(LocalEngine, replace(config, floor=frozenset(), accept_rlimits=True))
    assert isolation.cgroup == "none"
    assert any("no control groups" in note for note in isolation.notes)


@pytest.mark.parametrize(
    ("engine_class", "missing", "mends"),
    [
        (without(seccomp=""), "seccomp", "libseccomp2"),
        (without(landlock=0), "landlock", "lsm=landlock"),
        (without(clone_flags=CLONE_FLAGS & ~syscalls.CLONE_NEWIPC), "namespaces", "run as root"),
    ],
)
async def test_a_host_below_the_floor_is_refused_with_the_command_that_mends_it(
    config: LocalConfig, engine_class: type[LocalEngine], missing: str, mends: str
) -> None:
    strict = replace(config, floor=frozenset({"namespaces", "seccomp", "landlock"}))
    with pytest.raises(HostError) as refusal:
        async with engine_class.open(strict):
            pass
    assert missing in str(refusal.value)
    assert mends in str(refusal.value)


async def test_a_missing_guest_environment_is_refused_with_the_command_that_makes_it(config: LocalConfig) -> None:
    with pytest.raises(HostError, match="holdfast setup"):
        async with LocalEngine.open(replace(config, guest_env=config.state_dir / "nowhere")):
            pass


async def test_a_worn_launcher_is_replaced_while_its_cells_live_on(
    config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.engines.local.launcher.RECYCLE_CELLS", 3)
    async with LocalEngine.open(config) as engine:
        keeper = engine._launchers.keepers[PLAIN]
        first = keeper.current
        kept = [await engine.create(SandboxSpec("python", STOCK_LIMITS)) for _ in range(2)]
        with anyio.fail_after(10):
            while keeper.current in (first, None):  # noqa: ASYNC110  # the engine announces this to nobody
                await anyio.sleep(0.02)
        assert not any(sandbox.lost for sandbox in kept)
        late = await engine.create(SandboxSpec("python", STOCK_LIMITS))
        async with kept[0].exec(Command(("echo", "alive"))) as process:
            assert Output("stdout", b"alive\n") in [event async for event in process]
        for sandbox in (*kept, late):
            await sandbox.aclose()


SIGNALS_OF_THE_C_LIBRARY = 0b11 << 31
"""32 and 33: who ignores them does so without the library, and it lets nobody set them back."""

SIGNALS = "grep -E '^Sig(Blk|Ign)' /proc/self/status"


async def test_a_program_gets_no_signals_that_the_one_who_started_the_server_ignores(config: LocalConfig) -> None:
    ignored = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR2})
    try:
        async with LocalEngine.open(config) as engine:
            said = await said_by(engine, Command(argv=("sh", "-c", SIGNALS), wall_seconds=10.0))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
    _, blocked_inside, _, ignored_inside = said.split()
    assert int(blocked_inside, 16) == 0
    assert int(ignored_inside, 16) & ~SIGNALS_OF_THE_C_LIBRARY == 0


async def test_the_file_locks_of_the_host_are_not_listed(config: LocalConfig, tmp_path: Path) -> None:
    code = b"print(repr(open('/proc/locks').read()))"
    with (tmp_path / "locked").open("w") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        assert "OFDLCK" in locks_of_this_host()
        for compiled in (True, False):
            async with LocalEngine.open(replace(config, compiled=compiled)) as engine:
                assert await said_by(engine, Command(("python", "main.py"), files={"main.py": code})) == b"''\n"


def locks_of_this_host() -> str:
    return Path("/proc/locks").read_text()


async def said_by(engine: LocalEngine, command: Command) -> bytes:
    sandbox = await engine.create(SandboxSpec("bash", STOCK_LIMITS))
    said = b""
    async with sandbox.exec(command) as process:
        async for event in process:
            said += event.data if isinstance(event, Output) else b""
    await sandbox.aclose()
    return said


BESIDE = """
import anyio
from holdfast.app import open_app
from holdfast.settings import load_settings
from holdfast.types import RunRequest

async def main():
    async with open_app(load_settings({"pool_size": 0})) as app:
        print((await app.executor.run(RunRequest(image="bash", entrypoint="cat /proc/self/uid_map"))).stdout)

anyio.run(main)
"""


async def test_two_engines_on_one_state_directory_never_share_a_host_id(config: LocalConfig) -> None:
    async with LocalEngine.open(config) as engine:
        ours = await host_ids_of(engine)
        beside = await anyio.run_process([sys.executable, "-c", BESIDE])
    assert ids_in(beside.stdout)
    assert not ids_in(beside.stdout) & ours


async def test_ids_of_an_engine_that_is_gone_are_free_again(config: LocalConfig) -> None:
    async with LocalEngine.open(config) as engine:
        before = await host_ids_of(engine)
    async with LocalEngine.open(config) as engine:
        assert await host_ids_of(engine) == before


async def host_ids_of(engine: LocalEngine) -> set[int]:
    """The ids of a cell, as the host knows them: both are in the map of its user namespace."""
    if engine.capabilities.cgroup == "none":
        lacks("local", "an ordinary user sees only ids of its own namespace")
    sandbox = await engine.create(SandboxSpec("bash", STOCK_LIMITS))
    said = bytearray()
    async with sandbox.exec(Command(argv=("cat", "/proc/self/uid_map"))) as process:
        async for event in process:
            said += event.data if isinstance(event, Output) else b""
    await sandbox.aclose()
    return ids_in(said)


def ids_in(uid_map: bytes | bytearray) -> set[int]:
    """What a map of ids says of those outside."""
    return {int(line.split()[1]) for line in uid_map.decode().splitlines() if line}
