"""From what was seen of a program to what a test makes of it. Pure functions: nothing runs here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.grading.inspection import Answer
from holdfast.grading.texts import has_line, same_text
from holdfast.grading.values import Seen, equals, is_whole, printable, show
from holdfast.types import (
    NOTHING_USED,
    Comparator,
    RunResult,
    Status,
    TestCase,
    TestType,
    Truncated,
    Verdict,
)

MAX_SHOWN_OUTPUT = 20_000
_TOO_LARGE = "The value is too large to compare."
_WITHHELD = "What the program did with a hidden test is not shown."
_SENTENCES = {
    Status.TIMED_OUT: "The program was ended at its time limit.",
    Status.OUT_OF_MEMORY: "The program needed more memory than its limit.",
    Status.OUTPUT_LIMIT: "The program was ended because it wrote far more than its output limit.",
    Status.DISK_LIMIT: "The program wrote more files than its disk limit.",
    Status.CANCELLED: "The program was ended before it was done.",
    Status.COMPILE_FAILED: "The program does not compile.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test found: whether it is as expected, and what to show of it."""

    passed: bool
    expected: Any = None
    actual: Any = None
    error: str | None = None
    run: RunResult | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the main run: its result, its variables unless it did not come to say, and its answers.

    An answer can be large, so it is looked at when its test is judged, and not kept.
    """

    run: RunResult
    variables: Mapping[str, Seen] | None = None
    answer: Callable[[int], Answer | None] = lambda number: None

    def why_unknown(self) -> str:
        """Why nothing is known of its variables."""
        if self.run.status is not Status.SUCCEEDED:
            return reason(self.run)
        return "The program ended before its variables could be looked at; it must not end itself with os._exit."


def reason(run: RunResult) -> str:
    """How a program ended that did not end well."""
    return _SENTENCES.get(run.status, f"The program ended with exit code {run.exit_code}.")


def why_not(checked: RunResult) -> str:
    """What a checker printed when it said no, or its last line on stderr, where `SystemExit("…")` says its reason."""
    printed, lines = checked.stdout.strip(), checked.stderr.strip().splitlines()
    last = lines[-1] if lines and checked.status is Status.FAILED else reason(checked)
    return (printed or f"The checker said no: {last}")[:1000]


def find(number: int, case: TestCase, evidence: Evidence) -> Finding:
    """What one test of the main run finds."""
    return _FINDERS[case.type](number, case, evidence)


def verdict(number: int, case: TestCase, finding: Finding) -> Verdict:
    """The finding as it is told: of a hidden test no more than whether it passed.

    How its run ended and how long it took is up to the program, which could say with it what it was given.
    """
    open_ = not case.hidden
    run = finding.run if open_ else None
    return Verdict(
        description=case.description or f"Test {number + 1}",
        type=case.type,
        passed=finding.passed,
        expected=finding.expected if open_ else None,
        actual=finding.actual if open_ else None,
        error=printable(finding.error) if open_ and finding.error is not None else None,
        points=case.points if finding.passed else 0,
        max_points=case.points,
        hidden=case.hidden,
        status=run.status if run else None,
        execution_time=run.execution_time if run else None,
    )


def without_what_it_said(run: RunResult) -> RunResult:
    """A run with a hidden input, without anything with which the program could tell what that was."""
    ended = run.status if run.status in (Status.SUCCEEDED, Status.CANCELLED) else Status.FAILED
    return run.model_copy(
        update={
            "status": ended,
            "exit_code": int(ended is not Status.SUCCEEDED),
            "stdout": "",
            "stderr": "",
            "truncated": Truncated(stdout=False, stderr=False),
            "execution_time": 0.0,
            "usage": NOTHING_USED,
            "timings": run.timings.model_copy(update={"run_ms": 0.0, "collect_ms": 0.0}),
            "artifacts": (),
            "notes": (_WITHHELD,),
            "metadata": None,
        }
    )


def find_written(case: TestCase, run: RunResult) -> Finding:
    """What a `stdin` test finds in a run of its own, as far as no checker is needed."""
    expected, shown = case.expected_stdout, shown_output(run.stdout)
    if run.status is not Status.SUCCEEDED:
        return Finding(False, expected, shown, reason(run), run)
    if run.truncated.stdout:
        return Finding(False, expected, shown, "The program wrote more than its output limit.", run)
    same = expected is None or same_text(run.stdout, expected, case.comparator or Comparator.TRIMMED, case.tolerance)
    return Finding(same or case.checker is not None, expected, shown, None, run)


def shown_output(text: str) -> str:
    """Output as a verdict shows it."""
    return text if len(text) <= MAX_SHOWN_OUTPUT else f"{text[:MAX_SHOWN_OUTPUT]}…"


def first_name(function: str) -> str:
    """The variable with which a function's name begins, as `stack` in `stack.push`."""
    return function.partition(".")[0]


def _output(number: int, case: TestCase, evidence: Evidence) -> Finding:
    written, comparator = evidence.run.stdout, case.comparator or Comparator.STRIPPED
    same = same_text(written, str(case.expected), comparator, case.tolerance) and not evidence.run.truncated.stdout
    return Finding(same, case.expected, shown_output(written.strip()))


def _exists(number: int, case: TestCase, evidence: Evidence) -> Finding:
    expected = f"Variable '{case.variable}' should exist"
    if evidence.variables is None:
        return Finding(False, expected, "Not found", evidence.why_unknown())
    found = case.variable in evidence.variables
    return Finding(found, expected, "Found" if found else "Not found")


Judge = Callable[[TestCase, Seen], Finding]


def _of_variable(judge: Judge, *, whole: bool) -> Callable[[int, TestCase, Evidence], Finding]:
    """A test of one variable, which must be there and, if the test is about its value, not too large."""

    def find_in(number: int, case: TestCase, evidence: Evidence) -> Finding:
        expected = case.expected if case.has_expected else case.expected_type
        if evidence.variables is None:
            return Finding(False, expected, None, evidence.why_unknown())
        seen = evidence.variables.get(case.variable or "")
        if seen is None:
            return Finding(False, expected, None, f"There is no variable '{case.variable}'.")
        answer = evidence.answer(number)
        if answer is not None:
            if answer.value is None:
                return Finding(False, expected, None, answer.reason)
            seen = answer.value
        finding = judge(case, seen)
        return Finding(False, expected, finding.actual, _TOO_LARGE) if whole and not is_whole(seen) else finding

    return find_in


def _type(case: TestCase, seen: Seen) -> Finding:
    return Finding(seen.kind == case.expected_type, case.expected_type, printable(seen.kind or seen.name))


def _value(case: TestCase, seen: Seen) -> Finding:
    return Finding(equals(seen, case.expected, case.tolerance, case.expected_type), case.expected, show(seen))


def _contains(case: TestCase, seen: Seen) -> Finding:
    if seen.kind != "list":
        return _no_list(case, seen)
    found = not seen.cut and any(equals(item, case.expected, case.tolerance) for item in seen.value)
    return Finding(found, case.expected, show(seen))


def _length(case: TestCase, seen: Seen) -> Finding:
    return (
        Finding(seen.length == case.expected, case.expected, seen.length)
        if seen.kind == "list"
        else _no_list(case, seen)
    )


def _no_list(case: TestCase, seen: Seen) -> Finding:
    return Finding(False, case.expected, show(seen), f"'{case.variable}' is no list but {seen.kind or seen.name}.")


def _call(number: int, case: TestCase, evidence: Evidence) -> Finding:
    if case.function is None:
        written = evidence.run.stdout
        return Finding(has_line(written, str(case.expected)), case.expected, shown_output(written.strip()))
    expected = case.expected if case.has_expected else None
    if evidence.variables is None:
        return Finding(False, expected, None, evidence.why_unknown())
    if first_name(case.function) not in evidence.variables:
        return Finding(False, expected, None, f"There is no function '{case.function}'.")
    answer = evidence.answer(number) or Answer(reason="It was not asked.")
    value = answer.value
    if value is None:
        return Finding(False, expected, None, f"{case.function}: {answer.reason}")
    printed = answer.printed.strip()
    shown = shown_output(printed) if printed and value.kind == "NoneType" else show(value)
    if not case.has_expected:
        return Finding(case.expected_type in (None, value.kind), None, shown)
    said = case.expected_type is None and printed != "" and printed == str(case.expected).strip()
    return Finding(equals(value, case.expected, case.tolerance, case.expected_type) or said, expected, shown)


_FINDERS: Mapping[TestType, Callable[[int, TestCase, Evidence], Finding]] = {
    TestType.OUTPUT: _output,
    TestType.VARIABLE_EXISTS: _exists,
    TestType.VARIABLE_TYPE: _of_variable(_type, whole=False),
    TestType.VARIABLE_VALUE: _of_variable(_value, whole=True),
    TestType.LIST_CONTAINS: _of_variable(_contains, whole=True),
    TestType.LIST_LENGTH: _of_variable(_length, whole=False),
    TestType.FUNCTION_CALL: _call,
}
