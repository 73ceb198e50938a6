"""Every promise of the engine seam, on every engine."""

import pytest

from holdfast.engines import Engine
from holdfast.testing.contract import CANNOT, CASES, Case, run_case
from holdfast.testing.languages import LanguageMissingError
from tests.bench.engines import COUNTS, ENGINES, PAGE
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


@pytest.mark.parametrize("title", COUNTS)
def test_the_guide_says_how_many_cases_each_engine_is_held_to(title: str) -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {title} |")]
    assert [cell.strip() for cell in row.strip("|").split("|")[1:]] == [COUNTS[title](name) for name in ENGINES]


@pytest.mark.parametrize("name", ENGINES)
def test_at_least_95_of_100_cases_apply_to_each_engine(name: str) -> None:
    for title, count in COUNTS.items():
        kept, _, asked = count(name).split()[:3]
        assert int(kept) >= 0.95 * int(asked), title
