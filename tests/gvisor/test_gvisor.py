"""The gVisor engine: what it says of itself, what it refuses, and what is left when things go wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import anyio
import pytest

from holdfast.app import gvisor_config
from holdfast.engines import Command, Exited, Sandbox, SandboxSpec
from holdfast.engines.gvisor import GvisorConfig, GvisorEngine, runsc
from holdfast.engines.gvisor.engine import STOCK_LIMITS
from holdfast.engines.host import cgroup
from holdfast.errors import EngineError, HostError, UnsupportedError
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.contract.case import Heard, command, listen, run_in
from holdfast.types import Limits, Network, Problem
from tests.conftest import ABSENT, absent

pytestmark = pytest.mark.anyio

PATIENCE = 20
SERVES_UNTIL_KILLED = """
import asyncio, sys
from holdfast.app import open_engine
from holdfast.engines import SandboxSpec
from holdfast.engines.gvisor.engine import STOCK_LIMITS
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
async def main():
    async with open_engine(load_settings({"engine": "gvisor", "pool_size": 0}), Metrics()) as engine:
        sandbox = await engine.create(SandboxSpec("python", STOCK_LIMITS))
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> GvisorConfig:
    wanted = gvisor_config(load_settings({"pool_size": 0}), Metrics())
    return replace(wanted, state_dir=tmp_path_factory.mktemp("gvisor"))


@pytest.fixture(scope="module")
async def engine(config: GvisorConfig, anyio_backend: str) -> AsyncIterator[GvisorEngine]:
    opening = GvisorEngine.open(config)
    try:
        opened = await opening.__aenter__()
    except ABSENT as error:
        absent("gvisor", error)
    try:
        yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)


def spec(**limits: float | None) -> SandboxSpec:
    return SandboxSpec("python", STOCK_LIMITS.model_copy(update=limits))


async def run(engine: GvisorEngine, code: str, limits: Limits = STOCK_LIMITS) -> Heard:
    sandbox = await engine.create(SandboxSpec("python", limits))
    try:
        return await run_in(sandbox, command(code))
    finally:
        await sandbox.aclose()


def runsc_processes(place: Path) -> list[int]:
    """The processes of runsc that belong to an engine of this state directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"runsc" in arguments and str(place).encode() in arguments:
            found.append(int(folder.name))
    return found


async def test_what_held_a_program_is_read_back_from_both_kernels(engine: GvisorEngine) -> None:
    sandbox = await engine.create(spec())
    heard = await run_in(sandbox, command("import os; print(os.uname().release, os.getuid())"))
    await sandbox.aclose()
    release, uid = heard.stdout.split()
    assert release.decode() != os.uname().release, "the program saw the kernel of the host"
    assert uid == b"1000"
    isolation = sandbox.isolation
    assert isolation.engine == "gvisor"
    assert {"user", "mnt", "net", "ipc", "uts"} <= set(isolation.namespaces)
    assert (isolation.seccomp, isolation.network) == ("filter", Network.NONE)
    assert isolation.no_new_privileges and isolation.capabilities_dropped and isolation.separate_users
    assert any("gVisor" in note for note in isolation.notes)


async def test_a_program_cannot_reach_the_streams_of_pid_1(engine: GvisorEngine) -> None:
    code = """
import os
for number in range(40):
    for path in (f"/proc/1/fd/{number}", f"/proc/{os.getppid()}/fd/{number}"):
        try:
            os.write(os.open(path, os.O_WRONLY), b"forged")
            print("wrote", path)
        except OSError:
            pass
print("tried")
"""
    heard = await run(engine, code)
    assert (heard.stdout, heard.exited.exit_code) == (b"tried\n", 0)


async def test_memory_beyond_the_limit_is_told_as_such(engine: GvisorEngine) -> None:
    heard = await run(engine, "kept = b'x' * (400 << 20)", spec(memory_bytes=96 << 20, disk_bytes=32 << 20).limits)
    assert heard.exited.usage.out_of_memory
    assert heard.exited.signal == signal.SIGKILL


async def test_memory_is_counted_without_what_gvisor_takes(engine: GvisorEngine) -> None:
    small = await run(engine, "print(1)")
    large = await run(engine, "kept = b'x' * (100 << 20)")
    peaks = [heard.exited.usage.memory_peak_bytes or 0 for heard in (small, large)]
    assert peaks[0] < 64 << 20
    assert peaks[1] >= 100 << 20


async def test_processor_time_is_counted_and_ends_a_program(engine: GvisorEngine) -> None:
    heard = await run(engine, "while True: pass", spec(cpu_seconds=0.5).limits)
    assert heard.exited.reason == "cpu"
    usage = heard.exited.usage
    assert usage.cpu_user_seconds + usage.cpu_system_seconds >= 0.5


async def test_everything_writable_is_one_disk(engine: GvisorEngine) -> None:
    code = """
written = 0
for place in ("/workspace", "/tmp", "/dev/shm"):
    try:
        with open(f"{place}/big", "wb", buffering=0) as file:
            for _ in range(64):
                written += file.write(bytes(1 << 20))
    except OSError as error:
        print(error.errno)
print(written <= 32 << 20)
"""
    heard = await run(engine, code, spec(disk_bytes=32 << 20).limits)
    assert heard.stdout == b"28\n28\n28\nTrue\n"
    assert heard.exited.disk_full


async def test_a_program_may_not_have_a_network(engine: GvisorEngine) -> None:
    with pytest.raises(UnsupportedError):
        await engine.create(replace(spec(), network=Network.FULL))


async def test_a_sandbox_killed_from_outside_is_our_failure_and_the_next_one_works(
    engine: GvisorEngine, config: GvisorConfig
) -> None:
    sandbox = await engine.create(spec())
    with pytest.raises(EngineError):
        async with sandbox.exec(command("import time; print('on', flush=True); time.sleep(30)")) as process:
            async for event in process:
                assert not isinstance(event, Exited)
                for pid in runsc_processes(config.state_dir / "gvisor"):
                    os.kill(pid, signal.SIGKILL)
    await sandbox.aclose()
    assert (await run(engine, "print('again')")).stdout == b"again\n"


async def test_what_nobody_waits_for_is_ended(engine: GvisorEngine, config: GvisorConfig) -> None:
    sandbox = await engine.create(spec())
    async with sandbox.exec(command("import time; time.sleep(30)")):
        pass
    await sandbox.aclose()
    assert runsc_processes(config.state_dir / "gvisor") == []
    assert [place.name for place in (config.state_dir / "gvisor").glob("*/*")] == ["tree"]


async def _speak(sandbox: Sandbox, what: Command) -> bytes:
    async with sandbox.exec(what) as process:
        return (await listen(process)).stdout


async def test_one_sandbox_can_be_held_to_other_limits_for_its_job(engine: GvisorEngine) -> None:
    sandbox = await engine.create(engine.stock_spec(spec(disk_bytes=64 << 20)))
    sandbox.adjust(spec(disk_bytes=64 << 20, memory_bytes=96 << 20, open_files=50))
    files = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    assert await _speak(sandbox, command(files)) == b"50\n"
    async with sandbox.exec(command("kept = b'x' * (300 << 20)")) as process:
        assert (await listen(process)).exited.usage.out_of_memory
    await sandbox.aclose()


@pytest.mark.parametrize("stuck", [False, True])
async def test_a_killed_server_leaves_nothing_that_the_next_does_not_remove(
    engine: GvisorEngine, config: GvisorConfig, tmp_path: Path, stuck: bool
) -> None:
    environment = {
        **os.environ,
        "HOLDFAST_STATE_DIR": str(tmp_path),
        "HOLDFAST_GUEST_ENV": str(config.guest_env),
        "HOLDFAST_LANGUAGES_DIR": str(config.toolchains),
    }
    server = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", SERVES_UNTIL_KILLED], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout is not None
    with server.stdout:
        assert await anyio.to_thread.run_sync(server.stdout.readline) == "ready\n"
        started = runsc_processes(tmp_path)
        assert started
        for pid in started if stuck else ():
            os.kill(pid, signal.SIGSTOP)
        server.kill()
        server.wait()
    with anyio.fail_after(PATIENCE):
        while not stuck and runsc_processes(tmp_path):  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert list((tmp_path / "gvisor").iterdir())
    async with GvisorEngine.open(replace(config, state_dir=tmp_path)) as successor:
        assert len(list((tmp_path / "gvisor").iterdir())) == 1
        assert not set(started) & set(runsc_processes(tmp_path))
        assert (await run(successor, "print(1)")).stdout == b"1\n"
    assert list((tmp_path / "gvisor").iterdir()) == []


async def test_without_control_groups_it_runs_only_where_that_is_accepted_and_says_so(
    engine: GvisorEngine, config: GvisorConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = cgroup.NoCgroup(Problem(layer="cgroup", reason="there are none", fix="run as root"))

    def prepare(*_: object) -> NoReturn:
        raise none

    monkeypatch.setattr(cgroup, "prepare", prepare)
    config = replace(config, state_dir=tmp_path)
    with pytest.raises(HostError, match="there are none: run as root"):
        async with GvisorEngine.open(config):
            pass
    async with GvisorEngine.open(replace(config, accept_rlimits=True)) as weaker:
        assert not weaker.capabilities.limits & {"memory_bytes", "cpus", "cpu_shares"}
        assert (await run(weaker, "print(1)")).stdout == b"1\n"
        sandbox = await weaker.create(spec())
        assert any("memory and cpu are not limited" in note for note in sandbox.isolation.notes)
        await sandbox.aclose()


def _program(place: Path, text: str) -> None:
    place.mkdir()
    (place / "runsc").write_text(f"#!/bin/sh\n{text}\n")
    (place / "runsc").chmod(0o755)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("echo runsc version release-20200101.0", "at least 20221219 is needed; run: sudo apt install runsc"),
        ("echo nonsense", "does not say which version it is"),
        ("[ $1 = flags ] || echo runsc version 0.0~20230101.0", "has none of the platforms systrap, ptrace"),
        ("exec sleep 30", "did not answer within"),
    ],
)
async def test_a_runsc_that_cannot_be_used_is_refused_with_what_to_do(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", text)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(runsc, "ANSWER_SECONDS", 0.5)
    with pytest.raises(HostError, match=sentence):
        await runsc.find(rootless=False)


async def test_a_host_without_runsc_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: GvisorConfig
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="sudo apt install runsc"):
        await runsc.find(rootless=False)
    capabilities = await GvisorEngine.probe(config)
    assert (capabilities.layers, capabilities.limits) == (frozenset(), frozenset())
    assert "sudo apt install runsc" in capabilities.problems[0].reason


async def test_kvm_is_never_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'echo "runsc version 0.0~20230101.0"; echo "platform to use: kvm (default), ptrace, systrap."'
    _program(tmp_path / "bin", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found = await runsc.find(rootless=False)
    assert found.platform == "systrap"
    assert "--platform=systrap" in found.run(tmp_path)
