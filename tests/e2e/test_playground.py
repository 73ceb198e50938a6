"""Programs in the page: languages, files, output while they run, pictures, stopping."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opened

SLOW = "import time\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(0.1)\n"


def write(page: Page, text: str, label: str = "Program") -> None:
    """Puts a text into an editor, as one would by pasting it."""
    editor = page.get_by_label(re.compile(f"^{label}")).locator("visible=true").and_(page.locator(".cm-content")).last
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_python_that_draws_shows_its_picture_its_timings_and_what_held_it(opened: Opened) -> None:
    page = opened("playground")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("succeeded", exact=True)).to_be_visible()
    picture = page.get_by_role("img", name="Picture waves.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100
    expect(page.get_by_text("drawn 400 points")).to_be_visible()
    expect(page.get_by_role("heading", name="Where the time went")).to_be_visible()
    expect(page.get_by_text("system calls filtered")).to_be_visible()
    expect(page.get_by_text("no network")).to_be_visible()


def test_output_arrives_while_the_program_still_runs_and_stopping_ends_it(opened: Opened) -> None:
    page = opened("playground")
    write(page, SLOW)
    page.get_by_role("button", name="Run", exact=True).click()
    log = page.get_by_role("log", name="Output")
    expect(log).to_contain_text("line 3")
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    said = log.inner_text()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    assert "line 599" not in said


def test_what_a_program_prints_is_text_also_when_it_is_markup(opened: Opened) -> None:
    page = opened("playground")
    write(page, "print('<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>')")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("log", name="Output")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator(".output img, .output b, .output script").count() == 0


def test_files_input_and_limits_reach_the_program(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "given.txt").write_text("from a file")
    page = opened("playground")
    write(page, "import sys\nprint(open('given.txt').read(), '|', sys.stdin.read(), flush=True)\nwhile True: pass\n")
    page.get_by_role("tab", name="Files").click()
    page.get_by_label("Add files").set_input_files(tmp_path / "given.txt")
    page.get_by_role("tab", name="Stdin").click()
    page.get_by_label("Standard input").fill("from stdin")
    page.get_by_role("tab", name="Limits").click()
    page.get_by_label("Wall time (s)").fill("1")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("timed out", exact=True)).to_be_visible()
    expect(page.get_by_role("log", name="Output")).to_contain_text("from a file | from stdin")


def test_a_limit_that_makes_no_sense_is_refused_in_a_sentence(opened: Opened) -> None:
    page = opened("playground")
    page.get_by_role("tab", name="Limits").click()
    page.get_by_label("Memory").fill("much")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("is not a size")


def test_a_reload_keeps_language_and_program_and_the_address_names_the_language(opened: Opened) -> None:
    page = opened("playground/bash")
    expect(page.get_by_label("Language")).to_have_value("bash")
    write(page, "echo kept $((6 * 7))\n")
    page.reload()
    expect(page.get_by_label("Language")).to_have_value("bash")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("log", name="Output")).to_contain_text("kept 42")


def test_a_program_goes_on_while_another_view_is_looked_at(opened: Opened) -> None:
    page = opened("playground")
    write(page, "import time\nprint('begun', flush=True)\ntime.sleep(1.5)\nprint('ended')\n")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("log", name="Output")).to_contain_text("begun")
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_role("heading", name="Status")).to_be_visible()
    page.get_by_role("link", name="Playground").click()
    expect(page.get_by_role("log", name="Output")).to_contain_text("ended")


def test_a_prebuilt_environment_is_among_the_languages(opened: Opened, server: str) -> None:
    made = {
        "tag": "with-a-note",
        "base_image": "bash",
        "setup_script": "echo made once > note",
    }
    answer = httpx.post(f"{server}/prebuild", json=made, timeout=120)
    assert answer.status_code < 300, answer.text
    page = opened("playground")
    page.get_by_label("Language").select_option("prebuilt-with-a-note")
    expect(page).to_have_url(re.compile("playground/prebuilt-with-a-note"))
    write(page, "echo in it")
    page.reload()
    expect(page.get_by_label("Language")).to_have_value("prebuilt-with-a-note")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("log", name="Output")).to_contain_text("in it")
