"""What comes back from a sandbox was written by whoever was there."""

import base64
import json
from typing import Any

import pytest

from holdfast.engines import Exited, SandboxSpec
from holdfast.errors import TooLargeError
from holdfast.execution.record import Run
from holdfast.grading.inspection import Inspection, Question
from holdfast.testing.unisolated import NO_ISOLATION, NO_LIMITS
from holdfast.types import RunRequest, RunResult, Usage

USAGE = Usage(
    wall_seconds=0, cpu_user_seconds=0, cpu_system_seconds=0, memory_peak_bytes=0, processes_peak=0, out_of_memory=False
)


def result(artifacts: dict[str, bytes], notes: tuple[str, ...] = ()) -> RunResult:
    run = Run(SandboxSpec("python", NO_LIMITS))
    run.mark()
    run.mark()
    run.started(NO_ISOLATION)
    exited = Exited(
        exit_code=0, signal=None, reason=None, usage=USAGE, disk_full=False, artifacts=artifacts, notes=notes
    )
    list(run.take(exited))
    return run.finished().result


@pytest.fixture
def inspection() -> Inspection:
    return Inspection.of(RunRequest(code="x = 1", files={"data.csv": "1"}, artifacts=["*.png"]))


def test_the_submission_travels_as_a_file_and_expected_values_not_at_all(inspection: Inspection) -> None:
    request = inspection.request
    assert request.files[f"{inspection.token}.py"] == "x = 1"
    assert request.files["data.csv"] == "1"
    assert request.artifacts == ["*.png", f"{inspection.token}.*"]


def test_two_inspections_share_no_name() -> None:
    request = RunRequest(code="x = 1")
    assert Inspection.of(request).token != Inspection.of(request).token


JUNK: tuple[Any, ...] = (
    b"",
    b"\xff",
    b"null",
    b"{}",
    b"[1]",
    b"[[1,2]]",
    b'[["61"]]',
    b'[["6",["NoneType"]]]',
    b"[" * 9999,
)


@pytest.mark.parametrize(
    "junk", [*JUNK, b'[["61",["int","0x' + b"f" * 50 + b'z"]]]', b'[["61",["float","0x1p+99999"]]]']
)
def test_a_report_that_is_none_is_not_believed(junk: bytes, inspection: Inspection) -> None:
    assert not inspection.variables(result({f"{inspection.token}.report": junk}))


@pytest.mark.parametrize("junk", [*JUNK, b'{"value":1}', b'{"printed":""}', b'{"value":["NoneType"],"printed":5}'])
def test_an_answer_that_is_none_is_not_believed(junk: bytes, inspection: Inspection) -> None:
    answer = inspection.answer(result({f"{inspection.token}.0": junk}), 0)
    assert answer.value is None
    assert answer.reason


def test_a_report_that_would_cost_too_much_is_not_read(inspection: Inspection) -> None:
    many = json.dumps([["61", ["list", 200_000, [["NoneType"]] * 200_000]]]).encode()
    assert inspection.variables(result({f"{inspection.token}.report": many})) is None


def test_files_that_are_ours_are_not_in_the_result(inspection: Inspection) -> None:
    token = inspection.token
    given = result({"plot.png": b"p", f"{token}.report": b"r"}, (f"Artifact {token}.0 was left out: no.", "Other."))
    left = inspection.without_ours(given)
    assert [artifact.path for artifact in left.artifacts] == ["plot.png"]
    assert left.notes == ("Other.",)


def test_arguments_without_measure_are_refused() -> None:
    question = Question("f", (["x" * 300_000], {}), 1)
    with pytest.raises(TooLargeError, match="arguments of all tests"):
        Inspection.of(RunRequest(code="def f(x): pass"), [question])


def test_what_we_send_is_the_program_and_its_compiled_form(inspection: Inspection) -> None:
    ours = inspection.request.files[inspection.token]
    assert not isinstance(ours, str)
    assert b"def run(token" in base64.b64decode(ours.base64)
