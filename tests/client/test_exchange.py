"""What goes over the wire, seen from a server that answers what it is told."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from holdfast import errors
from holdfast.api import problems
from holdfast.client.answers import LONGEST_PAUSE_SECONDS, pause, refusal
from holdfast.errors import HoldfastError, QueueFullError, ShuttingDownError, UnreachableError
from holdfast.types import (
    Artifact,
    Compile,
    GradeRequest,
    GradeResult,
    Isolation,
    Limits,
    RunRequest,
    RunResult,
    TestCase,
    Timings,
    Truncated,
    Usage,
    Verdict,
)
from tests.client.conftest import Connect, Told
from tests.unit.test_errors import classes

REQUEST = {
    "code": "x",
    "image": "bash",
    "files": {"a": "b", "c": {"base64": "AP8="}},
    "args": ["1"],
    "stdin": "in",
    "environment": {"A": "b"},
    "prebuild_spec": {"base_image": "node", "setup_script": "echo"},
    "entrypoint": "sh",
    "timeout": 1.5,
    "cpu_seconds": 2.0,
    "mem_limit": "64m",
    "disk_limit": "1m",
    "cpu_shares": 4,
    "cpus": 0.5,
    "processes": 3,
    "open_files": 20,
    "allow_network": True,
    "artifacts": ["*.txt"],
    "max_output_bytes": 10,
}
TEST = {
    "type": "function_call",
    "description": "d",
    "function": "f",
    "expected": None,
    "args": [1, None],
    "kwargs": {"k": "v"},
    "points": 2.5,
    "hidden": True,
}
SAID = {"stdout": "out", "stderr": "err", "execution_time": 0.25, "truncated": Truncated(stdout=True, stderr=False)}
RESULT = RunResult(
    run_id="run-1",
    status="out_of_memory",
    exit_code=137,
    usage=Usage(
        wall_seconds=1,
        cpu_user_seconds=2,
        cpu_system_seconds=3,
        memory_peak_bytes=4,
        processes_peak=None,
        out_of_memory=True,
    ),
    timings=Timings(queue_ms=1, setup_ms=2, start_ms=3, run_ms=4, collect_ms=5),
    limits=Limits(
        wall_seconds=1,
        memory_bytes=2,
        disk_bytes=3,
        output_bytes=4,
        processes=5,
        open_files=6,
        cpu_shares=7,
        cpu_seconds=8,
        cpus=9,
    ),
    isolation=Isolation(
        engine="local",
        namespaces=("user",),
        seccomp="filter",
        cgroup="v1",
        landlock=7,
        network="none",
        no_new_privileges=True,
        capabilities_dropped=True,
        separate_users=True,
        notes=("n",),
    ),
    artifacts=(Artifact(path="a.txt", size_bytes=1, base64="YQ=="),),
    notes=("note",),
    phase="compile",
    compile=Compile(exit_code=1, cached=True, **SAID),
    metadata=[1, {"a": None}],
    **SAID,
)
VERDICT = Verdict(
    description="d",
    type="stdin",
    passed=True,
    expected=1,
    actual=[2],
    error="e",
    points=1,
    max_points=2,
    hidden=True,
    status="failed",
    execution_time=0.5,
)
GRADE = GradeResult(
    **dict(RESULT), test_results=(VERDICT,), execution_time_ms=5, all_passed=False, points=1, max_points=2
)


def test_every_field_of_a_request_is_sent(connect: Connect, told: Told) -> None:
    assert REQUEST.keys() == RunRequest.model_fields.keys(), "every field has a value here"
    told.then(200, RESULT.model_dump(mode="json"))
    client = connect(told.url, "the key")
    client.run(**REQUEST)
    client.run(RunRequest.model_validate(REQUEST))
    for method, path, headers, body in told.asked:
        assert (method, path, headers["content-type"], headers["x-api-key"]) == (
            *("POST", "/run"),
            *("application/json", "the key"),
        )
        assert json.loads(body) == REQUEST


def test_what_is_left_to_the_server_is_not_sent(connect: Connect, told: Told) -> None:
    told.then(200, RESULT.model_dump(mode="json"))
    connect(told.url).run("x", image="python", timeout=None)
    assert json.loads(told.asked[0][3]) == {"code": "x"}
    assert "x-api-key" not in told.asked[0][2]


def test_a_file_added_to_a_request_later_is_sent(connect: Connect, told: Told) -> None:
    told.then(200, RESULT.model_dump(mode="json"))
    request = RunRequest(code="x")
    request.files["a.txt"] = "late"
    connect(told.url).run(request)
    assert json.loads(told.asked[0][3]) == {"code": "x", "files": {"a.txt": "late"}}


def test_tests_are_sent_as_they_were_written(connect: Connect, told: Told) -> None:
    told.then(200, json.loads(GRADE.model_dump_json()))
    client = connect(told.url)
    client.grade("x", tests=[TEST])
    client.grade(GradeRequest(code="x"), tests=[TestCase.model_validate(TEST)])
    client.run(GradeRequest.model_validate({"code": "x", "tests": [TEST]}))
    assert [json.loads(body) for *_, body in told.asked] == [{"code": "x", "tests": [TEST]}] * 3


def test_every_field_of_a_result_comes_back(connect: Connect, told: Told) -> None:
    assert all(value for name, value in RESULT if name != "usage")
    told.then(200, json.loads(RESULT.model_dump_json())).then(200, json.loads(GRADE.model_dump_json()))
    client = connect(told.url)
    assert client.run("x") == RESULT
    assert client.grade("x", tests=[]) == GRADE


def test_what_a_newer_server_says_beyond_this_is_no_fault(connect: Connect, told: Told) -> None:
    told.then(200, {**RESULT.model_dump(mode="json"), "new": 1})
    assert connect(told.url).run("x") == RESULT


def test_a_finer_error_of_a_server_in_this_process_is_rebuilt_as_the_kind_that_has_the_code() -> None:
    program = "import holdfast.engines.docker.daemon; from holdfast.client import answers; "
    program += "print(answers._KINDS['engine_error'].__name__)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "EngineError\n"


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_error_is_rebuilt_as_the_class_it_was(kind: type[HoldfastError], connect: Connect, told: Told) -> None:
    error = kind("One sentence.")
    error.field = "image"
    told.then(kind.http_status if kind.http_status >= 400 else 500, problems.of(error, "req-1").model_dump())
    with pytest.raises(HoldfastError) as raised:
        connect(told.url, retries=0).run("x")
    assert type(raised.value) is kind
    assert str(raised.value) == "One sentence."
    assert (raised.value.field, raised.value.request_id) == ("image", "req-1")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>Bad Gateway", errors.UnreachableError),
        (503, b"", errors.UnreachableError),
        (429, b"slow down", errors.QueueFullError),
        (404, b'"nothing"', errors.NotFoundError),
        (418, b'{"code": "teapot", "detail": "A new reason."}', errors.RequestError),
        (200, b"<html>Welcome", errors.UnreachableError),
        (302, b"", errors.UnreachableError),
    ],
)
def test_an_answer_that_is_not_ours_is_an_error_too(
    status: int, body: bytes, kind: type[HoldfastError], connect: Connect, told: Told
) -> None:
    told.then(status, body)
    with pytest.raises(HoldfastError) as raised:
        connect(told.url, retries=0).run("x")
    assert type(raised.value) is kind


@pytest.mark.parametrize("answer", [QueueFullError("Full."), ShuttingDownError("Going.")], ids=["429", "503"])
def test_who_is_asked_for_patience_tries_again(answer: HoldfastError, connect: Connect, told: Told) -> None:
    problem = problems.of(answer, "req-1").model_dump()
    told.then(answer.http_status, problem, Retry_After="1").then(answer.http_status, problem, Retry_After="0")
    told.then(200, RESULT.model_dump(mode="json"))
    assert connect(told.url).run("x") == RESULT
    assert len(told.asked) == 3
    assert len({body for *_, body in told.asked}) == 1


def test_a_stream_is_tried_again_before_its_first_event(connect: Connect, told: Told) -> None:
    told.then(429, problems.of(QueueFullError("Full."), "req-1").model_dump(), Retry_After="0")
    exited = json.dumps({"type": "exited", "seq": 1, "result": RESULT.model_dump(mode="json")})
    told.then(200, f": ping\n\nid: 1\nevent: exited\ndata: {exited}\n\n".encode(), Content_Type="text/event-stream")
    with connect(told.url).stream("x") as events:
        assert [event.type for event in events] == ["exited"]
    assert events.result == RESULT
    assert told.asked[1][2]["accept"] == "text/event-stream"


def test_patience_has_an_end(connect: Connect, told: Told) -> None:
    told.then(429, problems.of(QueueFullError("Full."), "req-1").model_dump(), Retry_After="0")
    with pytest.raises(QueueFullError) as raised:
        connect(told.url, retries=2).run("x")
    assert raised.value.retry_after_seconds == 0
    assert len(told.asked) == 3


@pytest.mark.parametrize(
    "error", [errors.RuntimeNotAvailableError("Not here."), errors.StorageFullError("Full."), errors.InternalError("?")]
)
def test_what_does_not_pass_is_not_tried_again(error: HoldfastError, connect: Connect, told: Told) -> None:
    told.then(error.http_status, problems.of(error, "req-1").model_dump(), Retry_After="0")
    with pytest.raises(type(error)):
        connect(told.url).run("x")
    assert len(told.asked) == 1


def test_a_pause_is_as_long_as_the_server_asks_and_never_for_ever() -> None:
    error = QueueFullError("Full.", retry_after_seconds=7)
    assert 7 <= pause(error, 0, 4) <= 7 * 1.25
    error.retry_after_seconds = int(LONGEST_PAUSE_SECONDS) + 1
    with pytest.raises(QueueFullError):
        pause(error, 0, 4)
    unasked = ShuttingDownError("Going.")
    waits = [pause(unasked, attempt, 100) for attempt in (0, 1, 2, 50)]
    assert waits == sorted(waits)
    assert waits[-1] <= LONGEST_PAUSE_SECONDS * 1.25


@pytest.mark.parametrize(
    ("written", "least", "most"),
    [
        (lambda: "3", 3, 3),
        # A moment of the test, not of the collection of all tests, which may be many minutes earlier.
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True), 500, 1000),
        (lambda: "Mon, 01 Jan 2001 00:00:00 GMT", 0, 0),
    ],
    ids=["seconds", "later", "past"],
)
def test_retry_after_is_seconds_or_a_moment(written: Callable[[], str], least: int, most: int) -> None:
    header = written()
    found = refusal(httpx.Response(429, headers={"Retry-After": header})).retry_after_seconds
    assert found is not None
    assert least <= found <= most
    assert refusal(httpx.Response(429, headers={"Retry-After": "soon"})).retry_after_seconds is None


def stream_of(told: Told, *messages: str) -> None:
    told.then(200, "".join(f"{message}\n\n" for message in messages).encode(), Content_Type="text/event-stream")


def test_an_error_in_the_middle_of_a_stream_is_raised(connect: Connect, told: Told) -> None:
    problem = problems.of(errors.EngineError("The sandbox is lost."), "req-1").model_dump_json()
    output = '{"type":"output","seq":1,"stream":"stdout","text":"hi"}'
    stream_of(told, f"event: output\ndata: {output}", f"event: error\ndata: {problem}")
    seen: list[Any] = []
    with pytest.raises(errors.EngineError, match="lost"), connect(told.url).stream("x") as events:
        for event in events:
            seen.append(event.text)
    assert seen == ["hi"]


def test_events_of_a_kind_that_is_not_known_are_passed_over(connect: Connect, told: Told) -> None:
    exited = json.dumps({"type": "exited", "seq": 2, "result": RESULT.model_dump(mode="json")})
    stream_of(told, 'event: new\ndata: {"type":"new","seq":1}', f"event: exited\ndata: {exited}")
    with connect(told.url).stream("x") as events:
        assert [event.type for event in events] == ["exited"]


@pytest.mark.parametrize("message", ["event: output\ndata: {}", "event: output\ndata: junk", ": nothing"])
def test_a_stream_that_breaks_off_or_makes_no_sense_is_an_error(message: str, connect: Connect, told: Told) -> None:
    stream_of(told, message)
    with pytest.raises(UnreachableError), connect(told.url).stream("x") as events:
        list(events)


def test_a_ping_between_two_events_is_nothing(connect: Connect, told: Told) -> None:
    exited = json.dumps({"type": "exited", "seq": 2, "result": RESULT.model_dump(mode="json")})
    output = '{"type":"output","seq":1,"stream":"stdout","text":"hi"}'
    stream_of(
        told, f"id: 1\nevent: output\ndata: {output}", ": ping", ": ping", f"id: 2\nevent: exited\ndata: {exited}"
    )
    with connect(told.url).stream("x") as events:
        assert [event.type for event in events] == ["output", "exited"]


def test_a_ping_between_two_events_of_a_task_is_nothing(connect: Connect, told: Told) -> None:
    status, done = '{"type":"status","seq":1,"status":"running"}', '{"type":"done","seq":2}'
    stream_of(told, f"id: 1\nevent: status\ndata: {status}", ": ping", f"id: 2\nevent: done\ndata: {done}")
    assert [event.type for event in connect(told.url).follow_task("tsk-1")] == ["status", "done"]


def test_an_answer_that_is_no_stream_is_an_error(connect: Connect, told: Told) -> None:
    told.then(200, b"<html>", Content_Type="text/html")
    with pytest.raises(UnreachableError), connect(told.url).stream("x") as events:
        list(events)
