"""One's own papers in a real browser: uploaded, asked alone, taken away. Run: pytest tests/app/test_browser_library.py"""

from __future__ import annotations

from pathlib import Path

import pytest
from bibtexparser import parse_string

from indexer.store import Index
from retrieval.bibliography import bibtex, citation_key
from tests.browser import ARTIFACTS, CHROMIUM, FLAGS
from tests.servers import web_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium"
    ),
]


def test_a_library_is_uploaded_and_asked_alone(small_index_dir: Path, small_index: Index) -> None:
    from playwright.sync_api import sync_playwright

    mine = [small_index.papers[row] for row in (0, 2, 6)]
    file = {"name": "../<b>.bib", "mimeType": "text/plain", "buffer": bibtex(mine).encode()}
    ARTIFACTS.mkdir(exist_ok=True)
    with web_server(small_index_dir) as server, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"{server.url}/library")
        page.locator("input[type=file]").set_input_files(file)
        page.wait_for_selector(
            "text=3 of 3 papers are in this index; 3 were added to your library."
        )
        page.screenshot(path=ARTIFACTS / "library.png", full_page=True)
        page.get_by_role("textbox", name="Question to your library").fill(
            "Do jets stop star formation?"
        )
        page.get_by_role("button", name="Ask only these 3").click()
        page.wait_for_selector(".wf-paper h3")
        shown = page.locator(".wf-paper h3").all_inner_texts()
        assert all(any(paper.plain_title in title for paper in mine) for title in shown)
        assert page.get_by_text("Only my library (3 papers)").count() == 1
        page.get_by_role("button", name="Export").click()
        page.screenshot(path=ARTIFACTS / "export.png")
        with page.expect_download() as taken:
            page.get_by_role("button", name="BibTeX").click()
        assert taken.value.suggested_filename == "wayfinder-do-jets-stop-star-formation.bib"
        text = Path(taken.value.path()).read_text(encoding="utf-8")
        keys = {entry.key for entry in parse_string(text).entries}
        assert keys and keys <= {citation_key(paper) for paper in mine}
        other = browser.new_page()
        other.set_default_timeout(60_000)
        other.goto(f"{server.url}/library")
        other.wait_for_selector("text=Your library is empty")
        browser.close()
