"""What a view looks like to a screen reader when something has been done in it, and not only when it is opened."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import test_sessions as sessions
from tests.e2e.conftest import Opened
from tests.e2e.test_chat import ask
from tests.e2e.test_datasets_and_runs import ask as asked
from tests.e2e.test_page import AXE, SERIOUS, settled
from tests.e2e.test_tasks import STEPS, give


def in_chat(opened: Opened, server: str) -> Page:
    page = opened("chat/support")
    ask(page, "SQL: SELECT priority, count(*) AS n FROM tickets GROUP BY priority ORDER BY n")
    answer = page.get_by_role("article").last
    for name in ("Table", "SQL", "Record"):
        answer.get_by_role("tab", name=name).click()
    return page


def in_playground(opened: Opened, server: str) -> Page:
    page = opened("playground")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
    return page


def in_grade(opened: Opened, server: str) -> Page:
    page = opened("grade")
    page.get_by_role("button", name="Grade", exact=True).click()
    expect(page.get_by_text("3 of 4 passed, 4 of 5 points", exact=True).first).to_be_visible()
    return page


def in_sessions(opened: Opened, server: str) -> Page:
    page = opened("sessions")
    page.get_by_role("button", name="New session").first.click()
    sessions.run(page, sessions.FRAME)
    expect(page.get_by_role("cell", name="<b>Bonn</b>")).to_be_visible()
    return page


def in_tasks(opened: Opened, server: str) -> Page:
    page = opened("tasks/new")
    give(page, STEPS)
    expect(page.get_by_text("workspace.tar")).to_be_visible()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("What changed in the workspace")).to_contain_text("note.txt")
    return page


def in_runs(opened: Opened, server: str) -> Page:
    page = opened(f"runs/{asked(server, 'SELECT status, count(*) AS n FROM orders GROUP BY 1')}")
    expect(page.get_by_role("table", name="Result")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("identical").first).to_be_visible()
    return page


def in_datasets(opened: Opened, server: str) -> Page:
    page = opened("datasets/ecommerce")
    expect(page.get_by_role("heading", name="Tables")).to_be_visible()
    return page


def in_status(opened: Opened, server: str) -> Page:
    asked(server, "SELECT 1")
    return opened("status")


DONE: dict[str, Callable[[Opened, str], Page]] = {
    name: globals()[f"in_{name}"]
    for name in ("chat", "playground", "grade", "sessions", "tasks", "runs", "datasets", "status")
}


@pytest.mark.parametrize("view", DONE)
def test_after_something_was_done_in_a_view_axe_finds_nothing_serious_and_headings_in_order(
    opened: Opened, server: str, view: str
) -> None:
    page = settled(DONE[view](opened, server))
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    told = [f"{each['id']}: {node['html'][:150]}" for each in found for node in each["nodes"] if _counts(each)]
    assert told == []


def _counts(finding: dict[str, object]) -> bool:
    return finding["impact"] in SERIOUS or finding["id"] == "heading-order"
