"""Engines, as the settings want them, and the stock around one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeAlias

from holdfast.app.limits import bounds
from holdfast.app.places import builds_have_network, open_prebuilds
from holdfast.engines import Engine, SandboxSpec, docker
from holdfast.engines.docker.config import DockerConfig
from holdfast.engines.gvisor import GvisorConfig, GvisorEngine
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.pooled import PooledEngine, Stocking
from holdfast.errors import HostError
from holdfast.execution.requests import with_unasked_disk
from holdfast.languages import DATA_PROFILE, SESSION_MODULES, SESSION_PROFILE, SQL_MODULES, SQL_PROFILE
from holdfast.settings import Settings
from holdfast.settings.kinds import is_loopback as is_loopback
from holdfast.telemetry import Metrics
from holdfast.types import Capabilities, Network

_NO_NETWORK = (
    "The engine '{engine}' can give no network here, and {setting} asks for one; unset it"
    " (on 'docker' a network can be named with HOLDFAST_DOCKER_NETWORK)."
)

OpenEngine: TypeAlias = "LocalEngine | docker.DockerEngine | GvisorEngine"
"""An engine that can also be asked for its languages."""


@asynccontextmanager
async def open_engine(settings: Settings, metrics: Metrics, **local: Any) -> AsyncIterator[OpenEngine]:
    """The engine of the settings, without stock. Raises HostError when this host is below the floor.

    `local` are fields of LocalConfig that differ from what the settings mean.
    """
    openers: dict[str, Callable[[], AbstractAsyncContextManager[OpenEngine]]] = {
        "local": lambda: _open_local(replace(local_config(settings, metrics), **local), settings),
        "docker": lambda: docker.DockerEngine.open(docker_config(settings)),
        "gvisor": lambda: GvisorEngine.open(gvisor_config(settings, metrics)),
    }
    async with openers[settings.engine]() as engine:
        _check_network(settings, engine.capabilities)
        yield engine


def _check_network(settings: Settings, capabilities: Capabilities) -> None:
    """Whether there is the network the operator asks for. Raises HostError."""
    asked = {
        "HOLDFAST_ALLOW_NETWORK": settings.allow_network,
        "HOLDFAST_PREBUILD_NETWORK": settings.prebuild_network == "on",
    }
    for setting, asks in asked.items():
        if asks and Network.FULL not in capabilities.networks:
            raise HostError(_NO_NETWORK.format(engine=settings.engine, setting=setting))


@asynccontextmanager
async def _open_local(config: LocalConfig, settings: Settings) -> AsyncIterator[LocalEngine]:
    async with AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(LocalEngine.open(config))
        except HostError:
            if settings.allow_network or settings.prebuild_network != "auto" or not config.allow_network:
                raise
            # Nobody has asked for a network, so a host that cannot give one is none to refuse.
            engine = await stack.enter_async_context(LocalEngine.open(replace(config, allow_network=False)))
        yield engine


@asynccontextmanager
async def pooled(
    engine: Engine, settings: Settings, runtimes: Mapping[str, str | None], metrics: Metrics
) -> AsyncIterator[Engine]:
    """The engine, with sandboxes kept ready for the languages this host has."""
    if settings.pool_size == 0:
        yield engine
        return
    limits = with_unasked_disk(bounds(settings).defaults)
    # Of 24 that is 12, 2 and 2. The rest of the room is for what is asked for most at the time.
    kinds = [("python", "", 1 / 2), ("python", DATA_PROFILE, 1 / 12), ("node", "node", 1 / 12)]
    stocking = Stocking(
        standing={
            SandboxSpec(language, limits, profile=profile): max(1, int(settings.pool_size * part))
            for language, profile, part in kinds
            if runtimes.get(language)
        },
        most=settings.pool_size,
        most_bytes=settings.pool_memory,
        on_request=lambda found: metrics.pool_taken.labels("yes" if found else "no").inc(),
    )
    async with PooledEngine.open(engine, stocking) as stocked:
        metrics.pool_stock.set_function(lambda: stocked.in_stock)
        yield stocked


async def probe(settings: Settings) -> Capabilities:
    """What this host can enforce, found by trying it. Never raises for what is missing."""
    probes: dict[str, Callable[[], Awaitable[Capabilities]]] = {
        "local": lambda: LocalEngine.probe(local_config(settings, Metrics())),
        "docker": lambda: docker.DockerEngine.probe(docker_config(settings)),
        "gvisor": lambda: GvisorEngine.probe(gvisor_config(settings, Metrics())),
    }
    return await probes[settings.engine]()


async def probe_engines(settings: Settings) -> Mapping[str, Capabilities]:
    """The same for every engine there is, by its name: Docker has one for each runtime that is known of."""
    runtimes = dict.fromkeys(("", "runsc", settings.docker_runtime))
    on_docker = [settings.model_copy(update={"engine": "docker", "docker_runtime": runtime}) for runtime in runtimes]
    others = [settings.model_copy(update={"engine": engine}) for engine in ("local", "gvisor")]
    return {engine_name(each): await probe(each) for each in (others[0], *on_docker, others[1])}


def engine_name(settings: Settings) -> str:
    """What the engine of the settings is called."""
    return docker_config(settings).name if settings.engine == "docker" else settings.engine


def local_config(settings: Settings, metrics: Metrics) -> LocalConfig:
    """What the settings mean to the local engine."""
    return LocalConfig(
        state_dir=settings.state_dir,
        guest_env=settings.guest_environment,
        floor=frozenset(settings.isolation_floor),
        accept_rlimits=settings.accept_rlimits,
        compiled=settings.compiled_cells,
        allow_network=settings.allow_network or builds_have_network(settings),
        network_allow=settings.network_allow,
        network_resolvers=settings.network_resolvers,
        cgroup_parent=settings.cgroup_parent,
        profiles=_profiles(settings),
        on_demand=frozenset({SESSION_PROFILE, SQL_PROFILE}),
        # The rest of its memory is the query's.
        read_ahead={SQL_PROFILE: min(settings.data_ahead, settings.data_memory // 4)},
        toolchains=settings.toolchains,
        layers=open_prebuilds(settings).layers,
        on_event=metrics.engine_event,
    )


def docker_config(settings: Settings) -> DockerConfig:
    """What the settings mean to the Docker engine."""
    return DockerConfig(
        socket=settings.docker_socket,
        state_dir=settings.state_dir,
        layers=open_prebuilds(settings).layers,
        images=settings.docker_images,
        runtime=settings.docker_runtime,
        network=settings.docker_network if settings.allow_network or settings.prebuild_network == "on" else "",
        profiles=_profiles(settings),
        floor=frozenset(settings.isolation_floor),
    )


def gvisor_config(settings: Settings, metrics: Metrics) -> GvisorConfig:
    """What the settings mean to the gVisor engine."""
    return GvisorConfig(
        state_dir=settings.state_dir,
        guest_env=settings.guest_environment,
        toolchains=settings.toolchains,
        layers=open_prebuilds(settings).layers,
        floor=frozenset(settings.isolation_floor),
        accept_rlimits=settings.accept_rlimits,
        cgroup_parent=settings.cgroup_parent,
        profiles=_profiles(settings),
        on_event=metrics.engine_event,
    )


def _profiles(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What launchers load in advance; one for a module that is not there would never come up."""
    if not settings.pool_size:
        return {}
    chosen = {DATA_PROFILE: settings.warm_modules} if settings.warm_modules else {}
    if set(SQL_MODULES) <= set(settings.warm_modules):
        chosen[SQL_PROFILE] = SQL_MODULES
    has_shell = any(settings.guest_environment.glob("lib/python*/site-packages/IPython"))
    return chosen | ({SESSION_PROFILE: SESSION_MODULES} if has_shell and settings.max_sessions else {})
