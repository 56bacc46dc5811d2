"""Visitors of a real server over real WebSockets. Run: pytest tests/eval/test_load.py"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval import load as loads
from eval.cli import app
from eval.load import Asked, Memory, Sent, growth, mixed, table
from eval.serving import web_app
from eval.visitor import Visitor, plain
from indexer.store import open_index

QUESTIONS = [
    "What did the shadow of the black hole in M87 look like?",
    "Which baryons do fast radio bursts find between galaxies?",
    "How do young planets migrate in discs of gas?",
]


def test_visitors_at_once_get_their_own_answers(starter_index: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    lines = [json.dumps({"query_id": str(i), "question": words, "arxiv_id": "1906.11238"}) for i, words in enumerate(QUESTIONS)]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8")
    with web_app(starter_index) as (url, server):
        command = [
            "load",
            "--questions",
            str(file),
            "--index",
            str(starter_index),
            "--visitors",
            "3",
        ]
        ran = CliRunner().invoke(app, [*command, "--url", url, "--json"])
        assert ran.exit_code == 0, ran.output
        found = json.loads(ran.stdout)
        assert (found["visits"], found["questions"]) == (3, 3)
        assert (found["errors"], found["mixed"], found["wrong"]) == ([], 0, 0)
        assert 0 < found["median_seconds"] <= found["p95_seconds"] <= found["worst_seconds"]
        assert found["memory"][0]["resident_mb"] > found["memory"][0]["private_mb"] > 50
        opened = open_index(starter_index)
        soaked = loads.soak(opened, QUESTIONS, url=url, server=server, visitors=2, minutes=0.03, in_all=7)  # fmt: skip
        assert (soaked.questions, soaked.visits) == (7, 2) and soaked.seconds >= 0.03 * 60 * 6 / 7
        assert "answers unlike the one given alone        0" in table(soaked)
        sentences, sent = asyncio.run(_one_visit(url, QUESTIONS[0]))
    # The checks see what they are there for: this visitor's answer is not another question's, ...
    record = loads._Record(asked=[Asked(0, QUESTIONS[1], 1.0, (), sentences)], opened=[1.0])
    assert loads._load(opened, record, 1, 1.0, 1.0).wrong == 1
    # ... and a page that was sent another's question is told from one that was not.
    first, other = (Sent(frozenset({words}), "", sent) for words, sent in ((QUESTIONS[0], sent), (QUESTIONS[1], "")))  # fmt: skip
    assert mixed([first, other]) == 0
    leaked = replace(first, in_all=f"{sent} {plain(QUESTIONS[1])}")
    assert mixed([leaked, other]) == 1
    assert (
        mixed([replace(leaked, at_first=plain(QUESTIONS[1])), other]) == 0
    )  # an example on every page


async def _one_visit(url: str, question: str) -> tuple[tuple[str, ...], str]:
    visit = Visitor(url)
    await visit.open()
    await visit.ask(question)
    await visit.close()
    assert len(visit.page.sentences) >= 2 and question in visit.seen
    return visit.page.sentences, visit.seen


def test_growth_is_the_slope_after_warming_up() -> None:
    warming = [Memory(s, 900, 100 + s) for s in range(0, 100, 10)]
    steady = [Memory(s, 900, 200 + s / 3600 * 12) for s in range(100, 401, 10)]
    assert growth([*warming, *steady]) == pytest.approx(12)
    assert growth(warming[:4]) is None
