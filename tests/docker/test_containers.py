"""What Docker is told of a program, what it holds it with, and that nothing of it remains."""

import json
import os
import secrets
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import pytest

from holdfast.app import open_engine
from holdfast.engines import Command, Engine, Exited, SandboxSpec
from holdfast.engines.docker import DockerConfig, DockerEngine
from holdfast.engines.docker.config import STATE_LABEL
from holdfast.engines.docker.daemon import connect
from holdfast.engines.docker.leftovers import Instance
from holdfast.errors import HostError, UnsupportedError
from holdfast.guest.syscalls import CAP_SETUID
from holdfast.settings import load_settings
from holdfast.telemetry import Metrics
from holdfast.testing.attacks.arena import LIMITS
from holdfast.testing.contract.case import command, run, run_in
from holdfast.types import Network
from tests.conftest import lacks

pytestmark = pytest.mark.anyio

Docker = Callable[..., str]
SPEC = SandboxSpec("python", LIMITS)


def state_of(config: DockerConfig) -> str:
    """What the label of this state directory says."""
    instance = Instance(config.state_dir)
    instance.close()
    return instance.owner[STATE_LABEL]


def containers(docker: Docker, config: DockerConfig) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={STATE_LABEL}={state_of(config)}").split()


async def exit_code(engine: Engine, code: str) -> int | None:
    sandbox = await engine.create(SPEC)
    try:
        async with sandbox.exec(Command(("python", "main.py"), files={"main.py": code.encode()})) as process:
            async for event in process:
                if isinstance(event, Exited):
                    return event.exit_code
    finally:
        await sandbox.aclose()
    return None


async def test_docker_is_told_nothing_of_a_program(config: DockerConfig, docker: Docker) -> None:
    secret = secrets.token_hex(8)
    told = Command(
        ("python", "main.py", secret),
        environment={"WORD": secret},
        stdin=secret.encode(),
        files={"main.py": f"print('{secret}', flush=True); import time; time.sleep(60)".encode(), secret: b""},
    )
    async with (
        DockerEngine.open(config) as engine,
        aclosing(await engine.create(SPEC)) as sandbox,
        sandbox.exec(told) as process,
    ):
        async for event in process:
            assert not isinstance(event, Exited) and secret.encode() in event.data
            break
        (container,) = [name for name in containers(docker, config) if sandbox.id.startswith(name)]
        assert secret not in docker("inspect", container)


async def test_a_container_is_made_with_everything_docker_can_hold_it_with(
    config: DockerConfig, docker: Docker
) -> None:
    async with DockerEngine.open(config) as engine, aclosing(await engine.create(SPEC)) as sandbox:
        (made,) = json.loads(docker("inspect", sandbox.id))
    host = made["HostConfig"]
    assert host["ReadonlyRootfs"] and host["NetworkMode"] == "none" and not host["Privileged"]
    assert host["CapDrop"] == ["ALL"] and set(host["CapAdd"]) == {"SETUID", "SETGID", "SETPCAP"}
    assert host["SecurityOpt"] == ["no-new-privileges:true"] and not host["Binds"] and not made["Mounts"]
    assert LIMITS.memory_bytes <= host["Memory"] == host["MemorySwap"] <= LIMITS.memory_bytes + (16 << 20)
    assert host["PidsLimit"] == LIMITS.processes + 1
    assert all(f"size={LIMITS.disk_bytes}" in options and "nr_inodes=" in options for options in host["Tmpfs"].values())
    assert host["LogConfig"]["Type"] == "none"


async def test_pid_1_keeps_the_right_to_make_guests_and_no_other(config: DockerConfig) -> None:
    look = (
        "print(*[line for line in open('/proc/1/status') if line.startswith(('CapPrm', 'CapEff', 'CapBnd'))], sep='')"
    )
    async with DockerEngine.open(config) as engine:
        said = (await run(engine, command(look))).stdout.decode().split()
    sets = dict(zip(said[::2], said[1::2], strict=True))
    assert {name: int(value, 16) for name, value in sets.items()} == {
        "CapPrm:": 1 << CAP_SETUID,
        "CapEff:": 0,
        "CapBnd:": 0,
    }


async def test_nothing_is_left_when_the_engine_is_closed(config: DockerConfig, docker: Docker) -> None:
    before = docker("volume", "ls", "--quiet"), docker("network", "ls", "--quiet")
    async with DockerEngine.open(config) as engine:
        kept = await engine.create(SPEC)
        assert await exit_code(engine, "raise SystemExit(3)") == 3
        assert not kept.lost
    assert containers(docker, config) == []
    assert (docker("volume", "ls", "--quiet"), docker("network", "ls", "--quiet")) == before


async def test_a_container_that_nobody_waits_for_any_more_is_removed(config: DockerConfig, docker: Docker) -> None:
    async with DockerEngine.open(config) as engine:
        for step in range(20):
            with anyio.move_on_after(step / 100):
                await (await engine.create(SPEC)).aclose()
        with anyio.fail_after(20):
            while containers(docker, config):  # noqa: ASYNC110  # Docker removes them
                await anyio.sleep(0.1)


async def test_what_a_killed_engine_has_left_is_removed_by_the_next_and_nothing_else(
    config: DockerConfig, docker: Docker
) -> None:
    async with DockerEngine.open(config) as living, aclosing(await living.create(SPEC)) as in_use:
        left = docker(
            *("run", "--detach", "--network", "none", "--label", f"{STATE_LABEL}={state_of(config)}"),
            *("--label", "holdfast.instance=dead", "holdfast/bash", "sleep", "600"),
        ).strip()
        foreign = docker(
            *("run", "--detach", "--network", "none", "--label", f"{STATE_LABEL}=another"),
            *("holdfast/bash", "sleep", "600"),
        ).strip()
        try:
            async with DockerEngine.open(config):
                with anyio.fail_after(20):
                    while left[:12] in containers(docker, config):  # noqa: ASYNC110  # Docker removes it
                        await anyio.sleep(0.1)
            assert docker("inspect", "--format", "{{.State.Running}}", foreign).strip() == "true"
            assert not in_use.lost
        finally:
            docker("rm", "--force", left, foreign)


async def test_a_program_ends_with_the_server_that_started_it(config: DockerConfig, docker: Docker) -> None:
    async with DockerEngine.open(config) as engine:
        sandbox = await engine.create(SPEC)
        # What the kernel does to the connection of a server that was killed.
        sandbox._connection.close()
        with anyio.fail_after(10):
            while docker("inspect", "--format", "{{.State.Running}}", sandbox.id).strip() == "true":  # noqa: ASYNC110
                await anyio.sleep(0.05)
        await sandbox.aclose()


async def test_a_daemon_that_is_not_there_is_one_sentence(config: DockerConfig) -> None:
    with pytest.raises(HostError, match="No Docker daemon answers on /nonexistent"):
        async with DockerEngine.open(replace(config, socket=config.state_dir.__class__("/nonexistent"))):
            pass


async def test_a_socket_of_somebody_else_is_told_from_one_that_is_not_there(config: DockerConfig) -> None:
    if os.geteuid() != 0:
        lacks("docker", "only root can become somebody who may not open the socket")
    os.seteuid(65534)
    try:
        with pytest.raises(HostError, match="may not open the socket; add the user to the group"):
            async with connect(config.socket):
                pass
    finally:
        os.seteuid(0)


async def test_images_that_are_missing_are_one_sentence_with_the_command_that_builds_them(config: DockerConfig) -> None:
    with pytest.raises(HostError, match="no image 'nobody/python:latest'; run: holdfast images build"):
        async with DockerEngine.open(replace(config, images="nobody")):
            pass


async def test_a_runtime_docker_does_not_know_is_one_sentence(config: DockerConfig) -> None:
    with pytest.raises(HostError, match="knows no runtime 'nothing'"):
        async with DockerEngine.open(replace(config, runtime="nothing")):
            pass


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere", "has no network 'nowhere'"),
        ("container:x", "has no network 'container:x'"),
        ("host", "'host' is no network for programs"),
        ("none", "'none' is no network for programs"),
    ],
)
async def test_a_network_that_is_none_of_the_programs_own_is_refused(
    config: DockerConfig, name: str, sentence: str
) -> None:
    with pytest.raises(HostError, match=sentence):
        async with DockerEngine.open(replace(config, network=name)):
            pass


@pytest.mark.parametrize(
    ("asked", "setting"),
    [({"allow_network": True}, "HOLDFAST_ALLOW_NETWORK"), ({"prebuild_network": "on"}, "HOLDFAST_PREBUILD_NETWORK")],
)
async def test_a_server_that_is_to_have_a_network_does_not_start_without(
    config: DockerConfig, asked: dict[str, Any], setting: str
) -> None:
    settings = load_settings({"engine": "docker", "state_dir": config.state_dir, **asked})
    with pytest.raises(HostError, match=f"{setting} asks for one.* can be named with HOLDFAST_DOCKER_NETWORK"):
        async with open_engine(settings, Metrics()):
            pass


async def test_a_network_is_refused_unless_the_operator_has_named_one(config: DockerConfig) -> None:
    async with DockerEngine.open(config) as engine:
        with pytest.raises(UnsupportedError):
            await engine.create(replace(SPEC, network=Network.FULL))


async def test_a_program_that_may_has_the_network_the_operator_has_named_and_others_have_none(
    config: DockerConfig, docker: Docker
) -> None:
    name = f"holdfast-{os.getpid()}-{secrets.token_hex(4)}"
    docker("network", "create", "--internal", name)
    interfaces = command("print(*[line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]])")
    try:
        async with DockerEngine.open(replace(config, network=name)) as engine:
            assert engine.capabilities.networks == {Network.NONE, Network.FULL}
            async with aclosing(await engine.create(replace(SPEC, network=Network.FULL))) as sandbox:
                assert sandbox.isolation.network is Network.FULL
                assert "eth0" in (await run_in(sandbox, interfaces)).stdout.decode().split()
            assert (await run(engine, interfaces)).stdout == b"lo\n"
    finally:
        docker("network", "rm", name)
