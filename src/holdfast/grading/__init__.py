"""Grading: run a submission, look at what it came to, and judge it against tests.

Four kinds of run, each an ordinary run of the executor: the program itself, which is looked at when it has ended; the
same again for calls of its functions, unseen by anybody; once more per `stdin` test; and a checker, where a test has
one. What is expected never enters a sandbox in which the submission runs.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TypeVar

import anyio
from pydantic import BaseModel

from holdfast.errors import HoldfastError, InvalidFieldError, MalformedRequestError, OverCeilingError, RequestError
from holdfast.execution import Executor, runs_of
from holdfast.grading.inspection import Answer, Inspection, Question
from holdfast.grading.judging import (
    Evidence,
    Finding,
    find,
    find_written,
    first_name,
    reason,
    verdict,
    why_not,
    without_what_it_said,
)
from holdfast.grading.values import Seen, is_whole
from holdfast.languages import DEFAULT_LANGUAGE, LANGUAGES
from holdfast.types import (
    Checker,
    GradeRequest,
    GradeResult,
    RunKind,
    RunRequest,
    RunResult,
    Status,
    TestCase,
    TestType,
    VerdictEvent,
)

__all__ = ["Grader"]

T = TypeVar("T")
Tell = Callable[[VerdictEvent], Awaitable[None]]

TIMEOUT_SECONDS = 2.0
MEMORY = "256m"
CPUS = 0.5
_TOO_MUCH_TO_CHECK = "The program wrote more than a checker can be given."
_OF_ANY_LANGUAGE = frozenset({TestType.OUTPUT, TestType.STDIN})
_OF_VALUES = frozenset({TestType.VARIABLE_VALUE, TestType.LIST_CONTAINS})


class Grader:
    """Grades submissions with an executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        # Descriptions can be large: one at a time is taken apart, beside the event loop.
        self._judging = anyio.CapacityLimiter(1)

    async def grade(self, request: GradeRequest, tell: Tell | None = None) -> GradeResult:
        """Run and judge. Raises what `Executor.run` raises; a submission that fails is a result.

        `tell` hears of every verdict as it is reached; what it raises ends the grading.
        """
        tests = request.tests or []
        program = self._with_defaults(request)
        self._check(program, tests)
        with runs_of(RunKind.GRADE):
            async with self._executor.admission.place_for_all():
                run, findings = await self._all_runs(program, tests, tell or _nobody)
        result = _result(run, tests, findings)
        self._executor.metrics.gradings.labels("yes" if result.all_passed else "no").inc()
        return result

    async def _all_runs(
        self, program: RunRequest, tests: Sequence[TestCase], tell: Tell
    ) -> tuple[RunResult | None, dict[int, Finding]]:
        """The main run, if there is one, and what each test found."""
        main = [number for number, case in enumerate(tests) if case.type is not TestType.STDIN]
        findings: dict[int, Finding] = {}
        run: RunResult | None = None
        if main or not tests:
            evidence = await self._main_run(program, {number: tests[number] for number in main})
            run = evidence.run
            findings |= await self._judge(lambda: {number: find(number, tests[number], evidence) for number in main})
        for seq, number in enumerate(main, start=1):
            await tell(_event(seq, number, tests, findings))
        latest = run
        for number, case in enumerate(tests):
            if case.type is TestType.STDIN:
                findings[number] = await self._stdin_run(program, case, latest)
                latest = findings[number].run
                await tell(_event(len(findings), number, tests, findings))
        return run, findings

    def _with_defaults(self, request: GradeRequest) -> RunRequest:
        """The program as a plain request, with the limits of graded runs where it names none."""
        given = {name: getattr(request, name) for name in RunRequest.model_fields}
        ceilings, enforced = self._executor.bounds.ceilings, self._executor.engine.capabilities.limits
        if request.timeout is None:
            given["timeout"] = min(TIMEOUT_SECONDS, ceilings.wall_seconds)
        if request.mem_limit is None and "memory_bytes" in enforced and ceilings.memory_bytes >= 256 << 20:
            given["mem_limit"] = MEMORY
        if request.cpus is None and "cpus" in enforced and (ceilings.cpus or CPUS) >= CPUS:
            given["cpus"] = CPUS
        return RunRequest.model_construct(**given).in_layer(request.image, request.layer, request.prebuilt)

    def _check(self, program: RunRequest, tests: Sequence[TestCase]) -> None:
        """Refuse what cannot be graded before anything runs. Raises RequestError."""
        spec, _ = self._executor.validate(program)
        language = LANGUAGES[spec.language]
        for number, case in enumerate(tests):
            field = f"tests.{number}"
            inspects = _looks_inside(case)
            if inspects and language.name != DEFAULT_LANGUAGE:
                raise InvalidFieldError(
                    f"A test of type '{case.type}' looks into a Python program, and this one is {language.title}; "
                    "use 'output' or 'stdin'.",
                    field=f"{field}.type",
                )
            if inspects and (program.entrypoint or not program.code):
                raise InvalidFieldError(
                    f"A test of type '{case.type}' looks into main.py, so it cannot be used with 'entrypoint'.",
                    field=f"{field}.type",
                )
            self._check_limits(program, case, field)
        _ = Inspection.of(program, [_question(case, 0) for case in tests if _is_call(case)])

    def _check_limits(self, program: RunRequest, case: TestCase, field: str) -> None:
        ceiling = self._executor.bounds.ceilings.wall_seconds
        if case.timeout is not None and case.timeout > ceiling:
            raise OverCeilingError(
                f"'timeout' is above this server's ceiling of {ceiling:g} s.", field=f"{field}.timeout"
            )
        if case.type is TestType.STDIN:
            with _named(field, TestCase):
                self._executor.validate(_stdin_request(program, case))
        if case.checker is not None:
            with _named(field, Checker, ".checker"):
                self._executor.validate(_checker_request(case, ""))

    async def _main_run(self, program: RunRequest, cases: Mapping[int, TestCase]) -> Evidence:
        """Run the program as it is, or so that its variables are seen when a test is about one.

        A function is looked for here as well, where the program cannot yet know what it will be asked.
        """
        if not any(_looks_inside(case) for case in cases.values()):
            return Evidence(await self._executor.run(program))
        inspection = Inspection.of(program)
        run = await self._executor.run(inspection.request)
        variables = None
        if run.status is Status.SUCCEEDED:
            variables = await self._judge(partial(inspection.variables, run))
        run = inspection.without_ours(run)
        return Evidence(run, variables, await self._ask(program, run, cases, variables or {}))

    async def _ask(
        self, program: RunRequest, run: RunResult, cases: Mapping[int, TestCase], variables: Mapping[str, Seen]
    ) -> Callable[[int], Answer | None]:
        """Run it again for calls, and for values that were too large to see; what it answered, by number of test.

        Hidden tests have a run of their own: else a program could tell what it was asked in an answer that is shown.
        """
        answers: dict[int, Callable[[], Answer]] = {}
        for hidden in (False, True):
            numbers = [number for number, case in cases.items() if case.hidden is hidden and _asks(case, variables)]
            # A large value is asked for once, however many tests are about it.
            places = {_asked_once(number, cases[number]): number for number in numbers}
            questions = [_question(cases[number], run.limits.wall_seconds) for number in places.values()]
            if questions:
                inspection = Inspection.of(program, questions)
                again = await self._executor.run(self._with_time_for(questions, inspection.request, run))
                order, read = list(places), lru_cache(maxsize=1)(partial(inspection.answer, again))
                for number in numbers:
                    answers[number] = partial(read, order.index(_asked_once(number, cases[number])))
        return lambda number: answers[number]() if number in answers else None

    def _with_time_for(self, questions: Sequence[Question], request: RunRequest, run: RunResult) -> RunRequest:
        seconds = run.limits.wall_seconds + sum(question.seconds for question in questions)
        return request.model_copy(update={"timeout": min(self._executor.bounds.ceilings.wall_seconds, seconds)})

    async def _stdin_run(self, program: RunRequest, case: TestCase, before: RunResult | None) -> Finding:
        """Run it with the input of one test. What does not compile, or was ended by us, is not tried again."""
        if before is not None and before.status in (Status.COMPILE_FAILED, Status.CANCELLED):
            return Finding(False, case.expected_stdout, error=reason(before), run=before)
        request = _stdin_request(program, case)
        run = await self._executor.run(request)
        finding = await self._judge(partial(find_written, case, run))
        if case.checker is None or not finding.passed:
            return finding
        return await self._checked(case, finding, run)

    async def _checked(self, case: TestCase, finding: Finding, run: RunResult) -> Finding:
        """Let the test's own program judge, in a sandbox that the submission never was in."""
        try:
            checked = await self._executor.run(_checker_request(case, run.stdout))
        except RequestError:
            # With nothing written it was allowed, before anything ran: a submission must not undo the whole grading.
            return Finding(False, finding.expected, finding.actual, _TOO_MUCH_TO_CHECK, run)
        passed = checked.status is Status.SUCCEEDED
        return Finding(passed, finding.expected, finding.actual, None if passed else why_not(checked), run)

    async def _judge(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._judging)


@contextmanager
def _named(field: str, kind: type[BaseModel], part: str = "") -> Iterator[None]:
    """What is wrong with the run of a test is named as the test's, or as that of its part which says so."""
    try:
        yield
    except HoldfastError as error:
        error.field = f"{field}{part}.{error.field}" if error.field in kind.model_fields else field
        raise


def _event(seq: int, number: int, tests: Sequence[TestCase], findings: Mapping[int, Finding]) -> VerdictEvent:
    return VerdictEvent(seq=seq, number=number, verdict=verdict(number, tests[number], findings[number]))


async def _nobody(event: VerdictEvent) -> None:
    """Nobody wants to hear of single verdicts."""


def _is_about_lines(case: TestCase) -> bool:
    return case.type is TestType.FUNCTION_CALL and case.function is None


def _is_call(case: TestCase) -> bool:
    return case.type is TestType.FUNCTION_CALL and case.function is not None


def _looks_inside(case: TestCase) -> bool:
    return case.type not in _OF_ANY_LANGUAGE and not _is_about_lines(case)


def _asks(case: TestCase, variables: Mapping[str, Seen]) -> bool:
    if case.function is not None and _is_call(case):
        return first_name(case.function) in variables
    seen = variables.get(case.variable or "")
    return case.type in _OF_VALUES and seen is not None and not is_whole(seen)


def _asked_once(number: int, case: TestCase) -> int | str:
    """What makes a question the same as another: the variable it is about; a call is like no other."""
    return number if _is_call(case) else str(case.variable)


def _question(case: TestCase, seconds: float) -> Question:
    limit = case.timeout or seconds
    return (
        Question(case.function, (case.args, case.kwargs), limit)
        if case.function
        else Question(str(case.variable), None, limit)
    )


def _stdin_request(program: RunRequest, case: TestCase) -> RunRequest:
    own = {"timeout": case.timeout, "mem_limit": case.mem_limit, "args": case.args or None}
    changes = {name: value for name, value in own.items() if value is not None}
    return program.model_copy(update={"stdin": case.stdin, **changes})


def _checker_request(case: TestCase, written: str) -> RunRequest:
    if case.checker is None:
        raise MalformedRequestError("The test has no checker.", field="tests")
    files = {"input.txt": case.stdin, "expected.txt": case.expected_stdout or "", "actual.txt": written}
    return RunRequest(code=case.checker.code, image=case.checker.image, files=dict(files))


def _result(run: RunResult | None, tests: Sequence[TestCase], findings: Mapping[int, Finding]) -> GradeResult:
    if run is None:
        run = _run_of_the_cases(tests, findings)
    verdicts = tuple(verdict(number, case, findings[number]) for number, case in enumerate(tests))
    return GradeResult(
        **{name: getattr(run, name) for name in RunResult.model_fields},
        test_results=verdicts,
        execution_time_ms=round(run.execution_time * 1000),
        all_passed=run.status is Status.SUCCEEDED and all(each.passed for each in verdicts),
        points=sum(each.points for each in verdicts),
        max_points=sum(each.max_points for each in verdicts),
    )


def _run_of_the_cases(tests: Sequence[TestCase], findings: Mapping[int, Finding]) -> RunResult:
    """With only `stdin` tests the first that is not hidden stands for the program, or else what may be told of one."""
    chosen = next((number for number, case in enumerate(tests) if not case.hidden), 0)
    run = findings[chosen].run
    if run is None:
        raise AssertionError("a test with input has a run")
    # A compiler has not seen the input.
    return without_what_it_said(run) if tests[chosen].hidden and run.phase == "run" else run
