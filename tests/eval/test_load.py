"""Visitors of a real server over real WebSockets. Run: pytest tests/eval/test_load.py"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from typer.testing import CliRunner

from eval import load as loads
from eval import serving
from eval.cli import app
from eval.load import Asked, Memory, Sent, growth, mixed, table
from eval.serving import web_app
from eval.visitor import Visitor, on_page, plain
from indexer.store import open_index

T = TypeVar("T")
QUESTIONS = [
    "What did the shadow of the black hole in M87 look like?",
    "Which baryons do fast radio bursts find between galaxies?",
    "What do we learn when a black hole tears a star apart?",  # its answer has a power of ten
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
        powers, _ = asyncio.run(_one_visit(url, QUESTIONS[2]))
        assert any("10^4 years" in sentence for sentence in powers)
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


def _server(measuring: psutil.Process) -> psutil.Process | None:
    """The server that a measurement has started, where it already has."""
    with suppress(psutil.NoSuchProcess):
        for child in measuring.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "serve" in child.cmdline() and "--port" in child.cmdline():
                    return child
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process that its parent ended")
@pytest.mark.parametrize(
    ("ending", "when"),
    [(signal.SIGKILL, "starts"), (signal.SIGKILL, "listens"), (signal.SIGTERM, "listens"), (signal.SIGINT, "starts")],
)  # fmt: skip
def test_a_measurement_that_is_ended_leaves_no_server(
    ending: signal.Signals, when: str, small_index_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({"query_id": "1", "question": QUESTIONS[0], "arxiv_id": "2402.00002"}))  # fmt: skip
    # A shell that began the tests in its background has them ignore SIGINT.
    command = ["env", "--default-signal=INT", str(Path(sys.executable).with_name("wayfinder")), "eval", "load", "--questions", str(file),
               "--index", str(small_index_dir), "--visitors", "1", "--minutes", "20"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ran:
        measuring = psutil.Process(ran.pid)
        server = _until(lambda: _server(measuring))
        if when == "listens":
            _until(lambda: any(c.status == psutil.CONN_LISTEN for c in server.net_connections("tcp")))  # fmt: skip
        ran.send_signal(ending)
        assert ran.wait(timeout=60) != 0
    server.wait(timeout=30)
    assert not server.is_running()


def test_a_command_whose_starter_is_gone_does_not_begin(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    tether = [sys.executable, "-I", str(Path(serving.__file__).with_name("tether.py"))]
    for parent, code in ((os.getpid(), 0), (1, 1)):
        ran = subprocess.run([*tether, str(parent), "/usr/bin/touch", str(begun)], check=False)
        assert (ran.returncode, begun.exists()) == (code, code == 0)
        begun.unlink(missing_ok=True)


def _until(look: Callable[[], T | None]) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


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


def test_signs_in_a_text_are_no_markup() -> None:
    said = "We identify sources at 0.08<z<4.7 & 12 at z>5  with <b>."
    assert on_page(said) == "We identify sources at 0.08<z<4.7 & 12 at z>5 with <b>."
    assert plain("<p>at 0.08&lt;z <b>and</b></p>") == "at 0.08<z and"
