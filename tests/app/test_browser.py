"""Deep research and the map in a real browser: Debian's Chromium, driven by playwright. Run: pytest tests/app/test_browser.py

Screenshots are kept in artifacts/.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.encoder import load_encoder
from tests.browser import ARTIFACTS, CHROMIUM, WEBGL
from tests.servers import web_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium"
    ),
]


def test_a_question_is_researched_while_its_reader_watches(address: str, page) -> None:
    page.goto(address)
    page.get_by_role("link", name="Deep research").click()
    page.wait_for_url("**/research")
    box = page.get_by_role("textbox", name="Your question")
    box.fill("How do jets affect star formation, and what powers fast radio bursts?")
    page.get_by_role("button", name="Make a plan").click()
    page.get_by_role("button", name="Start the research").click()
    page.get_by_role("button", name="Another question").wait_for()  # without a further click
    page.locator(".wf-cite").first.click()
    assert page.get_by_role("heading", name="What powers fast radio bursts?").count() == 1
    page.screenshot(path=ARTIFACTS / "research.png")


def test_the_map_is_drawn_and_a_lasso_takes_papers_to_the_page_on_impact(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    from tests.topics import build_topic_index

    directory = build_topic_index(tmp_path, encoder=load_encoder("astro"))
    with web_server(directory) as server, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=WEBGL.split())
        opened = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="dark")
        opened.set_default_timeout(60_000)
        elsewhere: list[str] = []
        opened.on("request", lambda r: elsewhere.append(r.url) if r.url.startswith("http") and not r.url.startswith(server.url) else None)  # fmt: skip
        opened.goto(f"{server.url}/map")
        opened.wait_for_function("window.wayfinderMap && window.wayfinderMap.drawn")
        stage = opened.locator(".wf-map-stage")
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box["width"] > 1000, "the map has the window's width"
        assert box["y"] + box["height"] <= 1000, "and is seen whole"
        at = opened.evaluate("(m => m.at(m.x[0], m.y[0]))(window.wayfinderMap)")
        opened.mouse.move(box["x"] + at[0], box["y"] + at[1])
        opened.wait_for_selector(".wf-map-card:not([hidden])")
        assert "part" in opened.locator(".wf-map-card b").inner_text()
        opened.locator(".wf-map-by").select_option("year")
        opened.locator(".wf-map-box").click()
        opened.mouse.move(box["x"] + 5, box["y"] + 5)
        opened.mouse.down()
        opened.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5, steps=4)
        opened.mouse.up()
        opened.wait_for_selector("text=120 papers taken (the whole map)")
        ARTIFACTS.mkdir(exist_ok=True)
        opened.screenshot(path=ARTIFACTS / "map.png")
        opened.get_by_role("button", name="Impact of these papers").click()
        opened.wait_for_url("**/impact")
        opened.wait_for_selector("text=None of 120 papers from the map used one of the facilities")
        opened.get_by_role("button", name="Among 120 papers from the map").click()
        opened.wait_for_selector("text=Among 120 papers from the map", state="detached")
        assert elsewhere == []
        browser.close()
