"""The product in a real browser: `holdfast serve` with the local engine, and Debian's Chromium."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conftest import lacks
from tests.product import product

CHROMIUM = Path(os.environ.get("TESTS_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PATIENCE_MILLISECONDS = 30_000
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""
"""Runs before anything of the page: what the Content-Security-Policy stops is remembered."""

Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for each module: while one is open, no other event loop runs in this thread, so it ends with them."""
    if not CHROMIUM.exists():
        lacks("chromium", f"there is no browser at {CHROMIUM}; run: apt install chromium")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one server for all tests of a module; it is gone when the last test of all looks around."""
    with product(tmp_path_factory.mktemp("served"), pool_size="1", max_data_rows="10000") as address:
        yield address


@pytest.fixture
def opened(browser: Browser, server: str) -> Iterator[Opened]:
    """Opens an address of the page in a browser that knows nothing; nothing may go wrong in its console."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(route: str, address: str = server, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{address}/#/{route}")
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            faults += page.evaluate("window.violations")
        context.close()
    assert faults == []
