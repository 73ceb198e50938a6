"""Grading in the page."""

from playwright.sync_api import expect

from tests.e2e.conftest import Opened


def test_verdicts_are_shown_with_what_was_expected(opened: Opened) -> None:
    page = opened("grade")
    page.get_by_role("button", name="Grade", exact=True).click()
    expect(page.get_by_text("3 of 4 passed, 4 of 5 points", exact=True).first).to_be_visible()
    wrong = page.get_by_role("listitem").filter(has_text="there are four readings")
    expect(wrong).to_contain_text("Failed")
    expect(wrong.get_by_role("definition")).to_have_text(["4", "3"])


def test_tests_can_be_changed_and_are_kept_on_reload(opened: Opened) -> None:
    page = opened("grade")
    page.get_by_role("tab", name="Tests").click()
    page.get_by_role("button", name="Remove test 4").click()
    page.get_by_role("button", name="Add a test").click()
    page.get_by_label("Name of the test").last.fill("says hello")
    page.get_by_label("Expected").last.fill("hello")
    page.reload()
    page.get_by_role("tab", name="Tests").click()
    expect(page.get_by_label("Name of the test").last).to_have_value("says hello")
    page.get_by_role("button", name="Grade", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="Failed: says hello")).to_be_visible()
    expect(page.get_by_text("3 of 4 passed, 4 of 5 points", exact=True).first).to_be_visible()
