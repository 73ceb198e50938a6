"""What may be asked of this server, and what a task that was taken waits for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from holdfast.errors import OverCeilingError, UnsupportedError
from holdfast.tasks.callbacks import CallbackRules, Signer
from holdfast.tasks.handling import TaskHandler
from holdfast.types import AgentTask, WorkflowTask


@dataclass(frozen=True, slots=True)
class Checks:
    """Who does tasks of which type, the ceilings, and where callbacks may go."""

    handlers: Mapping[str, TaskHandler]
    max_timeout_seconds: float
    callbacks: CallbackRules
    signer: Signer | None
    waiting_for: Callable[[str, int], str]
    """What a queued task of a type waits for, with so many before it."""

    def check(self, request: AgentTask | WorkflowTask) -> None:
        """Raises RequestError."""
        check_handled(self.handlers, request)
        if request.timeout is not None and request.timeout > self.max_timeout_seconds:
            raise OverCeilingError(
                f"timeout: a task may take {self.max_timeout_seconds:g} seconds at most.", field="timeout"
            )
        if request.callback_url is not None:
            self.callbacks.check(request.callback_url)


def check_handled(handlers: Mapping[str, TaskHandler], request: AgentTask | WorkflowTask) -> None:
    """Refuse what nobody does here, or not like this. Raises RequestError."""
    handler = handlers.get(request.type)
    if handler is None:
        known = " and ".join(f"'{name}'" for name in handlers)
        there = f"it does those of type {known}" if known else "it does none yet"
        raise UnsupportedError(f"type: this server does no tasks of type '{request.type}'; {there}.", field="type")
    handler.check(request)
