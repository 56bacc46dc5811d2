"""What cards offer, over a real WebSocket and in a real browser. Run: pytest tests/app/test_card_tools.py"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2.bidi_component.main import _make_trigger_id

from eval.visitor import Visitor
from tests.browser import CHROMIUM, FLAGS
from tests.servers import web_server

QUESTION = "How do jets suppress star formation?"
FORGED = (
    {"does": "keep", "n": 999}, {"does": "keep", "n": "1"}, {"does": "keep"}, {"does": ["keep"], "n": 1}, {"does": "good", "n": 1},
    {"does": "__class__", "n": 1}, {"n": None}, {"does": "keep", "n": 1, "of": "1:0"}, {"does": "keep", "n": 1, "of": None},
)  # fmt: skip
NO_WORDS = ("keep", None, [1], 7)


def parts(visit: Visitor, kind: str) -> list[Any]:
    found = [e for e in visit.page.elements.values() if e.WhichOneof("type") == kind]
    return [getattr(element, kind) for element in found]


async def pages_after(url: str) -> tuple[list[str], list[bool]]:
    """Errors on the page while a visitor sends what no card does, and whether a paper is kept after each, the last a true one."""
    visit = Visitor(url)
    await visit.open()
    await visit.ask(QUESTION)
    (cards,) = [c for c in parts(visit, "bidi_component") if c.component_name == "wayfinder_cards"]
    trigger = _make_trigger_id(cards.id, "events")
    of = json.loads(cards.mixed.json or "{}") if cards.HasField("mixed") else json.loads(cards.json)
    errors, kept = [], []
    for value in (
        *({"of": of["of"], **told} for told in FORGED),
        *NO_WORDS,
        {"does": "keep", "n": 1, "of": of["of"]},
    ):
        told = json.dumps([{"event": "done", "value": value}])
        await visit._run({cards.id: {"json_value": "{}"}, trigger: {"json_trigger_value": told}})
        errors += visit.page.errors
        kept.append("Only my library (1 paper)" in visit.page.text)
    await visit._run({trigger: {"json_trigger_value": "[]"}})  # of a component that was never drawn
    errors += visit.page.errors
    await visit.close()
    return errors, kept


def test_only_what_a_card_offers_is_done(small_index_dir: Path) -> None:
    with web_server(small_index_dir) as server:
        errors, kept = asyncio.run(pages_after(server.url))
    assert errors == []
    assert kept == [False] * (len(FORGED) + len(NO_WORDS)) + [True]


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium")  # fmt: skip
def test_cards_keep_papers_take_votes_and_stay_unfolded(
    small_index_dir: Path, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    votes = tmp_path / "votes.jsonl"
    with (
        web_server(small_index_dir, WAYFINDER_FEEDBACK=str(votes)) as server,
        sync_playwright() as p,
    ):
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"{server.url}/?q={QUESTION.replace(' ', '+')}")
        abstract = page.locator("#paper-1 details").first
        abstract.locator("summary").click()
        page.get_by_role("button", name="Add paper 1 to library", exact=True).click()
        taken = page.get_by_role("button", name="Paper 1 is in your library: take it out")
        taken.wait_for()
        page.get_by_text("Only my library (1 paper)").wait_for()
        assert taken.evaluate("button => document.activeElement === button")
        assert abstract.evaluate("part => part.open")
        right = page.get_by_role("group", name="Paper 2, right for this question?")
        for answer, pressed in (("No", "true"), ("No", "false"), ("Yes", "true")):
            button = right.get_by_role("button", name=answer)
            button.click()
            page.wait_for_function(
                "([b, on]) => b.ariaPressed === on", arg=[button.element_handle(), pressed]
            )
        taken.click()
        page.get_by_role("button", name="Add paper 1 to library", exact=True).wait_for()
        assert page.get_by_text("Only my library").count() == 0
        browser.close()
    rows = [json.loads(line) for line in votes.read_text("utf-8").splitlines()]
    assert [(row["about"], row["good"]) for row in rows] == [("paper", False), ("paper", None), ("paper", True)]  # fmt: skip
    assert len({row["vote"] for row in rows}) == 1
