"""How a program ended, from what the trusted side of the sandbox reported."""

import signal

from holdfast.engines import Exited
from holdfast.types import Status

TIMEOUT_EXIT_CODE = 124
SIGNAL_BASE = 128
_KILLED = SIGNAL_BASE + signal.SIGKILL
_FILE_TOO_LARGE = SIGNAL_BASE + signal.SIGXFSZ


def verdict(exited: Exited, *, flooded: bool) -> tuple[Status, int]:
    """The status and exit code of a run; the first row that holds decides.

    `flooded` says that the program wrote far more than its output limit, for which it is killed unless it was done.
    """
    code = _shell_code(exited)
    rows = (
        (flooded and exited.reason == "killed", Status.OUTPUT_LIMIT, _KILLED),
        (exited.reason in ("wall", "cpu"), Status.TIMED_OUT, TIMEOUT_EXIT_CODE),
        (exited.reason == "killed", Status.CANCELLED, code),
        (exited.usage.out_of_memory and code == _KILLED, Status.OUT_OF_MEMORY, _KILLED),
        (exited.disk_full and code != 0, Status.DISK_LIMIT, code),
        (code == _FILE_TOO_LARGE, Status.DISK_LIMIT, code),
        (exited.signal is not None, Status.SIGNALED, code),
        (code == 0, Status.SUCCEEDED, code),
        (True, Status.FAILED, code),
    )
    return next((status, exit_code) for holds, status, exit_code in rows if holds)


def _shell_code(exited: Exited) -> int:
    if exited.signal is not None:
        return SIGNAL_BASE + exited.signal
    return exited.exit_code if exited.exit_code is not None else _KILLED
