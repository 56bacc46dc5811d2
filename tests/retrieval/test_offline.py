"""Offline answers, with sockets blocked. Run: pytest tests/retrieval/test_offline.py"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.store import Index
from retrieval import ask
from retrieval.question_type import TYPES
from retrieval.records import SearchSettings
from tests.llm_server import LLMServer, Reply

QUESTIONS = {
    "fact": "What is the spin of the black hole in Sgr A*?",
    "papers": "How do jets suppress star formation?",
    "summary": "Summarise what is known about fast radio bursts",
    "definition": "What is a fast radio burst?",
    "consensus": "Do magnetars explain all fast radio bursts?",
    "what-if": "What if magnetars were not the sources of fast radio bursts?",
    "bibliometric": "How many papers on fast radio bursts per year?",
    "compositional": "What powers fast radio bursts and how often do they repeat?",
    "time-sensitive": "What are the latest results on fast radio bursts?",
}
NEEDS_MODEL = {"consensus": "A verdict needs", "what-if": "put the parts together", "compositional": "put the parts"}  # fmt: skip


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection is refused and noted, with all that could want one configured."""
    tried: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name, value in (
        ("WAYFINDER_LLM_BASE_URL", "http://127.0.0.1:9/v1"),
        ("WAYFINDER_RERANKER", "http://127.0.0.1:9/rerank"),
        ("WAYFINDER_SIMBAD", "1"),
    ):
        monkeypatch.setenv(name, value)
    return tried


@pytest.mark.parametrize("kind", TYPES)
def test_every_kind_of_question_is_answered_or_says_what_it_needs(
    small_index: Index, no_sockets: list[object], kind: str
) -> None:
    settings = SearchSettings(hyde=True, rerank=True)
    answer = ask(small_index, QUESTIONS[kind], settings, offline=True)
    assert no_sockets == []
    assert answer.kind == kind
    assert answer.sentences
    assert all(sentence.supported for sentence in answer.sentences)
    assert answer.mode == ("computed" if kind == "bibliometric" else "extractive")
    if kind in NEEDS_MODEL:
        assert any(NEEDS_MODEL[kind] in note for note in answer.degraded)
    if kind != "bibliometric":
        assert any(note.startswith("HyDE was not done") for note in answer.degraded)
        assert any("its reranker is a server" in note for note in answer.degraded)


def test_the_same_settings_do_try_the_network_when_not_offline(
    small_index: Index, no_sockets: list[object]
) -> None:
    ask(small_index, QUESTIONS["papers"])
    assert no_sockets != []


def test_the_newest_come_first_where_time_matters(small_index: Index) -> None:
    answer = ask(small_index, QUESTIONS["time-sensitive"], offline=True)
    years = [answer.papers[s.citations[0] - 1].paper.decimal_year for s in answer.sentences]
    assert years == sorted(years, reverse=True)
    assert len(set(years)) > 1


def test_the_command_makes_any_connection_an_error(small_index_dir: Path) -> None:
    with LLMServer([Reply("x")]) as server:
        environment = {
            **os.environ,
            "WAYFINDER_LLM_BASE_URL": server.base_url,
            "WAYFINDER_RERANKER": server.base_url + "/rerank",
            "WAYFINDER_SIMBAD": "1",
        }
        command = [
            "ask",
            QUESTIONS["papers"],
            "--offline",
            "--json",
            "--index",
            str(small_index_dir),
        ]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("wayfinder")), *command],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        code = (
            "from retrieval.offline import forbid_network\nforbid_network()\nimport urllib.request\n"
            f"urllib.request.urlopen({server.base_url!r})"
        )
        refused = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert server.requests == []
    assert "OfflineError" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mode"] == "extractive"
