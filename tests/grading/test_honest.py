"""Honest solutions pass, in whatever style they are written: the finished program is looked at, never its text."""

import pytest

from holdfast.app import App
from holdfast.types import GradeRequest, GradeResult
from tests.grading.submissions import Submission, load

pytestmark = pytest.mark.anyio

HONEST = load("honest")


@pytest.mark.parametrize("solution", HONEST, ids=lambda solution: solution.name)
async def test_an_honest_solution_passes(solution: Submission, app: App) -> None:
    assert solution.tests
    # The packages of one of them may not be loaded in advance yet, and half a processor takes its time over them.
    body = {"code": solution.code, "tests": solution.tests, "timeout": 20}
    result = await app.grader.grade(GradeRequest.model_validate(body))
    assert [verdict for verdict in result.test_results if not verdict.passed] == [], result.stderr
    assert result.all_passed
    assert result.points == result.max_points == len(solution.tests)
    assert GradeResult.model_validate_json(result.model_dump_json()) == result


def test_there_are_enough_honest_solutions() -> None:
    assert len(HONEST) >= 40
