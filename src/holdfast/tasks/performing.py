"""One attempt at a task, wherever it is made: within its time, and with every failure told in its words."""

import anyio
import structlog

from holdfast.errors import HoldfastError
from holdfast.tasks.events import NotOursError
from holdfast.tasks.handling import TaskFailedError, TaskHandler, TaskRun
from holdfast.types import LogEvent, TaskFailure

CRASHED = TaskFailure(
    code="internal", message="Something went wrong in what does tasks; the log of the server has the reason."
)


async def perform(handler: TaskHandler, run: TaskRun, timeout_seconds: float) -> TaskFailure | None:
    """Do it to its end; `None` is success. Raises NotOursError when the task was taken away meanwhile."""
    with anyio.move_on_after(timeout_seconds) as scope:
        try:
            await handler.run(run)
        except Exception as error:
            return _failure_of(run.id, error)
    if scope.cancelled_caught:
        return TaskFailure(code="timed_out", message=f"The task did not end within {timeout_seconds:g} seconds.")
    return None


def _failure_of(task_id: str, error: Exception) -> TaskFailure:
    """What a handler has raised, also out of task groups of its own. Raises NotOursError."""
    inner = _first_known(error)
    if isinstance(inner, NotOursError):
        raise inner
    if isinstance(inner, TaskFailedError):
        return TaskFailure(code=inner.code, message=inner.message)
    if isinstance(inner, HoldfastError):
        return TaskFailure(code=inner.code, message=inner.detail)
    structlog.get_logger().error("a task has crashed", task=task_id, exc_info=error)
    return CRASHED


def _first_known(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    known = [_first_known(each) for each in error.exceptions]
    found = [each for each in known if isinstance(each, NotOursError | TaskFailedError | HoldfastError)]
    return (found or known)[0]


class LogBound:
    """Counts what a task logs: beyond its bound one more line says so, and the rest is left out."""

    def __init__(self, most_bytes: int, used_bytes: int = 0) -> None:
        self._left = most_bytes - used_bytes
        self._most = most_bytes
        self._over = False

    def admit(self, event: LogEvent) -> LogEvent | None:
        """The line, or what is said in its place."""
        if self._over:
            return None
        self._left -= len(event.message) + 32
        if self._left >= 0:
            return event
        self._over = True
        return event.model_copy(
            update={
                "level": "warning",
                "message": f"The logs of a task may have {self._most:,} bytes; what follows is left out.",
            }
        )
