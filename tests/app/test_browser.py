"""The page in a real browser: Debian's Chromium, driven by playwright. Run: pytest tests/app/test_browser.py

Screenshots are kept in artifacts/.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def address(small_index_dir: Path) -> Iterator[str]:
    """The page served on a free port by the command that people use."""
    with served(small_index_dir) as url:
        yield url


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The address of an index served until the block ends."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("wayfinder")),
        "serve",
        "--port",
        str(port),
        "--index",
        str(directory),
    ]
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("WAYFINDER_LLM", "OPENAI"))
    }
    server = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://localhost:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            break
        except OSError:
            time.sleep(0.5)
    try:
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait()


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    ARTIFACTS.mkdir(exist_ok=True)
    options = getattr(request, "param", {"viewport": {"width": 1280, "height": 900}})
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        opened = browser.new_page(**options)
        opened.set_default_timeout(30_000)
        dialogs: list[str] = []
        opened.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
        yield opened
        assert dialogs == [], "a script ran"
        browser.close()


def test_ask_by_keyboard_and_follow_a_citation(address: str, page) -> None:
    page.goto(address)
    box = page.get_by_placeholder("Ask in plain words, or paste an abstract")
    box.click()
    page.keyboard.type("How do jets suppress star formation?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".wf-paper")  # the whole answer: while it grows there are no papers
    page.wait_for_selector(".wf-cite")
    first = page.locator(".wf-cite").last
    target = first.get_attribute("href")
    first.click()
    page.wait_for_function(
        "id => { const r = document.getElementById(id)?.getBoundingClientRect(); return r && r.top >= 0 && r.top < innerHeight }",
        arg=target[1:],
    )
    assert "q=How" in page.url
    page.screenshot(path=ARTIFACTS / "ask.png")


def test_a_link_restores_the_question_and_scripts_do_not_run(address: str, page) -> None:
    page.goto(f"{address}/?q=robust+de-blending+of+galaxies+%3Cscript%3Ealert(1)%3C/script%3E")
    page.wait_for_selector(".wf-paper")
    assert page.get_by_text("alert('title') Robust de-blending").count() == 1
    page.locator("text=Abstract").first.click()
    page.wait_for_timeout(500)


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}], indirect=True
)
def test_a_phone_shows_it_without_sideways_scrolling(address: str, page) -> None:
    page.goto(f"{address}/?q=fast+radio+bursts+from+magnetars")
    page.wait_for_selector(".wf-paper")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=ARTIFACTS / "phone.png")


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


def test_two_visitors_do_not_meet(address: str, page) -> None:
    page.goto(f"{address}/?q=fast+radio+bursts+from+magnetars")
    page.wait_for_selector(".wf-paper")
    other = page.context.browser.new_page()
    other.goto(address)
    other.wait_for_selector("text=For example")
    assert other.get_by_placeholder("Ask in plain words, or paste an abstract").input_value() == ""
    assert other.locator(".wf-paper").count() == 0


WEBGL = "--no-sandbox --disable-gpu --enable-unsafe-swiftshader --disable-quic --no-first-run --disable-background-networking"


def test_the_map_is_drawn_and_a_lasso_takes_papers_to_the_page_on_impact(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    from tests.topics import build_topic_index

    directory = build_topic_index(tmp_path)
    with served(directory) as url, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=WEBGL.split())
        opened = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="dark")
        opened.set_default_timeout(60_000)
        elsewhere: list[str] = []
        opened.on("request", lambda r: elsewhere.append(r.url) if "localhost" not in r.url and r.url.startswith("http") else None)  # fmt: skip
        opened.goto(f"{url}/map")
        opened.wait_for_function("window.wayfinderMap && window.wayfinderMap.drawn")
        stage = opened.locator(".wf-map-stage")
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
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
