"""`python -m tests.e2e.pictures`: takes the pictures of each view in docs/screenshots anew, on a server of its own."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM
from tests.e2e.test_chat import ask
from tests.e2e.test_page import PHONE, settled
from tests.e2e.test_playground import write
from tests.e2e.test_sessions import run
from tests.product import product

PLACE = Path(__file__).parents[2] / "docs" / "screenshots"
PATIENCE_MILLISECONDS = 60_000
DESK = {"viewport": {"width": 1280, "height": 860}}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {**DESK, "color_scheme": "light"},
    "dark": {**DESK, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
}
QUESTION = "What is the return rate by category?"
SALES = "region,day,units\nnorth,2026-01-03,12\nsouth,2026-01-03,7\nnorth,2026-01-04,9\neast,2026-01-05,\n"
STEPS = {
    "steps": [
        {"name": "Count words", "run": "printf 'the fox saw the fox' | tr ' ' '\\n' | sort | uniq -c | tee words.txt"},
        {"name": "Check", "run": "grep -q '2 fox' words.txt && echo 'two foxes'"},
    ]
}
FRAME = "import pandas as pd\npd.DataFrame({'city': ['Ulm', 'Bonn'], 'total': [5, 4]})"


def chat(page: Page) -> None:
    ask(page, QUESTION)
    expect(page.get_by_role("article").last.locator("canvas")).to_be_visible()


def playground(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("img", name="Picture waves.png")).to_be_visible()


def grade(page: Page) -> None:
    page.get_by_role("button", name="Grade", exact=True).click()
    expect(page.get_by_text("3 of 4 passed, 4 of 5 points", exact=True).first).to_be_visible()


def sessions(page: Page) -> None:
    page.get_by_role("button", name="New session").first.click()
    cells = page.get_by_role("region", name="Cell", exact=True)
    for number, code in enumerate(("x = 6\nx * 7", FRAME), 2):
        run(page, code)
        expect(cells).to_have_count(number)


def tasks(page: Page) -> None:
    page.goto(page.url.replace("#/tasks", "#/tasks/new"))
    write(page, json.dumps(STEPS, indent=1), "Workflow")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("workspace.tar")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def runs(page: Page) -> None:
    page.get_by_role("link").filter(has_text="question").first.click()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("article")).to_contain_text("The same result, cell by cell.")


def datasets(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sales = Path(folder) / "sales.csv"
        sales.write_text(SALES)
        page.get_by_label("Drop files or choose them").set_input_files(sales)
        expect(page.get_by_role("region", name="Ingest report")).to_contain_text("4 rows")


def status(page: Page) -> None:
    expect(page.get_by_role("heading", name="Status")).to_be_visible()


VIEWS: tuple[Callable[[Page], None], ...] = (chat, playground, grade, sessions, tasks, runs, datasets, status)
"""In this order, for the runs of the first are what later ones show."""


def main() -> None:
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-pictures-") as folder,
        product(Path(folder), pool_size="8") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for look, options in LOOKS.items():
            context = browser.new_context(**options, reduced_motion="reduce")
            context.set_default_timeout(PATIENCE_MILLISECONDS)
            for view in VIEWS:
                page = context.new_page()
                page.goto(f"{address}/#/{'chat/ecommerce' if view is chat else view.__name__}")
                settled(page)
                view(page)
                settled(page)
                page.mouse.move(0, 0)
                page.screenshot(path=PLACE / f"{view.__name__}-{look}.png")
                print(f"{view.__name__}-{look}.png", flush=True)
                page.close()
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
