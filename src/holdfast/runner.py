"""`holdfast runner task`, or `python -m holdfast.runner`: a process that does tasks and tells of them by callbacks."""

import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import anyio
import structlog

from holdfast.app import open_app, signer
from holdfast.errors import ConfigurationError, HoldfastError, InvalidFieldError
from holdfast.settings import Settings, load_settings
from holdfast.settings.runner import RunnerSettings, load_runner, of_environment
from holdfast.tasks import TaskHandler
from holdfast.tasks.callbacks import CallbackRules
from holdfast.tasks.delivery import Backoff
from holdfast.tasks.runner import RunnerConfig, Standby, report, run_active
from holdfast.telemetry import configure_logging
from holdfast.types import AssignedTask, TaskFailure

Opening = Callable[[Settings], AbstractAsyncContextManager[Mapping[str, TaskHandler]]]


@asynccontextmanager
async def opened_handlers(settings: Settings) -> AsyncIterator[Mapping[str, TaskHandler]]:
    """What does tasks here, for the length of the block. Raises HostError, ConfigurationError."""
    async with open_app(settings) as app:
        yield app.tasks.handlers


def main(opening: Opening = opened_handlers) -> int:
    """Run until there is nothing to do; the exit code."""
    try:
        settings, runner = load_settings({"pool_size": 0}), load_runner()
    except ConfigurationError as error:
        print(f"holdfast: {error.detail}", file=sys.stderr)
        anyio.run(_tell_unread, error)
        return 1
    configure_logging(settings.log_level, "json")
    return anyio.run(run, settings, runner, opening)


async def run(settings: Settings, runner: RunnerSettings, opening: Opening) -> int:
    """Do what the environment says, until SIGTERM."""
    code = 1
    told = anyio.Event()
    with structlog.contextvars.bound_contextvars(
        service="runner", mode=runner.mode, task_id=runner.task_id, request_id=runner.request_id
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(_until_told, group.cancel_scope, told)
            work = _standby if runner.mode == "standby" else _active
            try:
                code = await work(settings, runner, opening)
            except HoldfastError as error:
                structlog.get_logger().error("the runner cannot work", reason=error.detail)
            group.cancel_scope.cancel()
    return 0 if runner.mode == "standby" and told.is_set() else code


async def _tell_unread(error: ConfigurationError) -> None:
    """Tell the callback of settings that cannot be read; without a signature, for its secret is one of them."""
    url = of_environment("CALLBACK_URL")
    with suppress(ConfigurationError):
        if url:
            _check_callback(url)
            failure = TaskFailure(code=error.code, message=error.detail)
            await report(None, of_environment("TASK_ID") or "unknown", url, failure, Backoff())


async def _until_told(scope: anyio.CancelScope, told: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            told.set()
            scope.cancel()
            return


async def _standby(settings: Settings, runner: RunnerSettings, opening: Opening) -> int:
    """Raises HoldfastError."""
    if runner.register_url is None:
        raise ConfigurationError("REGISTER_URL is missing: where a standby runner registers, .../runners/register.")
    if not runner.register_url.startswith(("http://", "https://")):
        raise ConfigurationError("REGISTER_URL: it must be an http or https URL, .../runners/register.")
    async with opening(settings) as handlers:
        await Standby(_config(settings, runner, handlers), runner.register_url).run()
    return 0


async def _active(settings: Settings, runner: RunnerSettings, opening: Opening) -> int:
    """Raises HoldfastError, of which the callback was told if there is one."""
    if runner.callback_url is None:
        raise ConfigurationError("CALLBACK_URL is missing: where the events of the task are sent.")
    _check_callback(runner.callback_url)
    try:
        task = _task(runner)
        async with opening(settings) as handlers:
            succeeded = await run_active(_config(settings, runner, handlers), task, runner.callback_url)
    except HoldfastError as error:
        failure = TaskFailure(code=error.code, message=error.detail)
        signing = signer(settings) if settings.callback_secret else None
        await report(
            signing, runner.task_id or "unknown", runner.callback_url, failure, Backoff(settings.callback_backoff)
        )
        raise
    return 0 if succeeded else 1


def _check_callback(url: str) -> None:
    """Refuse at once what nothing could ever be told to. Raises ConfigurationError."""
    try:
        CallbackRules(private=True).check(url)
    except InvalidFieldError as error:
        raise ConfigurationError(error.detail.replace("callback_url", "CALLBACK_URL", 1)) from None


def _task(runner: RunnerSettings) -> AssignedTask:
    """Raises ConfigurationError."""
    if runner.task_id is None:
        raise ConfigurationError("TASK_ID is missing: what the task is called.")
    text = sys.stdin.read() if runner.task_config is None else runner.task_config
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"The task (TASK_CONFIG, or stdin) is not JSON: {error}.") from None
    if not isinstance(config, dict):
        raise ConfigurationError("The task (TASK_CONFIG, or stdin) is not a JSON object.")
    kind = "workflow" if config.get("type") == "workflow" else "agent"
    return AssignedTask(id=runner.task_id, type=kind, config=config, request_id=runner.request_id)


def _config(settings: Settings, runner: RunnerSettings, handlers: Mapping[str, TaskHandler]) -> RunnerConfig:
    return RunnerConfig(
        handlers=handlers,
        timeout_seconds=settings.task_timeout,
        log_bytes=settings.task_logs,
        backoff=Backoff(settings.callback_backoff),
        signer=signer(settings) if settings.callback_secret else None,
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        pod_name=runner.pod_name,
        pod_ip=runner.pod_ip,
    )


if __name__ == "__main__":
    sys.exit(main())
