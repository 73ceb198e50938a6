"""The eighteen suggested questions, each asked by a click in the page, without a language model."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.data.test_demo import GOLD, REGISTRY
from tests.e2e.conftest import Opened

MOST_SHOWN = 200
"""A result has no more rows unless more are asked for; how many there are is said."""

QUESTIONS = [
    pytest.param(dataset, question, rows, first, id=f"{dataset}-{number}")
    for dataset, known in GOLD.items()
    for number, (question, (_, rows, first)) in enumerate(zip(REGISTRY[dataset]["prompts"], known, strict=True))
]


def told(cell: Locator) -> str:
    """What a cell says, without what makes it easier to read."""
    return (cell.text_content() or "").strip().replace(",", "")


def alike(shown: str, value: Any) -> bool:
    """Whether a cell shows a value: times are cut, numbers may have fewer digits after the point."""
    try:
        return float(shown) == pytest.approx(float(str(value)), rel=1e-3)
    except ValueError:
        return shown.startswith(re.sub(r"[T ]00:00:00.*", "", str(value)))


@pytest.mark.parametrize(("dataset", "question", "rows", "first"), QUESTIONS)
def test_a_suggested_question_has_its_right_answer_in_the_page(
    opened: Opened, dataset: str, question: str, rows: int, first: list[Any]
) -> None:
    page = opened(f"chat/{dataset}")
    page.get_by_role("button", name=question, exact=True).click()
    answer = page.get_by_role("article").last
    answer.get_by_role("tab", name="Table").click()
    table = answer.get_by_role("table", name="Result")
    expect(table).to_be_visible()
    assert int(table.get_attribute("aria-rowcount") or 0) == min(rows, MOST_SHOWN) + 1
    if rows > MOST_SHOWN:
        expect(answer).to_contain_text(f"{rows:,}")
    cells = [told(cell) for cell in table.get_by_role("row").nth(1).get_by_role("cell").all()]
    assert len(cells) >= len(first)
    assert all(map(alike, cells[-len(first) :], first)), (cells, first)
