"""Tasks in the page: given, watched while they run, cancelled, and what they leave."""

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.agents.speaking import TURNS, Model, as_openai
from tests.agents.test_end_to_end import submitted
from tests.e2e.conftest import Opened
from tests.e2e.test_playground import write
from tests.product import product

STEPS = {
    "steps": [
        {"name": "Speak", "run": "echo '<b>one</b>'; sleep 1; echo two"},
        {"name": "Note", "run": "date > note.txt"},
    ]
}
ENDLESS = {"steps": [{"name": "Wait", "run": "echo begun; sleep 600"}]}


def give(page: Page, document: object) -> None:
    write(page, json.dumps(document), "Workflow")
    page.get_by_role("button", name="Start").click()


def test_a_workflow_is_given_watched_and_leaves_its_workspace(opened: Opened) -> None:
    page = opened("tasks/new")
    give(page, STEPS)
    log = page.get_by_role("log", name="Output of Speak")
    expect(log).to_contain_text("<b>one</b>")
    expect(page.get_by_text("succeeded", exact=True).first).to_be_visible()
    expect(log).to_contain_text("two")
    assert page.locator(".task-progress b").count() == 0
    expect(page.get_by_text("workspace.tar")).to_be_visible()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("What changed in the workspace")).to_contain_text("note.txt")


def test_output_is_there_while_the_step_runs_and_cancelling_ends_it(opened: Opened) -> None:
    page = opened("tasks/new")
    give(page, ENDLESS)
    expect(page.get_by_role("log", name="Output of Wait")).to_contain_text("begun")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True).first).to_be_visible()
    # Of the step too: nothing of a task that is over is still running.
    expect(page.locator(".task-progress").get_by_text("cancelled", exact=True)).to_be_visible()
    expect(page.locator(".task-progress").get_by_text("running", exact=True)).to_have_count(0)


def test_a_reload_in_the_middle_shows_everything_again(opened: Opened) -> None:
    page = opened("tasks/new")
    give(page, ENDLESS)
    expect(page.get_by_role("log", name="Output of Wait")).to_contain_text("begun")
    expect(page).to_have_url(re.compile("#/tasks/task-"))
    page.reload()
    expect(page.get_by_role("log", name="Output of Wait")).to_contain_text("begun")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True).first).to_be_visible()


def test_what_a_task_said_can_be_searched(opened: Opened) -> None:
    page = opened("tasks/new")
    give(page, STEPS)
    expect(page.get_by_text("workspace.tar")).to_be_visible()
    page.get_by_label("Search the task").fill("two")
    expect(page.get_by_role("log", name="Output of Speak")).to_be_visible()
    expect(page.get_by_text("Note", exact=True)).to_be_hidden()


def test_a_document_that_is_none_is_refused_where_it_was_written(opened: Opened) -> None:
    page = opened("tasks/new")
    give(page, {"steps": [{"uses": "docker://alpine"}]})
    expect(page.get_by_role("alert")).to_contain_text("uses")


def test_an_agent_is_watched_call_by_call_and_waits_to_be_allowed(opened: Opened, tmp_path: Path) -> None:
    model = Model(TURNS, as_openai, "/v1/chat/completions")
    try:
        with product(tmp_path, openai_base_url=f"{model.url}/v1") as url:
            page = opened(f"tasks/{submitted(url, approvals='ask')}", url)
            for tool, shown in (("shell", "python test_temperature.py"), ("write_file", "- 32"), ("shell", "printenv")):
                asks = page.get_by_role("group", name=f"Allow {tool}?").last
                expect(asks).to_contain_text(shown)
                asks.get_by_role("button", name="Allow").click()
                expect(asks).to_contain_text("approved")
            expect(page.get_by_text("The test passes now.")).to_be_visible()
            expect(page.get_by_role("log", name="What shell answered").first).to_contain_text("AssertionError")
            expect(page.get_by_text("workspace.tar", exact=True)).to_be_visible()
            page.get_by_role("button", name="Show").click()
            expect(page.get_by_label("What changed in the workspace")).to_contain_text("(fahrenheit - 32)")
            assert page.evaluate("window.violations") == []
            page.context.close()
    finally:
        model.close()


def test_what_is_denied_in_the_page_is_not_done(opened: Opened, tmp_path: Path) -> None:
    model = Model([TURNS[0], ("Then not.", None, None)], as_openai, "/v1/chat/completions")
    try:
        with product(tmp_path, openai_base_url=f"{model.url}/v1") as url:
            page = opened(f"tasks/{submitted(url, approvals='ask')}", url)
            page.get_by_role("group", name="Allow shell?").get_by_role("button", name="Deny").click()
            expect(page.get_by_text("Then not.")).to_be_visible()
            expect(page.get_by_role("log", name="What shell answered")).to_contain_text("not allowed")
            assert page.evaluate("window.violations") == []
            page.context.close()
    finally:
        model.close()
