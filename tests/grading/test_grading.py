"""What a grading promises beyond right and wrong: limits, checkers, languages, refusals."""

import secrets
from typing import Any

import anyio
import pytest

from holdfast.app import App
from holdfast.engines import Engine, Sandbox, SandboxSpec
from holdfast.errors import InvalidFieldError, OverCeilingError, RequestError, ShuttingDownError
from holdfast.types import Status
from tests.conftest import needs_language
from tests.grading.asking import call_of, fed, grade, value_of

pytestmark = pytest.mark.anyio


async def test_without_tests_the_grade_is_how_the_program_ended(app: App) -> None:
    assert (await grade(app, "print(1)")).all_passed
    failed = await grade(app, "raise SystemExit(3)")
    assert (failed.success, failed.all_passed, failed.exit_code) == (True, False, 3)


async def test_a_crash_fails_the_grade_though_its_output_was_right(app: App) -> None:
    result = await grade(app, "x = 1\nprint('right')\n1/0", {"type": "output", "expected": "right"}, value_of("x", 1))
    output, value = result.test_results
    assert (output.passed, value.passed, result.all_passed) == (True, False, False)
    assert value.error == "The program ended with exit code 1."
    assert result.stderr.startswith('Traceback (most recent call last):\n  File "/workspace/main.py", line 3, in <mod')
    assert "holdfast" not in result.stderr


async def test_a_syntax_error_is_told_as_python_tells_it(app: App) -> None:
    result = await grade(app, "x = (\n", value_of("x", 1))
    assert result.stderr == (
        "  File \"/workspace/main.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed\n"
    )
    assert not result.all_passed


async def test_graded_runs_have_the_limits_of_graded_runs_unless_they_ask(app: App) -> None:
    limits = (await grade(app, "pass")).limits
    assert (limits.wall_seconds, limits.memory_bytes) == (2, 256 << 20)
    assert limits.cpus == (0.5 if "cpus" in app.executor.engine.capabilities.limits else None)
    assert (await grade(app, "pass", timeout=3, mem_limit="128m")).limits.memory_bytes == 128 << 20


async def test_a_timeout_is_a_grade_and_keeps_what_was_printed(app: App) -> None:
    test = {"type": "output", "expected": "early"}
    result = await grade(app, "print('early', flush=True)\nwhile True: pass", test, value_of("x", 1), timeout=1)
    assert (result.status, result.stdout, result.all_passed) == (Status.TIMED_OUT, "early\n", False)
    assert [verdict.passed for verdict in result.test_results] == [True, False]
    assert result.test_results[1].error == "The program was ended at its time limit."


async def test_a_call_that_takes_too_long_costs_only_its_own_test(app: App) -> None:
    code = "def f(n):\n    while n: pass\n    return 'done'"
    late, early = call_of("f", 1, expected="done", timeout=0.3), call_of("f", 0, expected="done", timeout=20)
    result = await grade(app, code, early, late, early)
    assert [verdict.passed for verdict in result.test_results] == [True, False, True]
    assert result.test_results[1].error == "f: It took longer than its time limit."


async def test_calls_do_not_see_what_other_calls_did(app: App) -> None:
    code = "import os\nseen = []\ndef f(x):\n    seen.append(x)\n    open(f'mark-{x}', 'w')\n    return len(seen)"
    result = await grade(app, code, *(call_of("f", n, expected=1) for n in range(3)), value_of("seen", []))
    assert result.all_passed


FILES = """
import os, pathlib
os.mkdir('d')
pathlib.Path('d/log').write_text('one\\n')
opened = open('d/log')

def add():
    with open('d/log', 'a') as log: log.write('more\\n')
    pathlib.Path('new').touch(exist_ok=False)
    os.makedirs('e/f')
    return [len(open('d/log').readlines()), len(opened.readlines())]

def destroy():
    found = [os.listdir('d'), pathlib.Path('d/log').read_text()]
    os.remove('d/log')
    os.rmdir('d')
    pathlib.Path('d').touch(exist_ok=False)
    return found
"""


async def test_calls_do_not_see_which_files_other_calls_made_changed_and_removed(app: App) -> None:
    added, destroyed = call_of("add", expected=[2, 2]), call_of("destroy", expected=[["log"], "one\n"])
    result = await grade(app, FILES, added, added, destroyed, destroyed)
    assert result.all_passed, result.test_results


async def test_each_call_has_the_rest_of_the_input_for_itself(app: App) -> None:
    calls = [call_of("ask", expected="a") for _ in range(2)]
    result = await grade(app, "def ask(): return input()", *calls, stdin="a\nb\n")
    assert result.all_passed, result.test_results
    result = await grade(app, "name = input()\ndef ask(): return input()", *calls, stdin="z\na\nb\n")
    assert result.all_passed, result.test_results
    assert (await grade(app, "def ask(): return 'a'", *calls)).all_passed


async def test_a_call_tells_what_it_raised(app: App) -> None:
    result = await grade(app, "def f(x): return 1 / x", call_of("f", 0), call_of("f", 2), call_of("g"), call_of("f.g"))
    assert [verdict.passed for verdict in result.test_results] == [False, True, False, False]
    assert [verdict.error for verdict in result.test_results] == [
        "f: It raised ZeroDivisionError: division by zero.",
        None,
        "There is no function 'g'.",
        "f.g: It raised AttributeError: 'function' object has no attribute 'g'.",
    ]


async def test_values_too_large_for_the_first_look_are_asked_for(app: App) -> None:
    code = "long = list(range(50_000))\ntext = 'é' * 100_000\nhuge = list(range(1_000_000))"
    contains = {"type": "list_contains", "variable": "long", "expected": 49_999}
    length = {"type": "list_length", "variable": "huge", "expected": 1_000_000}
    tests = contains, length, value_of("text", "é" * 100_000), value_of("huge", [1])
    # A million numbers take longer than the usual two seconds when half a processor is shared with others.
    result = await grade(app, code, *tests, timeout=20)
    assert [verdict.passed for verdict in result.test_results] == [True, True, True, False]
    assert result.test_results[3].error == "The value is too large to compare."


async def test_a_large_value_is_asked_for_once_however_many_tests_are_about_it(app: App) -> None:
    tests = [{"type": "list_contains", "variable": "long", "expected": number} for number in range(99_980, 100_000)]
    assert (await grade(app, "long = list(range(100_000))", *tests, timeout=5)).all_passed


async def test_answers_that_are_together_too_large_fail_with_that_reason(app: App) -> None:
    calls = [call_of("f", size, expected=[1]) for size in (*[110_000] * 12, 1)]
    result = await grade(app, "def f(n): return [n] * n", *calls, timeout=5)
    assert result.test_results[-1].passed, "the small one is read"
    assert "f: The answers are together too large." in {verdict.error for verdict in result.test_results}


async def test_each_stdin_test_is_a_run_of_its_own(app: App) -> None:
    code = "import sys\nprint(int(input()) ** 2, *sys.argv[1:])\nopen('left', 'x')"
    result = await grade(
        app, code, fed("3\n", "9"), fed("4\n", "17"), fed("x", "0"), fed("5", "25 a b", args=["a", "b"])
    )
    assert [verdict.passed for verdict in result.test_results] == [True, False, False, True]
    assert [verdict.status for verdict in result.test_results] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert result.test_results[1].actual == "16\n"
    assert (result.stdout, result.status, result.all_passed) == ("9\n", Status.SUCCEEDED, False)


async def test_a_stdin_test_can_have_limits_of_its_own(app: App) -> None:
    code = "import time\ntime.sleep(float(input()))"
    result = await grade(app, code, fed("1", "", timeout=0.2), fed("0", "", timeout=9, mem_limit="64m"))
    assert [verdict.status for verdict in result.test_results] == ["timed_out", "succeeded"]


@pytest.mark.parametrize(
    ("comparator", "expected", "passed"),
    [
        ("exact", "0.1 2\n", True),
        ("exact", "0.1 2", False),
        ("tokens", "0.1\n2", True),
        ("float", "0.10000000001 2.0", True),
    ],
)
async def test_output_is_compared_as_the_test_says(app: App, comparator: str, expected: str, passed: bool) -> None:
    tests = fed("", expected, comparator=comparator), {"type": "output", "expected": expected, "comparator": comparator}
    result = await grade(app, "print(0.1, 2)", *tests)
    assert [verdict.passed for verdict in result.test_results] == [passed, passed]


async def test_a_checker_judges_in_a_sandbox_the_submission_was_never_in(app: App) -> None:
    checker = {
        "code": "import os\nassert sorted(os.listdir()) == ['actual.txt', 'expected.txt', 'input.txt', 'main.py']\n"
        "n, answer = int(open('input.txt').read()), int(open('actual.txt').read())\n"
        "if n % answer or answer in (1, n): raise SystemExit('no proper divisor' if print('bad') else 1)"
    }
    good = await grade(app, "n = int(input())\nprint(7 if n % 7 == 0 else 1)", *(
        {"type": "stdin", "stdin": str(n), "checker": checker, "expected_stdout": "7"} for n in (49, 21)
    ))  # fmt: skip
    bad = await grade(
        app, "open('actual.txt', 'w').write('7')\nprint(1)", {"type": "stdin", "stdin": "49", "checker": checker}
    )
    assert good.all_passed
    assert (bad.all_passed, bad.test_results[0].error) == (False, "bad")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit('5 is no divisor')", "The checker said no: 5 is no divisor"),
        ("print('bad'); raise SystemExit('5 is no divisor')", "bad"),
        ("1 / 0", "The checker said no: ZeroDivisionError: division by zero"),
        ("raise SystemExit(1)", "The checker said no: The program ended with exit code 1."),
    ],
)
async def test_what_a_checker_says_is_the_reason_wherever_it_writes_it(app: App, code: str, why: str) -> None:
    result = await grade(app, "print(5)", {"type": "stdin", "checker": {"code": code}})
    assert result.test_results[0].error == why


SQUARES = {
    "bash": "read n; echo $((n * n))",
    "node": "console.log(Number(require('fs').readFileSync(0, 'utf8')) ** 2)",
    "deno": "console.log(Number(await new Response(Deno.stdin.readable).text()) ** 2)",
    "bun": "console.log(Number(await Bun.stdin.text()) ** 2)",
    "go": 'package main\nimport "fmt"\nfunc main() { var n int; fmt.Scan(&n); fmt.Println(n * n) }',
    "rust": """
fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let n: i64 = line.trim().parse().unwrap();
    println!("{}", n * n);
}
""",
}


@pytest.mark.parametrize(("image", "code"), SQUARES.items())
async def test_other_languages_are_graded_by_what_they_write(app: App, image: str, code: str) -> None:
    needs_language(app.executor.runtimes, image)
    tests = fed("12\n", "144"), {"type": "output", "expected": "36"}, {"type": "function_call", "expected": 36}
    result = await grade(app, code, *tests, image=image, stdin="6\n")
    assert result.all_passed, result.test_results


class Counting:
    """An engine that counts the sandboxes it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.made = 0

    async def create(self, spec: SandboxSpec) -> Sandbox:
        self.made += 1
        return await self._engine.create(spec)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


async def test_many_cases_need_one_compile(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_language(app.executor.runtimes, "go")
    engine = Counting(app.executor.engine)
    monkeypatch.setattr(app.executor, "engine", engine)
    token = secrets.token_hex(8)
    code = f'package main // {token}\nimport "fmt"\nfunc main() {{ var n int; fmt.Scan(&n); fmt.Println(n * n) }}'
    cases = [fed(str(number), str(number * number)) for number in range(5)]
    result = await grade(app, code, *cases, image="go")
    assert (result.all_passed, len(result.test_results)) == (True, 5)
    assert engine.made == 1 + 5, "a sandbox for the compiler, and one for each case"


async def test_what_does_not_compile_fails_every_test_with_that_reason(app: App) -> None:
    needs_language(app.executor.runtimes, "go")
    result = await grade(app, "package main\nfunc main() {", fed("1", "1"), fed("2", "4"), image="go")
    assert (result.status, result.all_passed) == (Status.COMPILE_FAILED, False)
    assert {verdict.error for verdict in result.test_results} == {"The program does not compile."}


async def test_what_looks_into_python_is_refused_for_other_languages(app: App) -> None:
    for test in (value_of("x", 1), call_of("f"), {"type": "list_length", "variable": "x", "expected": 1}):
        with pytest.raises(InvalidFieldError, match="this one is Bash; use 'output' or 'stdin'") as refusal:
            await grade(app, "x=1", {"type": "output", "expected": ""}, test, image="bash")
        assert refusal.value.field == "tests.1.type"
    with pytest.raises(InvalidFieldError, match="cannot be used with 'entrypoint'"):
        await grade(app, "x = 1", value_of("x", 1), entrypoint="python main.py")


REFUSED: dict[str, dict[str, Any]] = {
    "a call above the ceiling": call_of("f", timeout=1e6),
    "input above the ceiling": fed("", "", timeout=1e6),
    "memory above the ceiling": fed("", "", mem_limit="9t"),
    "an unknown language of a checker": {"type": "stdin", "checker": {"code": "1", "image": "cobol"}},
    "a checker without code": {"type": "stdin", "checker": {"code": ""}},
    "arguments without measure": call_of("f", "x" * 300_000),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_graded_is_refused_before_anything_runs(app: App, name: str) -> None:
    before = app.metrics.exposition()
    with pytest.raises(RequestError) as refusal:
        await grade(app, "def f(x): pass", {"type": "output", "expected": ""}, REFUSED[name])
    assert refusal.value.detail.endswith(".")
    assert app.metrics.exposition() == before, "no run was counted"


async def test_a_limit_of_a_test_is_named_when_it_is_above_the_ceiling(app: App) -> None:
    with pytest.raises(OverCeilingError) as refusal:
        await grade(app, "1", call_of("f"), call_of("f", timeout=1e6))
    assert refusal.value.field == "tests.1.timeout"


async def test_a_program_that_writes_more_than_its_checker_can_be_given_fails_that_test_alone(app: App) -> None:
    test = {"type": "stdin", "stdin": "", "checker": {"code": "pass"}}
    result = await grade(
        app, "print('x' * 9_000_000)", test, fed("", "", comparator="tokens"), max_output_bytes=16 << 20
    )
    first, second = result.test_results
    assert (first.passed, first.error) == (False, "The program wrote more than a checker can be given.")
    assert second.status is Status.SUCCEEDED


OF_A_TEST: dict[str, tuple[dict[str, Any], str]] = {
    "its time": (fed("", "", timeout=1e6), "tests.1.timeout"),
    "its memory": (fed("", "", mem_limit="9t"), "tests.1.mem_limit"),
    "too little memory": (fed("", "", mem_limit="1k"), "tests.1.mem_limit"),
    "its arguments": ({"type": "stdin", "args": ["a\0"], "expected_stdout": ""}, "tests.1.args"),
    "half a character": (fed("\ud800", ""), "tests.1.stdin"),
    "the code of its checker": ({"type": "stdin", "checker": {"code": ""}}, "tests.1.checker.code"),
    "the language of its checker": (
        {"type": "stdin", "checker": {"code": "1", "image": "no"}},
        "tests.1.checker.image",
    ),
    "what its checker is to read": ({"type": "stdin", "stdin": "x" * (9 << 20), "checker": {"code": "1"}}, "tests.1"),
}


@pytest.mark.parametrize("name", OF_A_TEST)
async def test_what_is_wrong_with_a_test_is_named_with_the_test(app: App, name: str) -> None:
    test, field = OF_A_TEST[name]
    with pytest.raises(RequestError) as refusal:
        await grade(app, "1", fed("", ""), test)
    assert refusal.value.field == field


async def test_a_submission_finds_itself_where_any_program_does_also_when_started_cold(app: App) -> None:
    code = "import os, sys\nplace = [__name__, __file__, sys.argv, os.listdir(), sys.flags.isolated]"
    expected = ["__main__", "/workspace/main.py", ["main.py"], ["main.py"], 0]
    for environment in ({}, {"LANG": "C"}):
        result = await grade(app, code, value_of("place", expected), environment=environment)
        assert result.all_passed, (result.stderr, result.test_results)


async def test_what_a_graded_program_leaves_behind_is_its_own(app: App) -> None:
    code = "open('chart.png', 'w').write('x')\ny = 2"
    result = await grade(app, code, value_of("y", 2), artifacts=["*"])
    assert sorted(artifact.path for artifact in result.artifacts) == ["chart.png", "main.py"]
    main = next(artifact for artifact in result.artifacts if artifact.path == "main.py")
    assert main.content().decode() == code


async def test_a_grading_that_has_begun_is_finished_while_the_server_drains(app: App) -> None:
    admission, results = app.executor.admission, []

    async def grading() -> None:
        tests = call_of("f", 1, expected=2), *(fed(str(n), str(n)) for n in range(3))
        code = "import sys, time\ntime.sleep(0.1)\ndef f(n): return n + 1\nprint(sys.stdin.read())"
        results.append(await grade(app, code, *tests))

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(grading)
            while admission.running == 0:  # noqa: ASYNC110  # no engine tells
                await anyio.sleep(0.01)
            admission.drain()
            with pytest.raises(ShuttingDownError):
                await grade(app, "x = 1", value_of("x", 1))
    finally:
        admission.draining = False
    assert results[0].all_passed
