"""How a program ended, row by row."""

import signal
from typing import Any

import pytest

from holdfast.engines import Exited
from holdfast.execution.verdict import verdict
from holdfast.types import Status, Usage


def exited(**changes: Any) -> Exited:
    usage = Usage(
        wall_seconds=1,
        cpu_user_seconds=0,
        cpu_system_seconds=0,
        memory_peak_bytes=None,
        processes_peak=None,
        out_of_memory=changes.pop("out_of_memory", False),
    )
    code = None if "signal" in changes else 0
    return Exited(**{"exit_code": code, "signal": None, "reason": None, "usage": usage, "disk_full": False, **changes})


@pytest.mark.parametrize(
    ("changes", "flooded", "status", "exit_code"),
    [
        ({}, False, Status.SUCCEEDED, 0),
        ({"exit_code": 3}, False, Status.FAILED, 3),
        ({"exit_code": 124}, False, Status.FAILED, 124),
        ({"exit_code": 137}, False, Status.FAILED, 137),
        ({"signal": signal.SIGSEGV}, False, Status.SIGNALED, 139),
        ({"signal": signal.SIGKILL}, False, Status.SIGNALED, 137),
        ({"signal": signal.SIGKILL, "reason": "wall"}, False, Status.TIMED_OUT, 124),
        ({"signal": signal.SIGXCPU, "reason": "cpu"}, False, Status.TIMED_OUT, 124),
        ({"exit_code": 0, "reason": "wall"}, False, Status.TIMED_OUT, 124),
        ({"signal": signal.SIGKILL, "out_of_memory": True}, False, Status.OUT_OF_MEMORY, 137),
        ({"exit_code": 137, "out_of_memory": True}, False, Status.OUT_OF_MEMORY, 137),
        ({"exit_code": 1, "out_of_memory": True}, False, Status.FAILED, 1),
        ({"exit_code": 0, "out_of_memory": True}, False, Status.SUCCEEDED, 0),
        ({"signal": signal.SIGKILL, "out_of_memory": True, "reason": "wall"}, False, Status.TIMED_OUT, 124),
        ({"exit_code": 1, "disk_full": True}, False, Status.DISK_LIMIT, 1),
        ({"exit_code": 0, "disk_full": True}, False, Status.SUCCEEDED, 0),
        ({"signal": signal.SIGXFSZ}, False, Status.DISK_LIMIT, 128 + signal.SIGXFSZ),
        ({"signal": signal.SIGKILL, "reason": "killed"}, False, Status.CANCELLED, 137),
        ({"signal": signal.SIGKILL, "reason": "killed"}, True, Status.OUTPUT_LIMIT, 137),
        ({"exit_code": 0}, True, Status.SUCCEEDED, 0),
        ({"exit_code": 5}, True, Status.FAILED, 5),
    ],
)
def test_the_verdict(changes: dict[str, Any], flooded: bool, status: Status, exit_code: int) -> None:
    assert verdict(exited(**changes), flooded=flooded) == (status, exit_code)
