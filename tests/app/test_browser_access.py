"""Every page against axe-core, in light and dark, and what a screen reader is told. Run: pytest tests/app/test_browser_access.py"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.config import LOOK
from indexer.encoder import load_encoder
from tests.browser import ASK, CHROMIUM, ask, serious
from tests.servers import web_server
from tests.topics import build_topic_index

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium"
    ),
]
LIGHT = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
DARK = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}

THEMED = (
    "() => matchMedia('(prefers-color-scheme: light)').matches"
    " || getComputedStyle(document.querySelector('.stMain button[kind^=primary] p')).color != 'rgb(255, 255, 255)'"
)


PASSWORD = "correct horse"
LIGHT_QUERY = "matchMedia('(prefers-color-scheme: light)').matches"


@pytest.fixture(scope="module")
def with_password(small_index_dir: Path) -> Iterator[str]:
    with web_server(small_index_dir, WAYFINDER_PASSWORD=PASSWORD) as server:
        yield server.url


@pytest.fixture(scope="module")
def with_map(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with web_server(
        build_topic_index(tmp_path_factory.mktemp("topics"), encoder=load_encoder("astro"))
    ) as server:
        yield server.url


@pytest.mark.parametrize("page", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
def test_asking_and_searching_pass_axe(address: str, page) -> None:
    found = {}
    page.goto(address)
    page.locator(".st-key-example-0").wait_for()
    page.wait_for_function(THEMED)  # Streamlit says which theme it is a moment after it draws
    found["first"] = serious(page)
    ask(page, "How do jets suppress star formation before 2030?")
    page.locator("button.wf-cite").first.click()
    found["evidence"] = serious(page)
    page.keyboard.press("Escape")
    for button in ("Filters", "Ranking", "Answer", "Full texts"):
        page.get_by_role("button", name=button).first.click()
        page.wait_for_selector("[data-testid=stPopoverBody]")
        found[button] = serious(page)
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-testid=stPopoverBody]", state="detached")
    page.goto(f"{address}/search?q=star+formation")
    page.wait_for_selector(".wf-paper")
    page.locator("summary").first.click()
    found["search"] = serious(page)
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("page", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
def test_the_other_pages_pass_axe(with_map: str, page) -> None:
    page.goto(with_map)
    page.get_by_placeholder(ASK).wait_for()
    links = page.get_by_test_id("stTopNavLink")
    names = [links.nth(n).inner_text().strip() for n in range(links.count())]
    found = {}
    assert {"Ask", "Search", "Deep research", "Map", "Impact"} <= set(names)
    for name in names:
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_function(
            "name => [...document.querySelectorAll('[data-testid=stTopNavLink]')].some(l => l.innerText.trim() === name && l.getAttribute('aria-current'))",
            arg=name,
        )
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.wait_for_function("document.querySelectorAll('h1').length === 1")  # drawn, and one
        found[name] = serious(page)
    assert {where: what for where, what in found.items() if what} == {}


def test_an_answer_is_announced_and_a_plot_has_words(small_index_dir: Path, address: str, page) -> None:  # fmt: skip
    page.goto(f"{address}/?q=How+many+papers+on+star+formation+per+year%3F")
    page.locator(".wf-kind[role=status]").wait_for()
    assert "Counted in this index" in page.locator(".wf-kind").inner_text()
    page.get_by_label("values, all in the table below", exact=False).first.wait_for()


@pytest.mark.parametrize("page", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
def test_the_login_passes_axe_and_says_what_is_wrong(with_password: str, page) -> None:
    theme = "light" if page.evaluate(LIGHT_QUERY) else "dark"
    page.goto(f"{with_password}/search?q=jets")
    assert serious(page) == []
    box = page.get_by_label("Password of this Wayfinder")
    assert box.evaluate("e => e === document.activeElement")
    assert box.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    assert page.get_by_role("heading", name="Wayfinder").count() == 1
    colours = tomllib.loads(LOOK.read_text(encoding="utf-8"))["theme"][theme]
    painted = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert painted == "rgb({}, {}, {})".format(*bytes.fromhex(colours["backgroundColor"][1:]))
    box.fill("not that one")
    box.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "That is not the password." in page.get_by_role("alert").inner_text()
    assert serious(page) == []
    page.get_by_label("Password of this Wayfinder").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".wf-paper")


def test_a_card_offers_the_library_by_an_icon_with_its_words(address: str, page) -> None:
    page.goto(f"{address}/search?q=star+formation")
    add = page.get_by_role("button", name="Add paper 1 to library", exact=True)
    add.wait_for()
    size = add.bounding_box()
    assert 24 <= size["width"] <= 44 and 24 <= size["height"] <= 44
    title = page.locator("#paper-1 h3").bounding_box()
    assert abs(size["y"] - title["y"]) < 20 and size["x"] > title["x"] + title["width"] - 60
    add.click()
    page.get_by_role("button", name="Paper 1 is in your library: take it out", exact=True).click()
    add.wait_for()
