"""Reranking and HyDE: done for real, or said not to be done. Run: pytest tests/retrieval/test_rerank.py"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.encoder import minilm_folder
from indexer.records import Paper
from indexer.store import Index
from retrieval import ask, search
from retrieval.llm import LLM
from retrieval.records import SearchSettings
from tests.llm_server import LLMServer, Reply

QUERY = "jets and star formation in galaxies"


class Backwards:
    """A toy with the real interface: the longest title is best."""

    name = "backwards"

    def __init__(self, wrong: np.ndarray | None = None) -> None:
        self.wrong = wrong

    def rank(self, query: str, papers: Sequence[Paper]) -> np.ndarray:
        return np.array([float(len(p.title)) for p in papers]) if self.wrong is None else self.wrong


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real cross-encoder on disk: MiniLM's layers with an untrained head."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("cross-encoder")
    AutoModelForSequenceClassification.from_pretrained(
        minilm_folder(), num_labels=1
    ).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm_folder()).save_pretrained(folder)
    return folder


def test_the_rerankers_order_is_the_order(small_index: Index) -> None:
    hits = search(small_index, QUERY, SearchSettings(k=12), reranker=Backwards()).hits
    lengths = [len(hit.paper.title) for hit in hits]
    assert lengths == sorted(lengths, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, 13))
    assert all(0 <= hit.parts.relevance <= 1 for hit in hits)
    weighted = search(
        small_index, QUERY, SearchSettings(k=12, recency=1.0), reranker=Backwards()
    ).hits
    assert [h.row for h in weighted] != [h.row for h in hits], "weights still count afterwards"


def test_reranking_can_be_switched_off(small_index: Index) -> None:
    plain = search(small_index, QUERY, SearchSettings(rerank=False), reranker=Backwards())
    assert plain.hits == search(small_index, QUERY).hits
    assert plain.degraded == ()


@pytest.mark.parametrize(
    "wrong", [np.array([1.0]), np.full(12, np.nan), np.zeros((12, 2)), np.array([])]
)
def test_scores_that_make_no_sense_leave_the_order_and_are_reported(
    small_index: Index, wrong: np.ndarray
) -> None:
    result = search(small_index, QUERY, SearchSettings(rerank=True), reranker=Backwards(wrong))
    assert result.hits == search(small_index, QUERY).hits
    assert "'backwards' gave no finite score" in result.degraded[0]


def test_asked_for_and_not_there_is_reported(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert (
        "no reranker is set" in search(small_index, QUERY, SearchSettings(rerank=True)).degraded[0]
    )
    monkeypatch.setenv("WAYFINDER_RERANKER", str(tmp_path / "none"))
    assert "cannot be loaded" in search(small_index, QUERY).degraded[0]


def test_a_real_cross_encoder_reranks(
    small_index: Index, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import CrossEncoder

    monkeypatch.setenv("WAYFINDER_RERANKER", str(cross_encoder))
    result = search(small_index, QUERY, SearchSettings(k=12))
    assert result.degraded == ()
    model = CrossEncoder(str(cross_encoder), max_length=384)
    expected = model.predict([(QUERY, paper.text()) for paper in small_index.papers])
    assert [hit.row for hit in result.hits] == list(np.argsort(-expected, kind="stable"))


def test_hyde_carries_the_question_and_moves_the_search(small_index: Index) -> None:
    imagined = (
        "We localise a repeating fast radio burst and a persistent radio source in a dwarf galaxy."
    )
    with LLMServer([Reply(imagined)]) as server:
        llm = LLM(server.config())
        result = search(small_index, QUERY, SearchSettings(mode="dense", hyde=True), llm=llm)
    assert QUERY in server.requests[0]["messages"][1]["content"]
    assert result.degraded == ()
    row = small_index.row_of("2021Natur.590...50J")
    cosine = {hit.row: hit.parts.dense for hit in result.hits}
    plain = {
        hit.row: hit.parts.dense
        for hit in search(small_index, QUERY, SearchSettings(mode="dense")).hits
    }
    assert cosine.get(row, 0.0) > plain.get(row, 0.0)


def test_hyde_that_was_not_done_is_reported(small_index: Index) -> None:
    result = search(small_index, QUERY, SearchSettings(hyde=True))
    assert "HyDE was not done: it needs a language model" in result.degraded[0]
    assert result.hits == search(small_index, QUERY).hits
    with LLMServer([Reply(status=401)]) as server:
        failed = search(small_index, QUERY, SearchSettings(hyde=True), llm=LLM(server.config()))
    assert "HyDE was not done: 127.0.0.1 refuses the key" in failed.degraded[0]


def test_offline_asks_no_model_for_hyde(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer([Reply("x")]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        ask(small_index, QUERY, SearchSettings(hyde=True), offline=True)
    assert server.requests == []
