"""What does tasks, and what the settings mean to them."""

import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from holdfast.errors import full_disk_is_ours
from holdfast.execution import Executor
from holdfast.settings import Settings
from holdfast.tasks import TaskHandler
from holdfast.tasks.callbacks import CallbackRules, Signer
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.queue import Bounds
from holdfast.tasks.service import TaskConfig


def task_handlers(settings: Settings, executor: Executor) -> Mapping[str, TaskHandler]:
    """Who does the tasks of each type; a type without one is refused."""
    del settings, executor
    return {}


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
