"""What does tasks, and what the settings mean to them."""

import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from holdfast.agents.workflow.contexts import WorkflowBounds
from holdfast.agents.workflow.handler import WorkflowHandler
from holdfast.agents.workflow.stores import DirectoryCache
from holdfast.agents.workplace import LIMITS
from holdfast.app.agents import agent_handler
from holdfast.data.runs import DataRuns
from holdfast.errors import full_disk_is_ours
from holdfast.execution import Executor
from holdfast.settings import Settings
from holdfast.store import Store
from holdfast.tasks import TaskHandler
from holdfast.tasks.callbacks import CallbackRules, Signer
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.files import TaskFiles
from holdfast.tasks.keeping import prune
from holdfast.tasks.queue import Bounds
from holdfast.tasks.service import TaskConfig


def task_handlers(settings: Settings, executor: Executor, data: DataRuns) -> Mapping[str, TaskHandler]:
    """Who does the tasks of each type; a type without one is refused."""
    return {"workflow": workflow_handler(settings, executor), "agent": agent_handler(settings, executor, data)}


def workflow_handler(settings: Settings, executor: Executor) -> WorkflowHandler:
    """Does workflows; what its steps cache stays in the state directory."""
    memory = settings.task_memory
    limits = LIMITS.model_copy(update={"memory_bytes": memory, "disk_bytes": memory // 2})
    bounds = WorkflowBounds(
        step_seconds=settings.step_timeout,
        job_seconds=settings.max_task_timeout,
        jobs_at_a_time=settings.workflow_jobs,
        limits=limits,
    )
    cache = DirectoryCache(settings.state_dir / "step-cache", settings.step_cache)
    return WorkflowHandler(executor, bounds, cache)


def task_config(settings: Settings) -> TaskConfig:
    """What the settings mean to tasks."""
    bounds = Bounds(
        queue=settings.task_queue,
        lease_seconds=settings.task_lease,
        timeout_seconds=settings.task_timeout,
        log_bytes=settings.task_logs,
        total_bytes=settings.task_store,
    )
    return TaskConfig(
        folder=settings.state_dir / "tasks",
        workers=settings.workers,
        bounds=bounds,
        max_timeout_seconds=settings.max_task_timeout,
        files_bytes=settings.task_files,
        rules=CallbackRules(private=settings.allow_private_callbacks),
        signer=signer(settings),
        backoff=Backoff(settings.callback_backoff),
    )


async def prune_tasks(settings: Settings, store: Store) -> int:
    """Remove tasks that are kept long enough, as a server does by itself; how many. Raises StoreUnavailableError."""
    config = task_config(settings)
    return await prune(store, TaskFiles(config.folder, config.files_bytes), config.bounds.total_bytes)


def signer(settings: Settings) -> Signer:
    """Signs callbacks with the secret of the settings, or with one that is made once and kept."""
    if settings.callback_secret is not None:
        return Signer(settings.callback_secret.get_secret_value().encode)
    return Signer(partial(_kept_secret, settings.state_dir / "callback.key"))


def _kept_secret(path: Path) -> bytes:
    with full_disk_is_ours():
        try:
            return path.read_bytes()
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = secrets.token_bytes(32)
        unfinished = path.with_suffix(".partial")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(made)
        unfinished.replace(path)
        return made
