"""Both clients against a real server: the same cases, one by one."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast import (
    AsyncClient,
    CodeExecutionRequest,
    ExecutionError,
    ForbiddenError,
    GradeResult,
    InvalidFieldError,
    InvalidFileNameError,
    InvalidLanguageError,
    OverCeilingError,
    RunRequest,
    RuntimeNotAvailableError,
    Status,
    TestCase,
    UnauthenticatedError,
    UnreachableError,
    UnsupportedError,
)
from tests.api.test_live import ENDLESS, runs, wait_for
from tests.client.conftest import Connect


def test_a_program_is_run_and_its_result_is_typed(client: Any) -> None:
    result = client.run("import sys; print(6 * 7); sys.exit(3)")
    assert (result.status, result.stdout, result.exit_code) == (Status.FAILED, "42\n", 3)
    assert result.isolation.engine == "unisolated"


def test_the_request_of_quartermasters_readme_works(client: Any) -> None:
    request = CodeExecutionRequest(
        code="print('Hello from the sandbox')", image="python", timeout=10, allow_network=False
    )
    response = client.run(request)
    assert (response.stdout, response.stderr, response.exit_code) == ("Hello from the sandbox\n", "", 0)
    assert response.execution_time > 0
    assert response.metadata is None


def test_fields_win_over_those_of_a_request(client: Any) -> None:
    request = RunRequest(code="import sys; print(sys.argv[1:])", args=["a"])
    assert client.run(request).stdout == "['a']\n"
    assert client.run(request, args=["b"], timeout=5).limits.wall_seconds == 5
    assert client.run(request, args=["b"]).stdout == "['b']\n"


def test_what_goes_in_arrives_and_artifacts_come_back(client: Any) -> None:
    code = """
import os, sys, pathlib
text = pathlib.Path("data/in.txt").read_text() + sys.stdin.read() + sys.argv[1] + os.environ["WORD"]
pathlib.Path("out.txt").write_text(text + pathlib.Path("raw").read_bytes().hex())
"""
    given = {"files": {"data/in.txt": "a", "raw": b"\x00\xff"}, "stdin": "b", "args": ["c"]}
    result = client.run(code, **given, environment={"WORD": "d"}, artifacts=["*.txt"])
    assert {artifact.path: artifact.content() for artifact in result.artifacts} == {"out.txt": b"abcd00ff"}


def test_an_entrypoint_needs_no_code(client: Any) -> None:
    assert client.run(entrypoint="echo $1", args=["hi"]).stdout == "hi\n"


def test_a_crash_is_a_result_and_check_makes_an_error_of_it(client: Any) -> None:
    result = client.run("print('so far'); 1 / 0")
    with pytest.raises(ExecutionError, match="exit code 1") as raised:
        result.check()
    assert (raised.value.exit_code, raised.value.stdout) == (1, "so far\n")
    assert "ZeroDivisionError" in (raised.value.stderr or "")
    assert client.run("print(1)").check().stdout == "1\n"


def test_a_time_limit_is_a_result_and_check_makes_a_timeout_of_it(client: Any) -> None:
    result = client.run("import time; print('early', flush=True); time.sleep(60)", timeout=0.5)
    assert result.status is Status.TIMED_OUT
    with pytest.raises(TimeoutError, match=r"time limit of 0\.5 s"):
        result.check()


def test_a_submission_is_graded(client: Any) -> None:
    tests = [TestCase(type="variable_value", variable="x", expected=None), {"type": "output", "expected": "hi"}]
    result = client.grade("x = None\nprint('hi')", tests=tests)
    assert isinstance(result, GradeResult)
    assert [verdict.passed for verdict in result.test_results] == [True, True]
    assert (result.all_passed, result.points, result.max_points) == (True, 2, 2)
    assert client.run("x = 1", tests=tests).all_passed is False, "`run` with tests is the same"


def test_a_streamed_submission_is_a_verdict_after_the_other_and_a_grade(client: Any) -> None:
    tests = [TestCase(type="variable_value", variable="x", expected=1), {"type": "output", "expected": "no"}]
    with client.stream("x = 1\nprint('hi')", tests=tests) as events:
        seen = list(events)
    assert [event.type for event in seen] == ["verdict", "verdict", "graded"]
    assert [event.verdict.passed for event in seen[:2]] == [True, False]
    assert isinstance(events.result, GradeResult)
    assert (events.result.all_passed, events.result.points) == (False, 1)


def test_a_stream_brings_events_while_the_program_runs_and_the_result_in_the_end(client: Any) -> None:
    with client.stream("import sys; print('one'); print('two', file=sys.stderr)") as events:
        seen = list(events)
    assert (seen[0].type, seen[-1].type) == ("started", "exited")
    assert {(event.stream, event.text) for event in seen[1:-1]} == {("stdout", "one\n"), ("stderr", "two\n")}
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert events.result == seen[-1].result
    assert events.result.stdout == "one\n"


def test_leaving_a_stream_ends_the_run(client: Any, proof: Path) -> None:
    with client.stream(ENDLESS.format(pid=str(proof)), timeout=60) as events:
        for event in events:
            if event.type == "output":
                break
    with pytest.raises(UnreachableError, match="no result yet"):
        events.result  # noqa: B018
    pid = int(proof.read_text())
    while runs(pid):
        time.sleep(0.02)
    assert client.run("print('free again')").stdout == "free again\n", "the only place is free"


def test_a_plain_loop_over_a_stream_is_enough(client: Any) -> None:
    events = client.stream("print('one')")
    assert [event.type for event in events] == ["started", "output", "exited"]
    assert events.result.stdout == "one\n"


@pytest.mark.anyio
async def test_who_is_cancelled_ends_the_run(live: str, proof: Path) -> None:
    async with AsyncClient(live) as client, anyio.create_task_group() as group:
        group.start_soon(partial(client.run, ENDLESS.format(pid=str(proof)), timeout=60))
        await wait_for(lambda: proof.exists() and proof.read_text() != "")
        group.cancel_scope.cancel()
    await wait_for(lambda: not runs(int(proof.read_text())))


@pytest.mark.parametrize(
    ("kind", "field", "fields"),
    [
        (InvalidLanguageError, "image", {"image": "cobol"}),
        (RuntimeNotAvailableError, "image", {"image": "go"}),
        (OverCeilingError, "timeout", {"timeout": 301}),
        (UnsupportedError, "cpu_seconds", {"cpu_seconds": 1}),
        (InvalidFileNameError, "files", {"files": {"../x": ""}}),
        (InvalidFieldError, "environment", {"environment": {"LD_PRELOAD": "x"}}),
    ],
)
def test_a_refusal_is_raised_as_what_it_is(client: Any, kind: type[Exception], field: str, fields: Any) -> None:
    for ask in (client.run, lambda *args, **given: client.stream(*args, **given).__enter__()):
        with pytest.raises(kind) as raised:
            ask("print(1)", **fields)
        assert type(raised.value) is kind
        assert raised.value.field == field  # type: ignore[attr-defined]
        assert raised.value.request_id.startswith("req-")  # type: ignore[attr-defined]


def test_what_cannot_be_right_is_refused_before_it_is_sent(connect: Connect) -> None:
    client = connect("http://127.0.0.1:1")
    for fields in ({"timeout": -1}, {"tiemout": 1}, {"mem_limit": "lots"}, {"code": "'\ud800'"}):
        with pytest.raises(InvalidFieldError):
            client.run(**{"code": "1", **fields})
    with pytest.raises(InvalidFieldError, match="needs 'expected'"):
        client.grade("x = 1", tests=[{"type": "variable_value", "variable": "x"}])


def test_the_server_says_what_it_is_and_has(client: Any) -> None:
    health = client.health()
    assert (health.service, health.engine, health.auth_enabled) == ("holdfast", "unisolated", False)
    runtimes = client.runtimes()
    assert runtimes.default == "code-runner-python"
    assert {runtime.name for runtime in runtimes.images if runtime.ready} == {"Python", "Bash"}


def test_a_key_opens_a_server_that_wants_one(connect: Connect, guarded: str) -> None:
    assert connect(guarded, "sesame").run("print(1)").stdout == "1\n"
    with pytest.raises(ForbiddenError):
        connect(guarded, "wrong").run("1")
    with pytest.raises(UnauthenticatedError), connect(guarded).stream("1"):
        pass


def test_no_server_is_one_sentence(connect: Connect) -> None:
    for url in ("http://127.0.0.1:1", "127.0.0.1"):
        with pytest.raises(UnreachableError, match=r"cannot be reached.* start it with 'holdfast serve'"):
            connect(url).run("1")
