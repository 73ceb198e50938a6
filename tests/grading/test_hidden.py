"""Hidden tests: their verdict is told, and nothing else about them."""

import pytest

from holdfast.app import App
from holdfast.types import Status
from tests.conftest import needs_language
from tests.grading.asking import call_of, fed, grade, value_of

pytestmark = pytest.mark.anyio


async def test_of_a_hidden_test_only_its_verdict_is_told(app: App) -> None:
    secret = {"hidden": True, "points": 3}
    code = "import sys\ndata = sys.stdin.read()\nprint(data)\nx = 1\ndef f(word): return word"
    tests = [fed("pa55word", "pa55word", **secret), call_of("f", "pa55word", expected="pa55word", **secret)]
    result = await grade(app, code, *tests, value_of("x", "pa55word") | secret)
    assert [verdict.passed for verdict in result.test_results] == [True, True, False]
    assert (result.points, result.max_points) == (6, 9)
    only = await grade(app, code, tests[0])
    for told in (result.model_dump_json(), only.model_dump_json()):
        assert "pa55word" not in told


TELLING = {
    "with metadata": "from sdk import set_metadata; set_metadata(word)",
    "with the name of a file": "open(word, 'w').write('x')",
    "with the name of a file that cannot be had": "import os; os.mkfifo(word)",
    "with its exit code": "import sys; sys.exit(len(word))",
    "with its time": "import time; time.sleep(len(word) / 10)",
    "with what it uses": "kept = bytearray(len(word) << 23); children = [__import__('os').fork() for _ in word[:2]]",
    "with its end": "__import__('os').kill(0, 9) if word[0] == 'p' else None",
}


@pytest.mark.parametrize("how", TELLING)
async def test_a_program_cannot_tell_what_it_was_given_in_a_hidden_test(app: App, how: str) -> None:
    """Two inputs, of which it would tell different things, come to one answer."""
    answers = []
    for word in ("pa55word", "no"):
        code = f"word = input()\n{TELLING[how]}"
        case = {"type": "stdin", "stdin": word, "expected_stdout": "never", "hidden": True}
        result = await grade(app, code, case, case, artifacts=["*"])
        assert "pa55word" not in result.model_dump_json()
        answers.append(result.model_dump(exclude={"run_id", "timings"}))
        if how == "with its end":
            answers[-1] = {name: value for name, value in answers[-1].items() if name not in ("status", "exit_code")}
    assert answers[0] == answers[1]


async def test_the_first_test_that_is_not_hidden_stands_for_the_program(app: App) -> None:
    code = "word = input()\nprint(word)\nfrom sdk import set_metadata; set_metadata(word)"
    seen, hidden = fed("seen", "seen"), fed("pa55word", "pa55word", hidden=True)
    result = await grade(app, code, hidden, seen)
    assert (result.stdout, result.metadata, result.all_passed) == ("seen\n", "seen", True)
    assert (result.test_results[0].status, result.test_results[0].execution_time) == (None, None)
    assert "pa55word" not in result.model_dump_json()


async def test_what_a_compiler_says_is_told_also_when_all_tests_are_hidden(app: App) -> None:
    needs_language(app.executor.runtimes, "go")
    result = await grade(app, "package main\nfunc main() { nothing() }", fed("1", "1", hidden=True), image="go")
    assert (result.status, result.phase) == (Status.COMPILE_FAILED, "compile")
    assert "undefined: nothing" in result.stderr


async def test_a_hidden_question_is_in_no_sandbox_whose_answers_are_shown(app: App) -> None:
    code = """
import gc, marshal, sys
def everything():
    frame, found = sys._getframe(), ""
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            found += ascii(value)
            if isinstance(value, bytes):
                try:
                    found += ascii(marshal.loads(value))
                except (ValueError, EOFError, TypeError):
                    pass
        frame = frame.f_back
    return found
stolen = everything()
print(stolen)
def f(x):
    text = everything()
    return [place for place in ("visible", "pa55" + "word") if place in text]
"""
    seen, hidden = call_of("f", "visible", expected=[]), call_of("f", "pa55word", expected=[], hidden=True)
    told = await grade(app, code, seen, hidden, {"type": "list_length", "variable": "stolen", "expected": 0})
    assert told.test_results[0].actual == ["visible"], "it does find what it was asked, and nothing else"
    assert "pa55word" not in told.model_dump_json()
