"""Everything that can go wrong on our side of the wall, as one tree.

A program that fails is a result (`types.Status`); only what is below is raised. The client rebuilds what a server
answered from its `code`; the errors below OutcomeError come in no answer, `RunResult.check()` makes them of a result::

    HoldfastError                      code                   HTTP  retry helps
    ├── RequestError                   invalid_request        400   no
    │   ├── BuildFailedError           build_failed           400   no
    │   ├── MalformedRequestError      malformed_request      400   no
    │   ├── InvalidFileNameError       invalid_file_name      400   no
    │   ├── UnauthenticatedError       unauthenticated        401   no
    │   ├── ForbiddenError             forbidden              403   no
    │   ├── NotFoundError              not_found              404   no
    │   │   └── UnknownLanguageError   unknown_language       404   no
    │   ├── SessionBusyError           session_busy           409   yes
    │   ├── TaskTakenError             task_taken             409   no
    │   ├── SessionLostError           session_lost           410   no
    │   ├── TooLargeError              too_large              413   no
    │   ├── NotJsonError               not_json               415   no
    │   ├── WorkspaceError             workspace              422   no
    │   └── InvalidFieldError          invalid_field          422   no
    │       ├── IngestFailedError      ingest_failed          422   no
    │       ├── OverCeilingError       over_ceiling           422   no
    │       └── UnsupportedError       unsupported            422   no
    ├── QueueFullError                 queue_full             429   yes
    ├── RateLimitedError               rate_limited           429   yes
    ├── QuotaError                     quota                  429   no
    ├── EngineError                    engine_error           503   yes
    │   └── RuntimeNotAvailableError   runtime_not_available  503   no
    ├── ShuttingDownError              shutting_down          503   yes
    ├── StoreUnavailableError          store_unavailable      503   yes
    ├── StorageFullError               storage_full           507   yes
    ├── InternalError                  internal               500   no
    ├── UnreachableError               unreachable            503   yes
    ├── StartupError                   startup_refused        500   no
    │   ├── ConfigurationError         configuration          500   no
    │   └── HostError                  host_unfit             500   no
    └── OutcomeError                   program_failed         200   no
        ├── ExecutionError             execution_failed       200   no
        ├── TimeoutError               timed_out              200   no
        └── ResourceExhaustedError     resource_exhausted     200   no

A test compares this drawing with the classes. The last lines of the module say what quartermaster's package calls them.
"""

import builtins
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class HoldfastError(Exception):
    """Base of every error Holdfast raises; `str(error)` is one sentence a user can act on."""

    code: ClassVar[str]
    http_status: ClassVar[int]
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.retry_after_seconds: int | None = None
        self.request_id: str | None = None


class RequestError(HoldfastError):
    """The caller asked for something that cannot be done as asked; nothing was executed."""

    code = "invalid_request"
    http_status = 400


class MalformedRequestError(RequestError):
    """The body is not what the route takes (not valid JSON, neither code nor entrypoint)."""

    code = "malformed_request"
    http_status = 400


class BuildFailedError(RequestError):
    """The script of a prebuilt environment failed, or made what cannot be kept; `log` is the end of its output."""

    code = "build_failed"
    http_status = 400

    def __init__(self, detail: str, *, log: str = "") -> None:
        super().__init__(detail)
        self.log = log


class InvalidFileNameError(RequestError):
    """A file name is absolute, climbs out of the workspace, or cannot be a name at all."""

    code = "invalid_file_name"
    http_status = 400


class UnauthenticatedError(RequestError):
    """No API key was sent although the server has keys."""

    code = "unauthenticated"
    http_status = 401


class ForbiddenError(RequestError):
    """The key is wrong, or its scope or origin does not allow this."""

    code = "forbidden"
    http_status = 403


class NotFoundError(RequestError):
    """No such thing, or it belongs to another key."""

    code = "not_found"
    http_status = 404


class UnknownLanguageError(NotFoundError):
    """The image or language is not in the table of languages."""

    code = "unknown_language"
    http_status = 404


class SessionBusyError(RequestError):
    """The session runs something already; it runs one thing at a time."""

    code = "session_busy"
    http_status = 409
    retryable = True


class TaskTakenError(RequestError):
    """The task has ended, or somebody else does it now; what a runner tells of it is not kept."""

    code = "task_taken"
    http_status = 409


class SessionLostError(RequestError):
    """The session has ended before it was deleted; the sentence says why."""

    code = "session_lost"
    http_status = 410


class TooLargeError(RequestError):
    """The body, the code or the files are above their byte limit."""

    code = "too_large"
    http_status = 413


class NotJsonError(RequestError):
    """The content type is not JSON."""

    code = "not_json"
    http_status = 415


class WorkspaceError(RequestError):
    """What a task asks of its workspace cannot be done: a file that is not there, an archive that is none."""

    code = "workspace"
    http_status = 422


class InvalidFieldError(RequestError):
    """A field has a value that cannot be used; `field` names it."""

    code = "invalid_field"
    http_status = 422


class IngestFailedError(InvalidFieldError):
    """The files of a dataset are not tables; `report` (an IngestReport) says of each how it was read."""

    code = "ingest_failed"
    http_status = 422

    def __init__(self, detail: str, *, report: dict[str, Any] | None = None) -> None:
        super().__init__(detail, field="files")
        self.report = report


class OverCeilingError(InvalidFieldError):
    """A limit is above the operator's ceiling. Limits are refused, never clipped."""

    code = "over_ceiling"
    http_status = 422


class UnsupportedError(InvalidFieldError):
    """This host or engine cannot enforce what was asked for, so it is refused."""

    code = "unsupported"
    http_status = 422


class QueueFullError(HoldfastError):
    """All places and the whole queue are taken; try again after `retry_after_seconds`."""

    code = "queue_full"
    http_status = 429
    retryable = True
    retry_after_seconds: int

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class RateLimitedError(HoldfastError):
    """The key has made more requests than it may, or has too many in progress; see `retry_after_seconds`."""

    code = "rate_limited"
    http_status = 429
    retryable = True

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class QuotaError(HoldfastError):
    """The caller, or the server, has as many sessions as it may have."""

    code = "quota"
    http_status = 429


class EngineError(HoldfastError):
    """The sandbox failed, not the program: a lost launcher, a cell that could not be made."""

    code = "engine_error"
    http_status = 503
    retryable = True


class RuntimeNotAvailableError(EngineError):
    """The language is known but its toolchain is not installed on this host."""

    code = "runtime_not_available"
    http_status = 503
    retryable = False


class ShuttingDownError(HoldfastError):
    """The server is draining and takes no new work."""

    code = "shutting_down"
    http_status = 503
    retryable = True


class StoreUnavailableError(HoldfastError):
    """The database is locked, full or gone; what it holds is as it was, and nothing was run that it does not know."""

    code = "store_unavailable"
    http_status = 503
    retryable = True


class StorageFullError(HoldfastError):
    """The disk that holds the state directory is full."""

    code = "storage_full"
    http_status = 507
    retryable = True


class InternalError(HoldfastError):
    """The server failed in a way nobody foresaw; its log has the reason under `request_id`."""

    code = "internal"
    http_status = 500


class UnreachableError(HoldfastError):
    """No server answers there, or what answers is not ours."""

    code = "unreachable"
    http_status = 503
    retryable = True


class StartupError(HoldfastError):
    """Holdfast refuses to start; the sentence says what to do."""

    code = "startup_refused"
    http_status = 500


class ConfigurationError(StartupError):
    """A setting is unknown, malformed or contradicts another."""

    code = "configuration"
    http_status = 500


class HostError(StartupError):
    """This host cannot provide the isolation the operator's floor asks for."""

    code = "host_unfit"
    http_status = 500


class OutcomeError(HoldfastError):
    """The program did not do what it should; the server did."""

    code = "program_failed"
    http_status = 200


class ExecutionError(OutcomeError):
    """The program ended with another exit code than 0, or did not compile."""

    code = "execution_failed"

    def __init__(
        self, detail: str, exit_code: int | None = None, stdout: str | None = None, stderr: str | None = None
    ) -> None:
        super().__init__(detail)
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


class TimeoutError(OutcomeError, builtins.TimeoutError):
    """The program was ended at its time limit, after `duration` seconds."""

    code = "timed_out"

    def __init__(self, detail: str, duration: float | None = None, stdout: str | None = None) -> None:
        super().__init__(detail)
        self.duration = duration
        self.stdout = stdout


class ResourceExhaustedError(OutcomeError):
    """The program was ended because it went beyond a limit: `memory`, `disk` or `output`."""

    code = "resource_exhausted"

    def __init__(self, detail: str, resource_type: str | None = None) -> None:
        super().__init__(detail)
        self.resource_type = resource_type


@contextmanager
def full_disk_is_ours() -> Iterator[None]:
    """Turn the system's "no space" into StorageFullError for the length of the block."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError("The disk of the server is full; free some space and try again.") from error
        raise


CodeRunnerError = HoldfastError
DockerError = EngineError
InvalidLanguageError = UnknownLanguageError
