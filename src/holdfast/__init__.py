"""Holdfast runs code that nobody trusts: fast, contained, accounted for.

What this package offers is loaded when it is asked for: `import holdfast` costs nothing, and the client neither brings
the server along nor needs what only a server needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "holdfast.client": ("AsyncClient", "Client"),
    "holdfast.inprocess": ("Holdfast",),
    "holdfast.types": (
        *("CodeExecutionRequest", "CodeExecutionResponse", "HealthResponse", "RuntimeInfo", "RuntimesResponse"),
        *("Artifact", "Checker", "Event", "File", "GradeRequest", "GradeResult", "Health", "RunRequest", "RunResult"),
        *("GradeEvent", "Runtime", "Runtimes", "Status", "TestCase", "Verdict"),
        *("Display", "Session", "SessionEvent", "SessionFiles", "SessionRequest", "SessionRunRequest"),
        *("SessionRunResult", "Sessions", "Prebuild", "PrebuildEvent", "PrebuildRequest", "PrebuildSpec", "Prebuilds"),
    ),
    "holdfast.errors": (
        *(
            "BuildFailedError",
            "CodeRunnerError",
            "DockerError",
            "InvalidLanguageError",
            "HoldfastError",
            "EngineError",
            "ExecutionError",
        ),
        *("TaskTakenError", "ThreadBusyError", "WorkspaceError"),
        *("ForbiddenError", "InternalError", "InvalidFieldError", "InvalidFileNameError", "MalformedRequestError"),
        *(
            "NotFoundError",
            "NotJsonError",
            "OutcomeError",
            "IngestFailedError",
            "OverCeilingError",
            "QueueFullError",
            "QuotaError",
            "RateLimitedError",
            "RequestError",
        ),
        *(
            "ResourceExhaustedError",
            "RuntimeNotAvailableError",
            "SessionBusyError",
            "SessionLostError",
            "ShuttingDownError",
            "StartupError",
        ),
        *("StorageFullError", "TimeoutError", "TooLargeError", "UnauthenticatedError", "UnknownLanguageError"),
        "StoreUnavailableError",
        *("UnreachableError", "UnsupportedError"),
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)

if TYPE_CHECKING:
    from holdfast.client import AsyncClient as AsyncClient
    from holdfast.client import Client as Client
    from holdfast.errors import *  # noqa: F403
    from holdfast.inprocess import Holdfast as Holdfast
    from holdfast.types import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'holdfast' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
