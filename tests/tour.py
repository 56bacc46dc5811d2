"""The pictures of docs/tour.md, made anew: `make screenshots`, or `python -m tests.tour ask map` for some of them.

The starter corpus is served once by the command that people use and looked at with Debian's Chromium. A picture is kept
once two in a row are the same, so nothing in it is half drawn.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.default_index import default_index_dir
from tests.browser import CHROMIUM, FLAGS, ask
from tests.servers import web_server

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
COLOURS = 192  # of a picture's palette: text stays smooth, files small
PATIENCE_MS = 120_000
# Without a GPU process Chromium blackens parts of a scrolled map: the whole page is drawn by SwiftShader instead.
DRAWING = FLAGS.replace(" --disable-gpu", "") + " --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader --ignore-gpu-blocklist"  # fmt: skip
QUESTION = "What do we learn when a black hole tears a star apart?"
ON_A_PHONE = "What are JWST's little red dots?"  # short enough for its box
WORDS = "jets heat cluster gas since 2005"
PARTS = "How do black holes stop star formation, and what are JWST's little red dots?"
DRAFT = (
    "We follow a star that passes close to a massive black hole and is torn apart. Half of its gas falls back, forms a disc and "
    "shines for months in X-rays and in the optical; from the light curve we estimate the mass of the black hole."
)
MINE = "2019ApJ...875L...1E, 2009Natur.460..213C, 2007ARA&A..45..117M, 2510.08801, 2016PhRvL.116f1102A, astro-ph/9805201"
_AT_REST = """() => document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]')
  && !document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner], [data-testid=stToast], [data-stale=true]')
  && document.fonts.status === 'loaded'"""
# Corners of a polygon, in pixels of the stage, around the papers of the lowest large subject.
_AROUND_A_SUBJECT = """() => {
  const map = window.wayfinderMap, of = map.columns.cluster_0, places = {};
  of.forEach((n, i) => { if (n >= 0 && n < 255) (places[n] ??= []).push(map.at(map.x[i], map.y[i])); });
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const lowest = Object.values(places).filter((all) => all.length >= 20)
    .map((all) => ({ all, x: middle(all.map((p) => p[0])), y: middle(all.map((p) => p[1])) }))
    .sort((a, b) => b.y - a.y)[0];
  const reach = (part) => 14 + middle(lowest.all.map((p) => Math.abs(p[part] - (part ? lowest.y : lowest.x)))) * 1.9;
  return Array.from({ length: 25 }, (_, i) => i / 24 * 2 * Math.PI)
    .map((a) => [lowest.x + reach(0) * Math.cos(a), lowest.y + reach(1) * Math.sin(a)]);
}"""


@dataclass(frozen=True)
class Look:
    """How a page is looked at: the picture's ending and what a browser is opened with."""

    ending: str
    size: tuple[int, int]  # pixels of the page
    colours: str = "light"
    scale: int = 1
    agent: str | None = None  # Streamlit closes its menu by itself where this names a phone


LIGHT = Look("", (1280, 800))
DARK = Look("-dark", (1280, 800), "dark")
PHONE = Look("-phone", (390, 844), scale=2, agent="Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36")  # fmt: skip


def ask_evidence(page: Any) -> None:
    """An answer, and beside it what its first citation stands on."""
    ask(page, ON_A_PHONE if page.viewport_size["width"] == PHONE.size[0] else QUESTION)
    page.locator("button.wf-cite").first.click()
    page.wait_for_selector(".wf-evidence:popover-open")


def settings(page: Any) -> None:
    """What may be chosen before a question is asked again."""
    ask(page, QUESTION)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("From year").fill("2005")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Filters · 1").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Ranking").click()
    recent = page.get_by_role("slider", name="Prefer recent papers")
    for _ in range(6):
        recent.press("ArrowRight")
    page.get_by_role("slider", name="Recent means").wait_for()


def search(page: Any) -> None:
    """Papers with what their place is made of."""
    _opened(page, "Search")
    box = page.get_by_placeholder("Words, a question, an abstract")
    box.fill(WORDS)
    box.press("Enter")
    page.wait_for_selector(".wf-paper")


def research(page: Any) -> None:
    """The report on a question of two parts."""
    _opened(page, "Deep research")
    page.get_by_role("textbox", name="Your question").fill(PARTS)
    page.get_by_role("button", name="Make a plan").click()
    page.get_by_role("button", name="Start the research").click()
    page.get_by_role("button", name="Another question").wait_for()


def whole_map(page: Any) -> None:
    """All papers, those of a question marked."""
    ask(page, QUESTION)
    _opened(page, "Map")
    page.wait_for_function("window.wayfinderMap && window.wayfinderMap.drawn")


def lasso(page: Any) -> None:
    """A set taken by a lasso, and its list."""
    whole_map(page)
    picture(page)  # at rest: the map has found its size
    page.locator(".wf-map-lasso").click()
    stage = page.locator(".wf-map-stage").bounding_box()
    corners = page.evaluate(_AROUND_A_SUBJECT)
    for number, (x, y) in enumerate(corners):
        page.mouse.move(stage["x"] + x, stage["y"] + y)
        if not number:
            page.mouse.down()
    page.mouse.up()
    page.get_by_role("button", name="Impact of these papers").wait_for()
    page.locator("[data-testid=stDataFrame] canvas").first.wait_for()
    _scrolled(page, ".wf-map-legend", 400)


def impact(page: Any) -> None:
    """Two observatories side by side."""
    _opened(page, "Impact")
    page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first.wait_for()
    _scrolled(page, "[data-testid=stMultiSelect]", 66)


def similar(page: Any) -> None:
    """What is like a draft."""
    _opened(page, "Similar")
    page.get_by_label("An abstract, a draft or a reference list").fill(DRAFT)
    page.get_by_role("button", name="Find similar papers").click()
    page.wait_for_selector(".wf-paper")
    _scrolled(page, ".stMain textarea", 62)


def library(page: Any) -> None:
    """A few papers of one's own."""
    _opened(page, "Library")
    page.get_by_label("Or bibcodes, arXiv ids, DOIs, links").fill(MINE)
    page.get_by_role("button", name="Add these").click()
    page.get_by_text("6 papers").wait_for()
    page.locator("[data-testid=stDataFrame] canvas").first.wait_for()


def about(page: Any) -> None:
    """What the index holds."""
    _opened(page, "About this index")
    page.get_by_text("Observatories and methods").wait_for()


VIEWS: dict[str, Callable[[Any], None]] = {
    "ask": ask_evidence, "settings": settings, "search": search, "research": research, "map": whole_map, "lasso": lasso,
    "impact": impact, "similar": similar, "library": library, "about": about,
}  # fmt: skip
LOOKS = {"ask": (LIGHT, DARK, PHONE), "search": (LIGHT, DARK, PHONE), "map": (LIGHT, DARK, PHONE)}


def _opened(page: Any, name: str) -> None:
    """Go to a page of the app by its navigation, which keeps the visit; on a phone that is in a menu."""
    menu = page.get_by_test_id("stExpandSidebarButton")
    if menu.is_visible():
        menu.click()
    link = page.get_by_role("link", name=name, exact=True)
    address = str(link.get_attribute("href"))
    link.click()
    page.wait_for_url(f"{address}**")
    _at_rest(page)


def _at_rest(page: Any) -> None:
    """Wait until the page is drawn: what is typed before that is lost."""
    page.wait_for_timeout(700)
    page.wait_for_function(_AT_REST)


def _scrolled(page: Any, selector: str, top: int) -> None:
    """Scroll until an element's top edge is this far from the window's, in pixels."""
    page.evaluate(
        "([s, top]) => document.querySelector('.stMain').scrollBy(0, document.querySelector(s).getBoundingClientRect().top - top)",
        [selector, top],
    )


def small(png: bytes) -> bytes:
    """The picture with a palette of its own."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    saved = io.BytesIO()
    few = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(saved, "PNG", optimize=True)
    return saved.getvalue()


def picture(page: Any) -> bytes:
    """The page once it is at rest and two pictures in a row are the same."""
    page.mouse.move(2, 2)
    before = b""
    for _ in range(60):
        _at_rest(page)
        now: bytes = page.screenshot(animations="disabled", caret="hide")
        if now == before:
            return now
        before = now
    raise AssertionError(f"{page.url} never comes to rest")


@contextmanager
def opened(browser: Any, url: str, look: Look) -> Iterator[Any]:
    """The page that asks, at a first visit."""
    width, height = look.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=look.colours, device_scale_factor=look.scale,
        user_agent=look.agent, reduced_motion="reduce",
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("[class*=st-key-example]")
    _at_rest(page)
    yield page
    context.close()


def main(names: list[str]) -> None:
    """Make the pictures of these views, or of all."""
    from playwright.sync_api import sync_playwright

    index = default_index_dir(None, lambda stage, done, total: None)
    PICTURES.mkdir(exist_ok=True)
    with web_server(index) as server, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=DRAWING.split())
        for name in names or VIEWS:
            for look in LOOKS.get(name, (LIGHT,)):
                with opened(browser, server.url, look) as page:
                    VIEWS[name](page)
                    png = small(picture(page))
                file = PICTURES / f"{name}{look.ending}.png"
                file.write_bytes(png)
                print(f"{file.name}: {len(png) / 1000:.0f} kB", flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
