"""How fast a visitor sees the page, by the clock of a real Chromium: `wayfinder eval paint`.

Each run is a visitor of their own with an empty cache. Browser and server share the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import QueryError
from indexer.store import Index
from retrieval import search

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PATIENCE_MS = 120_000

# Milliseconds since the visit began, asked at each frame until it is so.
_WHEN_OPEN = """() => {
  const box = document.querySelector('input[aria-label="Your question"]');
  const still = document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]');
  return box && !box.disabled && still ? performance.now() : 0;
}"""
_FIRST_PAINT = """() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"""
_ON_ENTER = """() => addEventListener('keydown', e => { if (e.key === 'Enter') window.entered = performance.now(); }, true)"""
_WHEN_FOUND = """title => {
  const shown = [...document.querySelectorAll('.wf-paper')].some(card => card.innerText.includes(title));
  return shown && window.entered ? performance.now() - window.entered : 0;
}"""


@dataclass(frozen=True)
class Paints:
    """Milliseconds of each run."""

    first_paint: tuple[float, ...]  # of Ask: the first words on it
    interactive: tuple[float, ...]  # of Ask: the whole page is drawn and its box takes a question
    results: tuple[float, ...]  # of Search: from Enter to the best paper on the page


def paints(
    index: Index, questions: Sequence[str], *, url: str, runs: int, chromium: Path | None = None
) -> Paints:
    """Open Ask and search on Search, `runs` times each, after one of each that is not counted.

    Raises:
        QueryError: there is no browser.
    """
    from playwright.sync_api import sync_playwright

    browser_path = chromium or CHROMIUM
    if not browser_path.is_file():
        raise QueryError(f"There is no browser at {browser_path}: install chromium, or name one by --chromium.")  # fmt: skip
    asked = [questions[i % len(questions)] for i in range(runs + 1)]
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(browser_path), args=list(FLAGS))
        opened = [_opened(browser, url) for _ in asked][1:]
        found = [_searched(browser, url, index, words) for words in asked][1:]
        browser.close()
    first, whole = zip(*opened, strict=True)
    return Paints(first, whole, tuple(found))


def _opened(browser: Any, url: str) -> tuple[float, float]:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        whole = float(page.wait_for_function(_WHEN_OPEN, timeout=PATIENCE_MS).json_value())
        return float(page.evaluate(_FIRST_PAINT)), whole


def _searched(browser: Any, url: str, index: Index, words: str) -> float:
    best = search(index, words).hits[0].paper.plain_title
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/search")
        box = page.get_by_label("What to search for")
        box.fill(words, timeout=PATIENCE_MS)
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        page.evaluate(_ON_ENTER)
        box.press("Enter")
        return float(
            page.wait_for_function(_WHEN_FOUND, arg=best, timeout=PATIENCE_MS).json_value()
        )


def table(found: Paints) -> str:
    """The measurement for people."""
    rows = {
        "Ask, first paint": found.first_paint,
        "Ask, interactive": found.interactive,
        "Search, Enter to results": found.results,
    }
    return "\n".join(
        f"{name:<28}median {np.median(ms):7,.0f} ms   {min(ms):7,.0f} to {max(ms):7,.0f}, {len(ms)} runs"
        for name, ms in rows.items()
    )
