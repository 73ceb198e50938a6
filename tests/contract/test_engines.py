"""Every promise of the engine seam, on every engine."""

import pytest

from holdfast.engines import Engine
from holdfast.testing.contract import CANNOT, CASES, Case, run_case
from holdfast.testing.languages import LanguageMissingError
from tests.bench.engines import ENGINES, PAGE, attacks_contained, cases, picks, promises_kept
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


def test_the_guide_says_how_many_cases_each_engine_is_held_to() -> None:
    assert cases() in PAGE.read_text(), "run: python -m tests.bench.engines cases"


def test_the_guide_says_when_to_choose_which() -> None:
    assert f"| {' | '.join(picks([*ENGINES]))} |" in PAGE.read_text(), "run: make engines"


@pytest.mark.parametrize("name", ENGINES)
def test_at_least_95_of_100_cases_apply_to_each_engine(name: str) -> None:
    for said in (promises_kept(name), attacks_contained(name)):
        applicable, _, everything = said.split()[:3]
        assert int(applicable) >= 0.95 * int(everything), said
