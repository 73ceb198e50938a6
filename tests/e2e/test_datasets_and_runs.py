"""Files become datasets, and what was asked of them can be looked at, run again and compared."""

import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import expect

from tests.e2e.conftest import Opened

HOSTILE = '"<img src=x onerror=alert(1)>"'
MARKUP = "<script>alert(2)</script>"


def ask(server: str, sql: str, **fields: Any) -> str:
    """The id of a data run."""
    body = {"dataset_id": "ecommerce", "sql": sql, **fields}
    answer = httpx.post(f"{server}/runs", json=body, timeout=60)
    return str(answer.raise_for_status().json()["run_id"])


def test_a_file_becomes_a_dataset_with_a_report_and_its_columns_have_statistics(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "rain.csv").write_text("day,mm\n2026-02-01,3.5\n2026-02-02,0\n2026-02-03,12\n")
    page = opened("datasets")
    page.get_by_label("Drop files or choose them").set_input_files(tmp_path / "rain.csv")
    report = page.get_by_role("region", name="Ingest report")
    expect(report).to_contain_text("3 rows · 2 columns")
    article = page.get_by_role("article")
    article.locator("summary", has_text="rain").click()
    expect(article).to_contain_text("0 – 12 · mean 5.1667 · ≈ 3 distinct")
    expect(article).to_contain_text("2026-02-01 – 2026-02-03")
    page.on("dialog", lambda dialog: dialog.accept())
    article.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Choose a dataset")).to_be_visible()


def test_lines_that_are_no_rows_are_told_and_can_be_left_out(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n3\n4,5\n")
    page = opened("datasets")
    page.get_by_label("Drop files or choose them").set_input_files(tmp_path / "odd.csv")
    report = page.get_by_role("region", name="Ingest report")
    expect(report).to_contain_text("too few columns")
    report.get_by_role("button", name="Leave those lines out").click()
    expect(report).to_contain_text("odd is there")


def test_cells_that_are_markup_stay_text_wherever_they_are_shown(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "hostile.csv").write_text(f'id,"<b>name</b>"\n1,{HOSTILE}\n2,{MARKUP}\n')
    page = opened("datasets")
    page.get_by_label("Drop files or choose them").set_input_files(tmp_path / "hostile.csv")
    expect(page.get_by_role("region", name="Ingest report").get_by_role("cell", name=MARKUP)).to_be_visible()
    page.get_by_role("article").locator("summary", has_text="hostile").click()
    expect(page.get_by_role("article")).to_contain_text("distinct")
    shown = page.content()
    assert "<img src=x" not in shown and MARKUP not in shown
    assert page.evaluate("violations") == []


def test_runs_are_searched_opened_replayed_and_compared(opened: Opened, server: str) -> None:
    first = ask(server, "SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status")
    second = ask(server, "SELECT status, count(*) + 1 AS n FROM orders GROUP BY status ORDER BY status")
    page = opened("runs")
    page.get_by_label("Search runs").fill(first)
    page.get_by_role("link").filter(has_text=first).click()
    detail = page.get_by_role("article")
    expect(detail.get_by_role("cell", name="cancelled")).to_be_visible()
    detail.get_by_role("button", name="Replay").click()
    expect(detail).to_contain_text("The same result, cell by cell.")
    page.get_by_label("Search runs").fill("")
    for run in (first, second):
        page.get_by_label(f"Choose {run} to compare").check()
    page.get_by_role("button", name="Compare").click()
    expect(detail).to_contain_text("3 cells differ.")


def test_the_query_of_a_run_can_be_changed_and_run_anew(opened: Opened, server: str) -> None:
    run = ask(server, "SELECT 1 AS one")
    page = opened(f"runs/{run}")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("SELECT 42 AS answer")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="answer", exact=True)).to_be_visible()
    expect(page).not_to_have_url(re.compile(run))


def test_a_denied_query_says_what_to_do_instead(opened: Opened, server: str) -> None:
    page = opened(f"runs/{ask(server, 'DROP TABLE orders')}")
    expect(page.get_by_text("rejected", exact=True).first).to_be_visible()
    expect(page.get_by_role("article")).to_contain_text("SELECT")


def test_of_ten_thousand_rows_only_those_in_sight_are_in_the_document(opened: Opened, server: str) -> None:
    run = ask(server, "SELECT n, n % 7 AS rest FROM range(10000) AS t(n)", max_rows=10_000, max_output_bytes=900_000)
    page = opened(f"runs/{run}")
    table = page.get_by_role("table", name="Result")
    expect(table).to_have_attribute("aria-rowcount", "10001")
    assert table.locator("tbody tr").count() < 80
    page.get_by_role("region", name="Result, scrollable").evaluate("place => place.scrollTo(0, place.scrollHeight)")
    expect(table.get_by_role("cell", name="9999", exact=True).last).to_be_visible()
    assert table.locator("tbody tr").count() < 80
    page.get_by_role("button", name="rest", exact=True).click()
    page.get_by_role("button", name="rest", exact=True).click()
    expect(table.get_by_role("columnheader", name="rest")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("region", name="Result, scrollable").evaluate("place => place.scrollTo(0, 0)")
    expect(table.locator("tbody tr").first).to_contain_text("6")
    page.get_by_role("button", name="Next page").click()
    expect(table.get_by_role("cell", name="101", exact=True).first).to_be_visible()
