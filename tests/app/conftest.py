"""What the browser tests share: an address that is served, and a page of a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import ARTIFACTS, CHROMIUM, FLAGS
from tests.servers import web_server


@pytest.fixture(scope="module")
def address(small_index_dir: Path) -> Iterator[str]:
    """The page served on a free port by the command that people use."""
    with web_server(small_index_dir) as server:
        yield server.url


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[object]:
    """A page of Debian's Chromium; a test fails where a script of a paper ran."""
    from playwright.sync_api import sync_playwright

    ARTIFACTS.mkdir(exist_ok=True)
    options = getattr(request, "param", {"viewport": {"width": 1280, "height": 900}})
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        opened = browser.new_page(**options)
        opened.set_default_timeout(60_000)
        dialogs: list[str] = []
        opened.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
        yield opened
        assert dialogs == [], "a script ran"
        browser.close()
