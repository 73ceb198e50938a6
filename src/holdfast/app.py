"""Where the parts are put together. This is the only module that names concrete classes."""

import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from holdfast.data.datasets import Allowance as DatasetAllowance
from holdfast.data.datasets import DatasetLibrary
from holdfast.data.policy import SqlPolicy
from holdfast.data.registry import DemoCatalogue, FolderCatalogue
from holdfast.data.runs import DataRuns
from holdfast.data.store import DatasetStore
from holdfast.data.understanding import DataBounds, Understanding
from holdfast.engines import Engine, SandboxSpec
from holdfast.engines.docker import DockerConfig, DockerEngine
from holdfast.engines.gvisor import GvisorConfig, GvisorEngine
from holdfast.engines.local import LocalConfig, LocalEngine
from holdfast.engines.local.network import can_give_network
from holdfast.engines.local.unpacking import unpack
from holdfast.engines.pooled import PooledEngine, Stocking
from holdfast.errors import ConfigurationError, HostError, full_disk_is_ours
from holdfast.execution import Admission, Bounds, Executor, ProgramStore
from holdfast.execution.requests import with_unasked_disk
from holdfast.grading import Grader
from holdfast.keys import KeyStore
from holdfast.languages import DATA_PROFILE, LANGUAGES, SESSION_MODULES, SESSION_PROFILE
from holdfast.prebuilds import Allowance, Prebuilder, PrebuildStore
from holdfast.prebuilds.recipe import index_environment
from holdfast.sessions import Ceilings, SessionManager, SessionStore
from holdfast.settings import DEFAULT_FLOOR, Settings
from holdfast.settings.kinds import is_loopback as is_loopback
from holdfast.store import Retention, Store
from holdfast.telemetry import Metrics
from holdfast.types import Capabilities, Limits, Network

SHARES_CEILING = 262_144


@dataclass(frozen=True, slots=True)
class App:
    """A running Holdfast: what the HTTP surface and the command line work with."""

    settings: Settings
    executor: Executor
    grader: Grader
    keys: KeyStore
    metrics: Metrics
    store: Store
    prebuilds: Prebuilder
    sessions: SessionManager
    datasets: DatasetLibrary
    data: DataRuns

    @property
    def degraded(self) -> bool:
        """Whether it runs below the usual floor, cannot make sandboxes just now, or is shutting down."""
        executor = self.executor
        floor = executor.engine.capabilities.layers >= DEFAULT_FLOOR
        return not (floor and executor.healthy) or executor.admission.draining


def assemble(settings: Settings, engine: Engine, runtimes: Mapping[str, str | None], metrics: Metrics) -> App:
    """An `App` around an engine that is already open."""
    admission = Admission(places=settings.concurrency, queue=settings.queue)
    store = store_of(settings, metrics)
    executor = Executor(engine, bounds(settings), admission, metrics, runtimes, open_programs(settings))
    executor.on_end = store.keep
    prebuilds = Prebuilder(executor, open_prebuilds(settings), allowance(settings, engine.capabilities), unpack)
    datasets = open_datasets(settings, executor)
    return App(
        settings=settings,
        executor=executor,
        grader=Grader(executor),
        keys=open_keys(settings),
        metrics=metrics,
        store=store,
        prebuilds=prebuilds,
        sessions=SessionManager(executor, prebuilds, session_store(settings), session_ceilings(settings)),
        datasets=datasets,
        data=DataRuns(executor, store, datasets, Understanding(executor, SqlPolicy(engine), data_bounds(settings))),
    )


OpenEngine = LocalEngine | DockerEngine | GvisorEngine
"""An engine that can also be asked for its languages."""


@asynccontextmanager
async def open_engine(settings: Settings, metrics: Metrics) -> AsyncIterator[OpenEngine]:
    """The engine of the settings, without stock. Raises HostError when this host is below the floor."""
    openers: dict[str, Callable[[], AbstractAsyncContextManager[OpenEngine]]] = {
        "local": lambda: _open_local(settings, metrics),
        "docker": lambda: DockerEngine.open(docker_config(settings)),
        "gvisor": lambda: GvisorEngine.open(gvisor_config(settings, metrics)),
    }
    async with openers[settings.engine]() as engine:
        yield engine


@asynccontextmanager
async def _open_local(settings: Settings, metrics: Metrics) -> AsyncIterator[LocalEngine]:
    config = local_config(settings, metrics)
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
async def open_app(settings: Settings, languages: Collection[str] = LANGUAGES) -> AsyncIterator[App]:
    """Everything, for this process alone; nothing listens. Raises HostError, ConfigurationError.

    With `pool_size` above 0, sandboxes are kept in stock. Of other languages than these nothing is known. There are no
    sessions, and the store is not open: those belong to the one server.
    """
    metrics = Metrics()
    async with open_engine(settings, metrics) as engine:
        runtimes = await engine.runtimes(languages)
        async with pooled(engine, settings, runtimes, metrics) as stocked:
            yield assemble(settings, stocked, runtimes, metrics)


@asynccontextmanager
async def pooled(
    engine: Engine, settings: Settings, runtimes: Mapping[str, str | None], metrics: Metrics
) -> AsyncIterator[Engine]:
    """The engine, with sandboxes kept ready for the languages this host has."""
    if settings.pool_size == 0:
        yield engine
        return
    limits = with_unasked_disk(bounds(settings).defaults)
    # The rest of the room is for what is asked for most at the time.
    kinds = [("python", "", 3), ("python", DATA_PROFILE, 6), ("node", "node", 12)]
    stocking = Stocking(
        standing={
            SandboxSpec(language, limits, profile=profile): max(1, settings.pool_size // part)
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


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[App]:
    """Everything, for a server: one per state directory, and not without a key beyond loopback.

    Raises HostError, ConfigurationError, StorageFullError.
    """
    refuse_an_open_door(settings, open_keys(settings))
    with _only_server(settings.state_dir), ThreadPoolExecutor(1) as beside:
        # The SQL of the store takes as long to load as an engine to start: at the same time.
        beside.submit(import_module, "holdfast.store.database")
        open_programs(settings).clear_unfinished()
        async with (
            open_app(settings) as app,
            app.store.open(),
            app.prebuilds.open(),
            app.sessions.open(),
            app.datasets.open(),
            app.data.open(),
        ):
            yield app


def store_of(settings: Settings, metrics: Metrics) -> Store:
    """The rows of the state directory, not opened yet."""
    retention = Retention(
        settings.retention_days, settings.retention_runs, settings.cleanup_interval_hours, settings.capsule_store
    )
    return Store(settings.store_place, retention, metrics.rows_dropped.inc)


def open_programs(settings: Settings) -> ProgramStore:
    """The compiled programs of the state directory."""
    return ProgramStore(settings.state_dir / "programs", settings.compile_cache)


def open_prebuilds(settings: Settings) -> PrebuildStore:
    """The prebuilt environments of the state directory."""
    return PrebuildStore(settings.state_dir / "prebuilds")


def builds_have_network(settings: Settings) -> bool:
    """Whether builds of prebuilt environments may reach the outside."""
    if settings.prebuild_network == "auto":
        return is_loopback(settings.host) and not open_keys(settings).all() and can_give_network()
    return settings.prebuild_network == "on"


def allowance(settings: Settings, capabilities: Capabilities) -> Allowance:
    """What builds get, and how much of what they make is kept. Raises ConfigurationError."""
    limits = bounds(settings).compiling.model_copy(
        update={
            "wall_seconds": settings.prebuild_timeout,
            "memory_bytes": settings.prebuild_memory,
            "disk_bytes": settings.prebuild_memory * 3 // 4,
        }
    )
    index = index_environment(settings.prebuild_index_url, settings.prebuild_npm_registry)
    try:
        certificates = None if settings.prebuild_ca is None else settings.prebuild_ca.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"HOLDFAST_PREBUILD_CA cannot be read: {error.strerror}.") from None
    days = settings.cleanup_max_age_days
    return Allowance(
        limits=limits,
        layer_bytes=settings.prebuild_size,
        total_bytes=settings.prebuild_total,
        most=settings.prebuild_count,
        max_age=timedelta(days=days) if days else None,
        interval=timedelta(hours=settings.cleanup_interval_hours),
        networked=index if builds_have_network(settings) and Network.FULL in capabilities.networks else None,
        certificates=certificates,
    )


def data_bounds(settings: Settings) -> DataBounds:
    """The defaults and ceilings of data runs."""
    return DataBounds(
        seconds=settings.data_timeout,
        max_seconds=settings.max_data_timeout,
        memory_bytes=settings.data_memory,
        cpus=settings.data_cpus,
        rows=settings.data_rows,
        max_rows=settings.max_data_rows,
        output_bytes=settings.data_output,
        max_output_bytes=settings.max_data_output,
        python=settings.enable_python_execution,
    )


def open_datasets(settings: Settings, executor: Executor) -> DatasetLibrary:
    """The datasets of the state directory."""
    folder = settings.datasets_dir
    limits = bounds(settings).compiling.model_copy(
        update={
            "wall_seconds": settings.dataset_timeout,
            "memory_bytes": settings.dataset_memory,
            "disk_bytes": settings.dataset_memory // 2,
        }
    )
    allowance = DatasetAllowance(
        limits=limits,
        upload_bytes=settings.dataset_upload,
        total_bytes=settings.dataset_total,
        most=settings.dataset_count,
    )
    catalogue = FolderCatalogue(folder) if folder else DemoCatalogue()
    return DatasetLibrary(executor, dataset_store(settings), allowance, catalogue)


def dataset_store(settings: Settings) -> DatasetStore:
    """Where datasets are kept."""
    return DatasetStore(settings.state_dir)


def session_store(settings: Settings) -> SessionStore:
    """Where sessions are remembered."""
    return SessionStore(settings.state_dir / "sessions", settings.session_store)


def session_ceilings(settings: Settings) -> Ceilings:
    """How long sessions may live, and how many there may be."""
    return Ceilings(
        idle_seconds=settings.session_idle,
        max_idle_seconds=settings.max_session_idle,
        lifetime_seconds=settings.session_lifetime,
        max_lifetime_seconds=settings.max_session_lifetime,
        sessions=settings.max_sessions,
        sessions_per_key=settings.max_sessions_per_key,
        files_bytes=settings.session_files,
    )


def open_keys(settings: Settings) -> KeyStore:
    """The keys of the state directory and of the settings."""
    fixed = [*settings.api_keys, *([settings.auth_token] if settings.auth_token else [])]
    return KeyStore(settings.state_dir / "keys.json", [secret.get_secret_value() for secret in fixed])


async def probe(settings: Settings) -> Capabilities:
    """What this host can enforce, found by trying it. Never raises for what is missing."""
    return await _probes(settings)[settings.engine]()


async def probe_engines(settings: Settings) -> Mapping[str, Capabilities]:
    """The same for every engine there is, by the name of its setting."""
    on_gvisor = settings.model_copy(update={"docker_runtime": "runsc"})
    probes = _probes(settings) | {"docker+runsc": _probes(on_gvisor)["docker"]}
    return {name: await find() for name, find in probes.items()}


def _probes(settings: Settings) -> dict[str, Callable[[], Awaitable[Capabilities]]]:
    return {
        "local": lambda: LocalEngine.probe(local_config(settings, Metrics())),
        "docker": lambda: DockerEngine.probe(docker_config(settings)),
        "gvisor": lambda: GvisorEngine.probe(gvisor_config(settings, Metrics())),
    }


def bounds(settings: Settings) -> Bounds:
    """The defaults and ceilings of runs."""
    cores = settings.max_cpu_cores
    defaults = Limits(
        wall_seconds=settings.default_timeout,
        memory_bytes=settings.default_memory,
        disk_bytes=settings.default_disk,
        output_bytes=settings.output_bytes,
        processes=settings.default_processes,
        open_files=settings.default_open_files,
        cpu_shares=settings.default_cpu_shares,
        # A run that does not ask may not get more processors than one that does.
        cpus=cores if (os.cpu_count() or 1) > cores else None,
    )
    ceilings = Limits(
        wall_seconds=settings.max_timeout,
        memory_bytes=settings.max_memory_mb << 20,
        disk_bytes=settings.max_disk_mb << 20,
        output_bytes=settings.max_output_bytes,
        processes=settings.max_processes,
        open_files=settings.max_open_files,
        cpu_shares=SHARES_CEILING,
        cpu_seconds=settings.max_timeout * cores,
        cpus=cores,
    )
    compiling = ceilings.model_copy(
        update={
            "wall_seconds": settings.compile_timeout,
            "memory_bytes": settings.compile_memory,
            "disk_bytes": settings.compile_memory * 3 // 4,
            "output_bytes": settings.output_bytes,
            "cpu_shares": settings.default_cpu_shares,
            "cpu_seconds": None,
            "cpus": defaults.cpus,
        }
    )
    return Bounds(
        defaults=defaults,
        ceilings=ceilings,
        loaded=settings.warm_modules,
        compiling=compiling,
        network=settings.allow_network,
    )


def refuse_an_open_door(settings: Settings, keys: KeyStore) -> None:
    """Raises ConfigurationError when anybody on the network could run programs without a key."""
    if is_loopback(settings.host) or keys.all():
        return
    raise ConfigurationError(
        f"Refusing to listen on {settings.host} without an API key; make one with: holdfast keys add NAME"
    )


def no_server(settings: Settings) -> bool:
    """Whether no server uses the state directory."""
    try:
        with _only_server(settings.state_dir):
            return True
    except ConfigurationError:
        return False


@contextmanager
def _only_server(state_dir: Path) -> Iterator[None]:
    try:
        with full_disk_is_ours():
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (state_dir / "server.lock").open("a+")
    except PermissionError:
        raise ConfigurationError(
            f"The state directory {state_dir} cannot be written; choose another with HOLDFAST_STATE_DIR."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another Holdfast server already uses {state_dir}; stop it or choose another HOLDFAST_STATE_DIR."
            ) from None
        yield


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
        on_demand=frozenset({SESSION_PROFILE}),
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
    has_shell = any(settings.guest_environment.glob("lib/python*/site-packages/IPython"))
    return chosen | ({SESSION_PROFILE: SESSION_MODULES} if has_shell and settings.max_sessions else {})
