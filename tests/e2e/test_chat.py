"""Asking data in the page: suggested questions, files of one's own, charts, changed queries, cancel, reload."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opened

SLOW = "PYTHON: import time\nfor n in range(80):\n    time.sleep(0.1)\nresult = 41 + 1"


def ask(page: Page, question: str) -> None:
    """Writes a question and sends it."""
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def test_a_suggested_question_is_answered_with_chart_table_and_query(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    page.get_by_role("button", name="What are the top 10 products by revenue?", exact=True).click()
    answer = page.get_by_role("article").last
    expect(answer.locator("canvas")).to_be_visible()
    expect(page.get_by_role("link", name="What are the top 10 products by revenue?")).not_to_contain_text("answering")
    answer.get_by_role("tab", name="Table").click()
    expect(answer.get_by_role("table", name="Result")).to_have_attribute("aria-rowcount", "11")
    answer.get_by_role("tab", name="SQL").click()
    expect(answer.locator(".cm-content").last).to_contain_text("SELECT")
    answer.get_by_role("tab", name="Record").click()
    expect(answer).to_contain_text("system calls filtered")


def test_a_file_is_uploaded_and_asked_about(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "parcels.csv").write_text("city,weight\nUlm,3\nBonn,4\nUlm,5\n")
    page = opened("datasets")
    page.get_by_label("Drop files or choose them").set_input_files(tmp_path / "parcels.csv")
    page.get_by_role("region", name="Ingest report").get_by_role("link", name="Ask about it").click()
    ask(page, "What is the total weight by city?")
    answer = page.get_by_role("article").last
    answer.get_by_role("tab", name="Table").click()
    expect(answer.get_by_role("row").filter(has_text="Ulm")).to_contain_text("8")
    expect(answer.get_by_role("row").filter(has_text="Bonn")).to_contain_text("4")


def test_the_query_of_an_answer_can_be_changed_and_run(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, "SQL: SELECT 1 AS one")
    answer = page.get_by_role("article").last
    answer.get_by_role("tab", name="SQL").click()
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("SELECT 42 AS changed")
    page.keyboard.press("Control+Enter")
    expect(answer.get_by_role("button", name="changed", exact=True)).to_be_visible()


def test_markup_in_data_stays_text_in_answers(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, "SQL: SELECT '<img src=x onerror=alert(1)>' AS \"<b>name</b>\", '<script>alert(2)</script>' AS s")
    answer = page.get_by_role("article").last
    answer.get_by_role("tab", name="Table").click()
    expect(answer.get_by_role("cell", name="<script>alert(2)</script>")).to_be_visible()
    assert page.locator(".turn img, .turn b, .turn script").count() == 0


def test_a_turn_can_be_cancelled(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, SLOW)
    expect(page.get_by_text("Running it in a sandbox")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("article").last.get_by_text("cancelled", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


def test_a_reload_in_mid_stream_goes_on(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, SLOW)
    expect(page.get_by_text("Running it in a sandbox")).to_be_visible()
    page.reload()
    expect(page.locator(".question").last).to_contain_text("time.sleep(0.1)")
    expect(page.get_by_text("Running it in a sandbox")).to_be_visible()
    answer = page.get_by_role("article").last
    expect(answer.get_by_role("tab", name="Record")).to_be_visible()
    expect(answer).to_contain_text("42")


def test_how_a_question_was_read_is_said_beside_its_answer_and_after_a_reload(opened: Opened) -> None:
    page = opened("chat/support")
    ask(page, "How many tickets were opened last month?")
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text("told from the newest created_at there is, 2026-02-02")
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text("told from the newest created_at there is, 2026-02-02")


def test_a_conversation_is_kept_and_has_an_address(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, "SQL: SELECT count(*) AS orders FROM orders")
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text("4,018")
    address = page.url
    assert address.count("/") > page.url.split("#")[0].count("/") + 2
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("article").last).to_contain_text("4,018")
    expect(page.get_by_role("article").last.get_by_role("tab", name="SQL")).to_be_visible()


DRAWN = """PYTHON: import altair, pandas
altair.Chart({data}).mark_bar().encode(x="a:O", y="b:Q")"""


def test_a_chart_of_python_is_drawn_and_one_that_asks_for_data_from_elsewhere_says_so(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, DRAWN.format(data="pandas.DataFrame({'a': [1, 2], 'b': [3, 4]})"))
    drawn = page.get_by_role("img", name="figure-1.vl.json")
    expect(drawn.locator("canvas")).to_be_visible()
    expect(drawn).not_to_contain_text("from an address")
    expect(page.get_by_role("article").last).to_contain_text("It drew a figure.")
    ask(page, DRAWN.format(data="'https://example.org/data.csv'"))
    expect(page.get_by_role("article").last).to_contain_text("This chart asks for data or pictures from an address.")


def test_what_python_printed_is_shown_also_where_there_is_no_table(opened: Opened) -> None:
    page = opened("chat/ecommerce")
    ask(page, "PYTHON: print('forty', 'two')")
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text("The code produced no tabular/scalar result.")
    expect(answer.get_by_role("tabpanel", name="Output")).to_have_text("forty two\n")
