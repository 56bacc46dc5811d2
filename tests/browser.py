"""Debian's Chromium, and what is done with it on a page of Wayfinder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
WEBGL = FLAGS + " --enable-unsafe-swiftshader"
ASK = "Ask in plain words, or paste an abstract"  # stands in the empty box


def ask(page: Any, question: str) -> None:
    """Type a question and press Enter; return when its papers are there."""
    box = page.get_by_placeholder(ASK)
    box.fill(question)
    box.press("Enter")
    page.wait_for_selector(".wf-paper")


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical on the page, each with the first element it is about."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
