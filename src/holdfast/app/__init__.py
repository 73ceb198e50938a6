"""Where the parts are put together. This is the only module that names concrete classes."""

import fcntl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from holdfast.agents.conversations import Conversations
from holdfast.agents.model import load_library
from holdfast.app.chat import conversations as conversations
from holdfast.app.chat import model_choice
from holdfast.app.engines import OpenEngine as OpenEngine
from holdfast.app.engines import docker_config as docker_config
from holdfast.app.engines import engine_name as engine_name
from holdfast.app.engines import gvisor_config as gvisor_config
from holdfast.app.engines import local_config as local_config
from holdfast.app.engines import open_engine as open_engine
from holdfast.app.engines import pooled as pooled
from holdfast.app.engines import probe as probe
from holdfast.app.engines import probe_engines as probe_engines
from holdfast.app.limits import SHARES_CEILING as SHARES_CEILING
from holdfast.app.limits import bounds as bounds
from holdfast.app.limits import data_bounds as data_bounds
from holdfast.app.limits import session_ceilings as session_ceilings
from holdfast.app.places import builds_have_network as builds_have_network
from holdfast.app.places import dataset_age as dataset_age
from holdfast.app.places import dataset_store as dataset_store
from holdfast.app.places import open_keys as open_keys
from holdfast.app.places import open_prebuilds as open_prebuilds
from holdfast.app.places import open_programs as open_programs
from holdfast.app.places import session_store as session_store
from holdfast.app.tasks import signer as signer
from holdfast.app.tasks import task_config as task_config
from holdfast.app.tasks import task_handlers as task_handlers
from holdfast.data.datasets import Allowance as DatasetAllowance
from holdfast.data.datasets import DatasetLibrary
from holdfast.data.policy import SqlPolicy
from holdfast.data.registry import DemoCatalogue, FolderCatalogue
from holdfast.data.runs import DataRuns
from holdfast.data.understanding import Understanding
from holdfast.engines import Engine
from holdfast.engines.local.unpacking import unpack
from holdfast.errors import ConfigurationError, full_disk_is_ours
from holdfast.execution import Admission, Executor
from holdfast.grading import Grader
from holdfast.keys import KeyStore
from holdfast.languages import LANGUAGES
from holdfast.prebuilds import Allowance, Prebuilder
from holdfast.prebuilds.recipe import index_environment
from holdfast.sessions import SessionManager
from holdfast.settings import DEFAULT_FLOOR, Settings
from holdfast.settings.kinds import is_loopback as is_loopback
from holdfast.store import Retention, Store
from holdfast.tasks import TaskHandler
from holdfast.tasks.service import TaskService
from holdfast.telemetry import Metrics
from holdfast.types import Capabilities, Network

HandlersOf = Callable[[Settings, Executor, DataRuns], Mapping[str, TaskHandler]]
"""Makes what does tasks."""


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
    tasks: TaskService
    chat: Conversations

    @property
    def degraded(self) -> bool:
        """Whether it runs below the usual floor, cannot make sandboxes just now, or is shutting down."""
        executor = self.executor
        floor = executor.engine.capabilities.layers >= DEFAULT_FLOOR
        return not (floor and executor.healthy) or executor.admission.draining


def assemble(
    settings: Settings,
    engine: Engine,
    runtimes: Mapping[str, str | None],
    metrics: Metrics,
    handlers: HandlersOf = task_handlers,
) -> App:
    """An `App` around an engine that is already open."""
    admission = Admission(places=settings.concurrency, queue=settings.queue)
    store = store_of(settings, metrics)
    executor = Executor(engine, bounds(settings), admission, metrics, runtimes, open_programs(settings))
    executor.on_end = store.keep
    prebuilds = Prebuilder(executor, open_prebuilds(settings), allowance(settings, engine.capabilities), unpack)
    datasets = open_datasets(settings, executor)
    data = DataRuns(executor, store, datasets, Understanding(executor, SqlPolicy(engine), data_bounds(settings)))
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
        data=data,
        tasks=TaskService(store, handlers(settings, executor, data), task_config(settings), metrics),
        chat=conversations(settings, executor, data, datasets, store),
    )


@asynccontextmanager
async def open_app(settings: Settings, languages: Collection[str] = LANGUAGES) -> AsyncIterator[App]:
    """Everything, for this process alone; nothing listens. Raises HostError, ConfigurationError.

    With `pool_size` above 0, sandboxes are kept in stock. Of other languages than these nothing is known. There are no
    sessions, and the store is not open: those belong to the one server.
    """
    metrics = Metrics()
    _make(settings.state_dir)
    async with open_engine(settings, metrics) as engine:
        runtimes = await engine.runtimes(languages)
        async with pooled(engine, settings, runtimes, metrics) as stocked:
            yield assemble(settings, stocked, runtimes, metrics)


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[App]:
    """Everything, for a server: one per state directory, and not without a key beyond loopback.

    Raises HostError, ConfigurationError, StorageFullError.
    """
    refuse_an_open_door(settings, open_keys(settings))
    with _only_server(settings.state_dir), ThreadPoolExecutor(1) as beside:
        # The SQL of the store takes as long to load as an engine to start: at the same time.
        loading: list[Future[Any]] = [beside.submit(import_module, "holdfast.store.database")]
        choice = model_choice(settings)
        if choice is not None:
            # With the first question it would make everybody wait.
            loading.append(beside.submit(load_library, choice))
        open_programs(settings).clear_unfinished()
        async with (
            open_app(settings) as app,
            app.store.open(),
            app.prebuilds.open(),
            app.sessions.open(),
            app.datasets.open(),
            app.data.open(),
            app.tasks.open(),
            app.chat.open(),
        ):
            # Whoever answers freezes what is there: what came later, every collection would walk through.
            await run_sync(wait, loading)
            yield app


def store_of(settings: Settings, metrics: Metrics) -> Store:
    """The rows of the state directory, not opened yet."""
    retention = Retention(
        settings.retention_days, settings.retention_runs, settings.cleanup_interval_hours, settings.capsule_store
    )
    return Store(settings.store_place, retention, metrics.rows_dropped.inc)


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
        max_age=dataset_age(settings),
    )
    catalogue = FolderCatalogue(folder) if folder else DemoCatalogue()
    return DatasetLibrary(executor, dataset_store(settings), allowance, catalogue)


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
def _naming(state_dir: Path) -> Iterator[None]:
    try:
        with full_disk_is_ours():
            yield
    except OSError:
        raise ConfigurationError(
            f"The state directory {state_dir} cannot be written; choose another with HOLDFAST_STATE_DIR."
        ) from None


def _make(state_dir: Path) -> None:
    with _naming(state_dir):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def _only_server(state_dir: Path) -> Iterator[None]:
    _make(state_dir)
    with _naming(state_dir):
        lock = (state_dir / "server.lock").open("a+")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another Holdfast server already uses {state_dir}; stop it or choose another HOLDFAST_STATE_DIR."
            ) from None
        yield
