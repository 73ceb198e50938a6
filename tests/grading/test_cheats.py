"""Cheats earn nothing: whatever a submission does to its interpreter, only values it came to are worth something."""

import pytest

from holdfast.app import App
from holdfast.types import GradeRequest, GradeResult
from tests.grading.submissions import Submission, load

pytestmark = pytest.mark.anyio

CHEATS = load("cheats")


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
async def test_a_cheat_earns_nothing(cheat: Submission, app: App) -> None:
    result = await app.grader.grade(GradeRequest.model_validate({"code": cheat.code, "tests": cheat.tests}))
    assert [verdict for verdict in result.test_results if verdict.passed] == []
    assert (result.points, result.all_passed, result.success) == (0, False, True)
    assert GradeResult.model_validate_json(result.model_dump_json()).points == 0, "it can be told"


def test_there_are_enough_cheats() -> None:
    assert len(CHEATS) >= 40
