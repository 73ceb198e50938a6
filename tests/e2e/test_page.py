"""What holds for every view: weight, keyboard, screen readers, phones, keys, and a policy that nothing breaks."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Opened
from tests.product import product

VIEWS = ("chat", "playground", "grade", "sessions", "tasks", "runs", "datasets", "status")
AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text()
MOST_BYTES = 300_000
PHONE = {"viewport": {"width": 375, "height": 760}, "has_touch": True, "is_mobile": True}
SERIOUS = {"serious", "critical"}


def settled(page: Page) -> Page:
    page.wait_for_load_state("networkidle")
    expect(page.locator(".main .spinner")).to_have_count(0)
    return page


def findings(page: Page) -> list[str]:
    """What axe finds that is serious."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]


def test_the_first_paint_needs_less_than_300_kb(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    tools = context.new_cdp_session(page)
    received: list[float] = []
    tools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    tools.send("Network.enable")
    page.goto(server)
    expect(page.get_by_role("link", name="Chat")).to_be_visible()
    page.wait_for_load_state("networkidle")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint').length")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    context.close()
    assert painted == 1
    assert not [name for name in loaded if name.endswith(("codemirror.js", "charts.js"))]
    assert len(received) > 10
    assert sum(received) < MOST_BYTES


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_no_serious_finding_of_axe_in_light_and_dark(opened: Opened, view: str) -> None:
    for scheme in ("light", "dark"):
        page = settled(opened(view, color_scheme=scheme, reduced_motion="reduce"))
        assert findings(page) == [], scheme


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone(opened: Opened, view: str) -> None:
    page = settled(opened(view, **PHONE))
    wide = page.evaluate(
        "[document.documentElement, document.querySelector('main')].map(e => e.scrollWidth - e.clientWidth)"
    )
    assert wide == [0, 0]
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_role("heading", name="Status")).to_be_visible()


def test_the_page_is_used_with_the_keyboard_alone(opened: Opened) -> None:
    page = settled(opened("status"))
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    expect(page.locator(".cm-content")).to_be_visible()
    for name in ("Language", "Run"):
        page.keyboard.press("Tab")
        assert name in page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
        )
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Files")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("print('typed')")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("log", name="Output")).to_contain_text("typed")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.editor')") is None


def test_what_happened_is_said_to_screen_readers(opened: Opened) -> None:
    page = opened("playground")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#announcer")).to_have_text("The program succeeded")


def test_dark_and_light_can_be_chosen_and_are_kept(opened: Opened) -> None:
    page = opened("status", color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.reload()
    expect(page.get_by_role("button", name="Light")).to_be_visible()
    assert page.evaluate(background) == dark
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(background) != dark


def test_the_status_shows_engine_stock_and_latencies(opened: Opened, server: str) -> None:
    httpx.post(f"{server}/run", json={"code": "print(1)"}, timeout=60).raise_for_status()
    page = opened("status")
    expect(page.get_by_text("engine local")).to_be_visible()
    expect(page.get_by_role("heading", name="Sandboxes in stock")).to_be_visible()
    expect(page.get_by_role("img", name="Wall time of programs")).to_be_visible()
    expect(page.get_by_text("p99").first).to_be_visible()


def test_an_unknown_address_shows_the_view_that_was_open_last(opened: Opened) -> None:
    page = opened("nonsense/%E0%A4%A/x?y=z")
    expect(page.get_by_role("link", name="Chat")).to_have_attribute("aria-current", "page")


@pytest.fixture(scope="module")
def locked(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that wants a key, and the key."""
    folder = tmp_path_factory.mktemp("locked")
    with product(folder, auth_token="the-secret-of-this-test") as address:
        yield address, "the-secret-of-this-test"


def test_a_key_is_asked_for_once_and_only_when_one_is_needed(opened: Opened, locked: tuple[str, str]) -> None:
    address, key = locked
    page = opened("status", address=address)
    dialog = page.get_by_role("dialog", name="This server asks for an API key")
    dialog.get_by_label("API key", exact=True).fill("wrong")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog).to_contain_text("The key was not valid")
    dialog.get_by_label("API key", exact=True).fill(key)
    dialog.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("engine local")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    expect(dialog).to_have_count(0)
