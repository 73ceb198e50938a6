"""Grading over HTTP: `POST /run` with tests, and PyQuest's runner below `/pyquest`."""

from typing import Any

import anyio
import httpx
import pytest
from httpx_sse import aconnect_sse

from holdfast.types import OPERATOR, GradedEvent, GradeRequest, GradeResult, VerdictEvent

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {
    "code": "print('Hello, World!')",
    "tests": [{"type": "output", "expected": "Hello, World!", "description": "Should print Hello, World!"}],
}
"""The example of that runner's README, word for word."""

ALL_TYPES: list[dict[str, Any]] = [
    {"type": "output", "expected": "hi"},
    {"type": "variable_exists", "variable": "x"},
    {"type": "variable_type", "variable": "x", "expectedType": "list"},
    {"type": "variable_value", "variable": "x", "expected": [1, 2]},
    {"type": "function_call", "function": "f", "args": [1], "kwargs": {"b": 2}, "expected": 3},
    {"type": "function_call", "expected": "hi"},
    {"type": "list_contains", "variable": "x", "expected": 2},
    {"type": "list_length", "variable": "x", "expected": 2},
]
PROGRAM = "x = [1]\nx.append(2)\ndef f(a, b): return a + b\nprint(' hi ')"


async def test_the_example_of_pyquest_gets_the_answer_its_readme_shows(client: httpx.AsyncClient) -> None:
    answer = await client.post("/pyquest/run", json=HELLO)
    assert answer.status_code == 200
    body = answer.json()
    shown = {"success": True, "stdout": "Hello, World!", "stderr": "", "allPassed": True}
    assert {name: body[name] for name in shown} == shown
    assert type(body["executionTimeMs"]) is int
    (result,) = body["testResults"]
    assert {name: result[name] for name in ("description", "passed", "expected", "actual")} == {
        "description": "Should print Hello, World!",
        "passed": True,
        "expected": "Hello, World!",
        "actual": "Hello, World!",
    }


async def test_the_health_of_pyquest_is_word_for_word_and_needs_no_key(serving: Any) -> None:
    client, _ = await serving(auth_token="secret")
    answer = await client.get("/pyquest/health")
    assert answer.json() == {"status": "healthy", "service": "pyquest-runner", "version": "1.0.0"}
    assert (await client.post("/pyquest/run", json=HELLO)).status_code == 401


@pytest.mark.parametrize("path", ["/run", "/pyquest/run"])
async def test_all_seven_types_are_judged_on_both_routes(client: httpx.AsyncClient, path: str) -> None:
    body = (await client.post(path, json={"code": PROGRAM, "tests": ALL_TYPES})).json()
    assert [result["passed"] for result in body["testResults"]] == [True] * 8
    assert [result["type"] for result in body["testResults"]] == [test["type"] for test in ALL_TYPES]
    assert body["testResults"][1]["expected"] == "Variable 'x' should exist"
    assert [result["actual"] for result in body["testResults"]] == ["hi", "Found", "list", [1, 2], 3, "hi", [1, 2], 2]
    assert (body["allPassed"], body["success"]) == (True, True)


async def test_output_is_raw_on_run_and_stripped_below_pyquest(client: httpx.AsyncClient) -> None:
    body = {"code": "import sys\nprint('\\n a ')\nprint(' b ', file=sys.stderr)", "tests": []}
    raw, stripped = (await client.post("/run", json=body)).json(), (await client.post("/pyquest/run", json=body)).json()
    assert (raw["stdout"], raw["stderr"]) == ("\n a \n", " b \n")
    assert (stripped["stdout"], stripped["stderr"]) == ("a", "b")
    assert raw["testResults"] == stripped["testResults"] == []


async def test_a_graded_answer_has_the_fields_of_a_run_as_well(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run", json={"code": PROGRAM, "tests": ALL_TYPES, "artifacts": ["*.py"]})
    result = GradeResult.model_validate_json(answer.content)
    assert (result.status, result.exit_code, result.limits.wall_seconds) == ("succeeded", 0, 2)
    assert (result.points, result.max_points) == (8, 8)
    assert [artifact.path for artifact in result.artifacts] == ["main.py"]


@pytest.mark.parametrize("tests", [None, "absent"])
async def test_without_tests_a_run_is_a_plain_run(client: httpx.AsyncClient, tests: Any) -> None:
    body = {"code": "print('\"tests\"')"} | ({} if tests == "absent" else {"tests": tests})
    answer = (await client.post("/run", json=body)).json()
    assert answer["stdout"] == '"tests"\n'
    assert answer["limits"]["wall_seconds"] == 30
    assert "testResults" not in answer


async def test_success_is_about_the_runner_and_all_passed_about_the_program(client: httpx.AsyncClient) -> None:
    for code, test in (("print('Hello, World!')\n1/0", HELLO["tests"]), ("raise SystemExit(1)", [])):
        body = (await client.post("/pyquest/run", json={"code": code, "tests": test})).json()
        assert (body["success"], body["allPassed"]) == (True, False)


async def test_a_timeout_below_pyquest_is_told_in_its_words_and_keeps_the_output(client: httpx.AsyncClient) -> None:
    body = {"code": "print('early', flush=True)\nwhile True: pass", "tests": [], "timeout": 0.5}
    answer = (await client.post("/pyquest/run", json=body)).json()
    assert (answer["success"], answer["status"], answer["allPassed"]) == (True, "timed_out", False)
    assert (answer["stdout"], answer["stderr"]) == ("early", "Error: Execution timeout (2 seconds exceeded)")


async def test_the_limits_of_pyquest_are_its_own_whatever_the_server_gives_others(serving: Any) -> None:
    client, _ = await serving(default_timeout=1, output_bytes="4k")
    answer = (await client.post("/pyquest/run", json={"code": "print('x' * 1_100_000)", "tests": []})).json()
    assert (len(answer["stdout"]), answer["truncated"]["stdout"], answer["status"]) == (1_048_576, True, "succeeded")
    assert (answer["limits"]["wall_seconds"], answer["limits"]["output_bytes"]) == (2, 1_048_576)
    code = "print(1)  #" + "x" * (102_400 - 11)
    assert len(code) == 102_400
    assert (await client.post("/pyquest/run", json={"code": code, "tests": []})).json()["stdout"] == "1"


async def test_pyquest_clients_may_send_what_it_ignored_and_a_dataset(client: httpx.AsyncClient) -> None:
    test = {"id": "t1", "type": "variable_value", "variable": "n", "expected": 3, "message": "count", "args": None}
    body = {
        "code": "n = int(open('n.txt').read())",
        "tests": [test],
        "userId": 7,
        "dataset": {"files": [{"name": "n.txt", "content": "3"}]},
    }
    assert (await client.post("/pyquest/run", json=body)).json()["allPassed"]
    assert (await client.post("/pyquest/run", json={"code": "pass", "tests": None})).json()["testResults"] == []
    assert (await client.post("/run", json=body)).status_code == 422


REFUSED: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "no code": ({"code": None}, 400, "No code provided.", "code"),
    "empty code": ({"code": ""}, 400, "No code provided.", "code"),
    "code that is no text": ({"code": 5}, 422, "code: Input should be a valid string.", "code"),
    "too much code": ({"code": "é" * 51_201}, 413, "Code exceeds maximum size (102400 bytes).", "code"),
    "tests that are no list": ({"tests": {}}, 422, "tests: Input should be a valid array.", "tests"),
    "a test that is no object": ({"tests": [5]}, 422, "tests.0: Input should be", "tests.0"),
    "201 tests": ({"tests": HELLO["tests"] * 201}, 422, "tests: List should have at most 200 items", "tests"),
    "more time": ({"timeout": 3}, 422, "'timeout' is above the 2 s of this route; use POST /run.", "timeout"),
    "too large a dataset": (
        {"dataset": {"files": [{"name": "a", "content": "x" * 131_073}]}},
        413,
        "The dataset is larger than 131,072 bytes.",
        "dataset",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_below_pyquest_has_its_fields_beside_ours(client: httpx.AsyncClient, name: str) -> None:
    changes, status, sentence, field = REFUSED[name]
    answer = await client.post("/pyquest/run", json={**HELLO, **changes})
    problem = answer.json()
    assert (answer.status_code, problem["success"], problem["field"]) == (status, False, field)
    assert problem["error"] == problem["detail"]
    assert problem["detail"].startswith(sentence)


async def test_what_the_router_and_the_guard_refuse_has_those_fields_too(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/pyquest/run"),
        await client.get("/pyquest/nowhere"),
        await client.post("/pyquest/run", content=b"{}", headers={"Content-Type": "text/plain"}),
        await client.post("/pyquest/run", content=b"{", headers={"Content-Type": "application/json"}),
    ):
        assert answer.json()["success"] is False
        assert answer.json()["error"] == answer.json()["detail"]
    assert "success" not in (await client.get("/nowhere")).json()


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no type": ({"expected": "x"}, "tests.0.type", "it is needed"),
    "an unknown type": ({"type": "outptu"}, "tests.0.type", "Input should be 'output', 'variable_exists'"),
    "no expected": ({"type": "output"}, "tests.0", "a test of type 'output' needs 'expected'"),
    "no variable": ({"type": "variable_exists"}, "tests.0", "needs 'variable'"),
    "an empty variable": ({"type": "variable_exists", "variable": ""}, "tests.0", "needs 'variable'"),
    "no expected type": ({"type": "variable_type", "variable": "x"}, "tests.0", "needs 'expectedType'"),
    "a type that is none": (
        {"type": "variable_type", "variable": "x", "expectedType": "string"},
        "tests.0",
        "'expectedType' is one of NoneType, bool",
    ),
    "no function": ({"type": "function_call"}, "tests.0", "needs 'function', 'expected' or both"),
    "a length in words": ({"type": "list_length", "variable": "x", "expected": "2"}, "tests.0", "a whole number"),
    "no output for an input": ({"type": "stdin", "stdin": "1"}, "tests.0", "needs 'expected_stdout' or 'checker'"),
    "an input that nobody would read": (
        {"type": "output", "stdin": "5", "expected": "25"},
        "tests.0",
        "a test of type 'output' has no 'stdin'; a run of its own has only one of type 'stdin'",
    ),
    "a checker of a variable": (
        {"type": "variable_exists", "variable": "x", "checker": {"code": "1"}},
        "tests.0",
        "has no 'checker'",
    ),
    "numbers as arguments": (
        {"type": "stdin", "args": [1], "expected_stdout": ""},
        "tests.0",
        "a test of type 'stdin' needs text in 'args'",
    ),
    "an unknown field": ({"type": "output", "expected": "", "colour": 1}, "tests.0.colour", "there is no such field"),
    "an unknown comparator": (
        {"type": "output", "expected": "", "comparator": "fuzzy"},
        "tests.0.comparator",
        "Input should be 'exact'",
    ),
    "a negative tolerance": ({"type": "output", "expected": "", "tolerance": -1}, "tests.0.tolerance", "greater than"),
    "negative points": ({"type": "output", "expected": "", "points": -1}, "tests.0.points", "greater than"),
    "points that have no sum": ({"type": "output", "expected": "", "points": 1e308}, "tests.0.points", "less than"),
    "no time": ({"type": "output", "expected": "", "timeout": 0}, "tests.0.timeout", "greater than 0"),
    "memory in words": ({"type": "output", "expected": "", "mem_limit": "lots"}, "tests.0.mem_limit", "is not a size"),
    "arguments that are no list": (
        {"type": "function_call", "function": "f", "args": "ab"},
        "tests.0.args",
        "valid array",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_test_that_makes_no_sense_is_refused_with_a_sentence(client: httpx.AsyncClient, name: str) -> None:
    test, field, sentence = FAULTS[name]
    answer = await client.post("/run", json={"code": "print(1)", "tests": [test]})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, "invalid_field", field)
    assert sentence in problem["detail"]
    assert problem["detail"].endswith(".")
    assert len(problem["detail"]) < 400


async def test_too_many_tests_are_refused(client: httpx.AsyncClient) -> None:
    tests = [{"type": "output", "expected": "1"}] * 201
    answer = await client.post("/run", json={"code": "print(1)", "tests": tests})
    assert (answer.status_code, answer.json()["field"]) == (422, "tests")
    assert (await client.post("/run", json={"code": "print(1)", "tests": tests[:200]})).json()["points"] == 200


async def test_tests_that_look_into_python_need_python(client: httpx.AsyncClient) -> None:
    test = {"type": "variable_exists", "variable": "x"}
    answer = await client.post("/run", json={"code": "x=1", "image": "bash", "tests": [test]})
    assert (answer.status_code, answer.json()["field"]) == (422, "tests.0.type")
    assert "this one is Bash" in answer.json()["detail"]


async def test_halves_of_surrogate_pairs_are_told_and_break_nothing(client: httpx.AsyncClient) -> None:
    code = (
        "x = '\\udc80'\ny = ['\\ud800']\nz = {'\\udfff': 1}\ndef f(): raise ValueError('\\udc80')\nclass C\\u00e9: pass"
    )
    tests = [{"type": "variable_value", "variable": name, "expected": "?"} for name in "xyz"]
    tests.append({"type": "function_call", "function": "f", "expected": "?"})
    answer = await client.post("/run", json={"code": code.replace("\\u00e9", "é"), "tests": tests})
    assert answer.status_code == 200
    assert answer.json()["testResults"][0]["actual"] == "\\udc80"


async def test_gradings_are_counted(client: httpx.AsyncClient) -> None:
    await client.post("/run", json=HELLO)
    await client.post("/pyquest/run", json={"code": "1/0", "tests": []})
    text = (await client.get("/metrics")).text
    assert 'holdfast_gradings_total{passed="yes"} 1.0' in text
    assert 'holdfast_gradings_total{passed="no"} 1.0' in text


async def streamed(client: httpx.AsyncClient, body: dict[str, Any]) -> list[tuple[str, str]]:
    async with aconnect_sse(client, "POST", "/run/stream", json=body) as source:
        return [(event.event, event.data) async for event in source.aiter_sse()]


async def test_a_streamed_submission_is_a_verdict_for_each_test_and_then_the_grade(client: httpx.AsyncClient) -> None:
    usual = {"type": "stdin", "stdin": "3", "comparator": "stripped"}
    stdin = [{**usual, "expected_stdout": written} for written in ("hi", "no")]
    body = {"code": PROGRAM, "tests": [stdin[0], *ALL_TYPES, stdin[1]]}
    *told, (last, data) = await streamed(client, body)
    verdicts = [VerdictEvent.model_validate_json(data) for name, data in told if name == "verdict"]
    assert len(verdicts) == len(told) == len(body["tests"])
    assert [event.seq for event in verdicts] == list(range(1, 11))
    graded = GradedEvent.model_validate_json(data)
    assert (last, graded.seq) == ("graded", 11)
    assert '"testResults":' in data and '"allPassed":false' in data
    # As they are reached: tests with a run of their own come last.
    assert [event.number for event in verdicts] == [*range(1, 9), 0, 9]
    assert {event.number: event.verdict for event in verdicts} == dict(enumerate(graded.result.test_results))
    whole = GradeResult.model_validate((await client.post("/run", json=body)).json())
    assert [verdict.passed for verdict in whole.test_results] == [True] * 9 + [False]
    assert [verdict.passed for verdict in graded.result.test_results] == [True] * 9 + [False]


async def test_of_a_hidden_test_a_stream_tells_no_more_than_the_answer(client: httpx.AsyncClient) -> None:
    case = {"type": "variable_value", "variable": "x", "expected": "secret", "hidden": True}
    told = await streamed(client, {"code": "x = 1", "tests": [case]})
    assert [name for name, _ in told] == ["verdict", "graded"]
    assert not any("secret" in data for _, data in told)


async def test_a_streamed_submission_that_makes_no_sense_is_refused_before_anything_is_sent(
    client: httpx.AsyncClient,
) -> None:
    body = {"code": "1", "image": "bash", "tests": [{"type": "variable_exists", "variable": "x"}]}
    answer = await client.post("/run/stream", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "tests.0.type")


async def test_a_verdict_is_told_before_the_next_test_and_leaving_ends_the_grading(serving: Any) -> None:
    _, app = await serving(concurrency=1)
    body = {
        "code": "import time\nif input() == 'slow': time.sleep(60)",
        "tests": [{"type": "stdin", "stdin": word, "expected_stdout": ""} for word in ("quick", "slow")],
        "timeout": 70,
    }
    seen: list[str] = []
    with anyio.move_on_after(20) as patience:
        async with app.prebuilds.using(GradeRequest.model_validate(body), OPERATOR) as placed:

            async def tell(event: VerdictEvent) -> None:
                seen.append(event.verdict.description)
                patience.cancel()

            await app.grader.grade(placed, tell)
    assert seen == ["Test 1"]
    assert app.executor.admission.running == 0
