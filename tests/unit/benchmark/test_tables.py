"""What is printed and written down is what was found, with every bar and every reason."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdfast.testing.bench import Report, tables
from holdfast.testing.bench.bars import BARS
from holdfast.testing.bench.figures import Weight
from tests.bench import report as page
from tests.bench.report import BEGIN, END, markdown, picture
from tests.unit.benchmark.samples import MACHINE, findings

REPORT = Report(MACHINE, ("docker run: its daemon does not answer",), [findings()])


def cells(report: Report) -> list[str]:
    return [cell for table in tables(report) for row in table.rows for cell in row]


def test_every_table_has_as_many_columns_in_each_row_as_in_its_head() -> None:
    for report in (REPORT, Report(MACHINE, (), [findings(), findings()])):
        for table in tables(report):
            assert {len(row) for row in table.rows} == {len(table.head)}, table.title


def test_every_bar_is_shown_with_its_verdict() -> None:
    shown = next(table for table in tables(REPORT) if table.title == "The bars")
    assert [row[0] for row in shown.rows] == [bar.name for bar in BARS]
    assert shown.rows[0][1:] == ("≤ 0.5", "0.500", "yes")
    assert shown.rows[2][1:] == ("≤ 0.025", "-", "not measured")


def test_bars_that_do_not_hold_are_named_below_the_table() -> None:
    heavy = Weight(200.0, 100.0, 100.0, 16)
    good, bad = (list(tables(Report(MACHINE, (), [found])))[1] for found in (findings(), findings(idle=heavy)))
    assert good.remark == ""
    assert bad.remark == f"1 of {len(BARS)} bars do not hold here: idle with 16 warm cells, MB."


def test_each_pass_has_its_column_and_its_tables() -> None:
    shown = list(tables(Report(MACHINE, (), [findings(), findings(), findings()])))
    assert shown[1].head == ("Bar", "wanted", "pass 1", "pass 2", "pass 3", "holds")
    assert sum("One at a time: print(1)" in table.title for table in shown) == 3


def test_what_is_absent_is_said_with_its_reason() -> None:
    assert "docker run: its daemon does not answer" in cells(REPORT)


def test_a_published_figure_is_only_for_orientation_and_gives_no_ratio() -> None:
    shown = next(table for table in tables(REPORT) if table.title.startswith("One at a time: print(1)"))
    assert shown.rows[-1] == ("docker run, measured elsewhere", "222", "-", "-", "-", "-")


def test_who_spent_the_processor_time_of_a_run_is_told_apart() -> None:
    assert "server 1.00, launchers 2.00, cell 3.00; together 6.00" in cells(REPORT)


def test_the_report_is_data_for_json() -> None:
    data = json.loads(json.dumps(REPORT.as_data()))
    assert data["passes"][0]["throughput"]["8"]["Holdfast, warm"]["per_second"] == 240.0
    assert data["passes"][0]["burst"]["answers"] == {"200": 80, "429": 120}
    assert [bar["holds"] for bar in data["bars"]][:3] == [True, True, None]


def test_the_page_has_every_table_and_the_picture() -> None:
    page = markdown(REPORT)
    assert [f"## {table.title}" in page for table in tables(REPORT)] == [True] * len(list(tables(REPORT)))
    assert "](benchmarks.svg)" in page


def test_what_is_written_by_hand_around_the_tables_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "page.svg")
    page.PAGE.write_text(f"before\n{BEGIN}\nyesterday\n{END}\nafter\n")
    page.write(REPORT)
    written = page.PAGE.read_text()
    assert (written.startswith(f"before\n{BEGIN}\n"), written.endswith(f"{END}\nafter\n")) == (True, True)
    assert "yesterday" not in written
    assert markdown(REPORT) in written
    assert page.PICTURE.read_text() == picture(REPORT.passes[-1])


def test_the_picture_is_well_formed_and_names_every_kind() -> None:
    drawn = ElementTree.fromstring(picture(findings()))
    texts = [element.text or "" for element in drawn.iter() if element.tag.endswith("text")]
    assert {"Holdfast, warm", "Holdfast, cold", "bare process", "bubblewrap", "4.0 ms", "240/s"} <= set(texts)
    assert "{y}" not in picture(findings())


def test_the_picture_shows_bare_processes_by_the_faster_of_their_drivers() -> None:
    drawn = picture(findings())
    assert "200/s" in drawn
    assert "xargs" not in drawn
