"""Every promise of the engine seam, on every engine."""

import pytest

from holdfast.engines import Engine
from holdfast.testing.contract import CANNOT, CASES, Case, run_case
from holdfast.testing.languages import LanguageMissingError
from tests.conftest import lacks

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_engine_keeps_its_promise(case: Case, engine: Engine) -> None:
    try:
        await run_case(case, engine)
    except LanguageMissingError as missing:
        lacks("languages", str(missing))


def test_every_excuse_is_for_a_case_that_exists() -> None:
    names = {case.name for case in CASES}
    assert all(excused.keys() <= names for excused in CANNOT.values())
