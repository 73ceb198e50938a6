"""The words for how a run went, in one table: a program's, a data run's, the stdin runner's and a task's."""

from enum import StrEnum
from typing import NamedTuple

from holdfast.types.run import Status


class CapsuleStatus(StrEnum):
    """How a data run went, or where it is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


class AnswerStatus(StrEnum):
    """How the stdin runner says it."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"


class TaskStatus(StrEnum):
    """How a task went, or where it is."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Words(NamedTuple):
    """What one outcome is called by each. `None` where it cannot happen; `code` tells apart what a capsule does not."""

    program: Status | None
    capsule: CapsuleStatus | None
    code: str | None
    answer: AnswerStatus | None
    task: TaskStatus


WORDS = (
    Words(Status.SUCCEEDED, CapsuleStatus.SUCCEEDED, None, AnswerStatus.SUCCESS, TaskStatus.SUCCEEDED),
    Words(Status.FAILED, CapsuleStatus.FAILED, None, AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.SIGNALED, CapsuleStatus.FAILED, "signaled", AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.OUT_OF_MEMORY, CapsuleStatus.FAILED, "out_of_memory", AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.OUTPUT_LIMIT, CapsuleStatus.FAILED, "output_limit", AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.DISK_LIMIT, CapsuleStatus.FAILED, "disk_limit", AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.COMPILE_FAILED, CapsuleStatus.FAILED, "compile_failed", AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(Status.TIMED_OUT, CapsuleStatus.TIMED_OUT, None, AnswerStatus.TIMEOUT, TaskStatus.FAILED),
    Words(Status.CANCELLED, CapsuleStatus.CANCELLED, None, AnswerStatus.ERROR, TaskStatus.CANCELLED),
    Words(None, CapsuleStatus.REJECTED, None, AnswerStatus.ERROR, TaskStatus.FAILED),
    Words(None, CapsuleStatus.QUEUED, None, None, TaskStatus.QUEUED),
    Words(None, CapsuleStatus.RUNNING, None, None, TaskStatus.RUNNING),
    Words(None, None, None, None, TaskStatus.WAITING),
)
"""A word that several rows have means, the other way round, the first of them."""

_OF_PROGRAM = {row.program: row for row in WORDS if row.program is not None}
_OF_CAPSULE = {(row.capsule, row.code): row for row in WORDS if row.capsule is not None}
_OF_ANSWER = {row.answer: row for row in reversed(WORDS) if row.answer is not None}
_OF_TASK = {row.task: row for row in reversed(WORDS)}


def words_of_program(status: Status) -> Words:
    """What others call how a program ended."""
    return _OF_PROGRAM[status]


def words_of_capsule(status: CapsuleStatus, code: str | None = None) -> Words:
    """What others call the state of a data run; a code that is none of a program's says no more than its status."""
    return _OF_CAPSULE.get((status, code)) or _OF_CAPSULE[(status, None)]


def words_of_answer(status: AnswerStatus) -> Words:
    """What others call an answer of the stdin runner."""
    return _OF_ANSWER[status]


def words_of_task(status: TaskStatus) -> Words:
    """What others call the state of a task."""
    return _OF_TASK[status]
