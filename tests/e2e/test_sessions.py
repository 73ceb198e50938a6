"""Sessions in the page: a notebook whose state is in a sandbox."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opened

HOSTILE = "from IPython.display import HTML\nHTML('<img src=x onerror=alert(1)><script>alert(2)</script>')"
FRAME = "import pandas as pd\npd.DataFrame({'city': ['Ulm', '<b>Bonn</b>'], 'total': [5, 4]})"
CHART = """display({
    "application/vnd.vegalite.v5+json": {
        "data": {"values": [{"city": "Ulm", "total": 5}, {"city": "Bonn", "total": 4}]},
        "mark": "bar",
        "encoding": {"x": {"field": "city", "type": "nominal"}, "y": {"field": "total", "type": "quantitative"}},
    },
    "text/plain": "<a chart>",
}, raw=True)"""
WRITTEN = """from IPython.display import Latex, Markdown
display(Markdown("# Sales of *today*"), Latex("$x^2$"))"""


def run(page: Page, code: str) -> None:
    """Writes into the last cell and runs it."""
    page.locator(".cell").last.locator(".cm-content").click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")


def test_cells_share_their_state_and_show_values_tables_and_errors(opened: Opened) -> None:
    page = opened("sessions")
    page.get_by_role("button", name="New session").first.click()
    cells = page.get_by_role("region", name="Cell", exact=True)
    run(page, "x = 6\nprint('set')")
    expect(cells.nth(0)).to_contain_text("set")
    expect(cells).to_have_count(2)
    run(page, "x * 7")
    expect(cells.nth(1)).to_contain_text("42")
    expect(cells).to_have_count(3)
    run(page, FRAME)
    expect(cells.nth(2).get_by_role("cell", name="<b>Bonn</b>")).to_be_visible()
    expect(cells).to_have_count(4)
    run(page, HOSTILE)
    expect(cells.nth(3)).to_contain_text("IPython.core.display.HTML object")
    assert page.locator(".cell-output img, .cell-output iframe").count() == 0
    expect(cells).to_have_count(5)
    run(page, "1 / 0")
    expect(cells.nth(4)).to_contain_text("ZeroDivisionError")
    page.reload()
    expect(cells.nth(2)).to_contain_text("pd.DataFrame")
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="New session").first).to_be_visible()
    expect(page).to_have_url(re.compile("#/sessions$"))


def test_a_chart_is_drawn_and_what_is_written_in_markdown_or_latex_is_read_as_text(opened: Opened) -> None:
    page = opened("sessions")
    page.get_by_role("button", name="New session").first.click()
    cells = page.get_by_role("region", name="Cell", exact=True)
    run(page, CHART)
    expect(cells.nth(0).locator("canvas")).to_be_visible()
    expect(cells).to_have_count(2)
    run(page, WRITTEN)
    expect(cells.nth(1)).to_contain_text("# Sales of *today*")
    expect(cells.nth(1)).to_contain_text("$x^2$")
    expect(cells.nth(1)).not_to_contain_text("object>")
    page.get_by_role("button", name="End session").click()


def test_a_cell_can_be_interrupted(opened: Opened) -> None:
    page = opened("sessions")
    page.get_by_role("button", name="New session").first.click()
    run(page, "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.1)")
    cell = page.get_by_role("region", name="Cell", exact=True).first
    expect(cell).to_contain_text("begun")
    page.get_by_role("button", name="Interrupt").click()
    expect(cell).to_contain_text("KeyboardInterrupt")
    page.get_by_role("button", name="End session").click()
