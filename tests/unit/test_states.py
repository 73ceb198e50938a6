"""The one table of words for how a run went."""

import pytest

from holdfast.types import AnswerStatus, CapsuleStatus, Status, TaskStatus
from holdfast.types.states import (
    WORDS,
    Words,
    words_of_answer,
    words_of_capsule,
    words_of_program,
    words_of_task,
)

PROGRAM_TO_CAPSULE = {
    "succeeded": ("succeeded", None),
    "failed": ("failed", None),
    "signaled": ("failed", "signaled"),
    "timed_out": ("timed_out", None),
    "out_of_memory": ("failed", "out_of_memory"),
    "output_limit": ("failed", "output_limit"),
    "disk_limit": ("failed", "disk_limit"),
    "cancelled": ("cancelled", None),
    "compile_failed": ("failed", "compile_failed"),
}
CAPSULE_TO_OTHERS = {
    "queued": (None, None, "queued"),
    "running": (None, None, "running"),
    "succeeded": ("succeeded", "success", "succeeded"),
    "failed": ("failed", "error", "failed"),
    "rejected": (None, "error", "failed"),
    "timed_out": ("timed_out", "timeout", "failed"),
    "cancelled": ("cancelled", "error", "cancelled"),
}
ANSWER_TO_CAPSULE = {"success": "succeeded", "error": "failed", "timeout": "timed_out"}
TASK_TO_CAPSULE = {
    "queued": "queued",
    "running": "running",
    "waiting": None,
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}


@pytest.mark.parametrize("status", Status)
def test_every_end_of_a_program_has_a_word_in_a_capsule_and_back(status: Status) -> None:
    row = words_of_program(status)
    assert (row.capsule, row.code) == PROGRAM_TO_CAPSULE[status]
    assert row.capsule is not None
    assert words_of_capsule(row.capsule, row.code).program is status


@pytest.mark.parametrize("status", CapsuleStatus)
def test_every_state_of_a_capsule_has_its_words_elsewhere(status: CapsuleStatus) -> None:
    row = words_of_capsule(status)
    assert (row.program, row.answer, row.task) == CAPSULE_TO_OTHERS[status]
    assert words_of_capsule(status, "SQL_EXECUTION_ERROR") == row


@pytest.mark.parametrize("status", AnswerStatus)
def test_every_word_of_the_stdin_runner_means_a_state_of_a_capsule_and_back(status: AnswerStatus) -> None:
    row = words_of_answer(status)
    assert row.capsule is not None and row.capsule == ANSWER_TO_CAPSULE[status]
    assert words_of_capsule(row.capsule).answer is status


@pytest.mark.parametrize("status", TaskStatus)
def test_every_state_of_a_task_means_a_state_of_a_capsule_and_back(status: TaskStatus) -> None:
    row = words_of_task(status)
    assert row.capsule == TASK_TO_CAPSULE[status]
    assert row.capsule is None or words_of_capsule(row.capsule).task is status


@pytest.mark.parametrize("row", WORDS)
def test_no_row_contradicts_another(row: Words) -> None:
    if row.capsule is not None:
        assert words_of_capsule(row.capsule, row.code) == row
    same = [each for each in WORDS if each.capsule is row.capsule]
    assert {(each.answer, each.task) for each in same} == {(row.answer, row.task)}


def test_every_word_is_in_the_table() -> None:
    for place, words in enumerate((Status, CapsuleStatus, None, AnswerStatus, TaskStatus)):
        if words is not None:
            assert {row[place] for row in WORDS} - {None} == set(words)
