"""Reranking and HyDE: done for real, or said not to be done. Run: pytest tests/retrieval/test_rerank.py"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.encoder import minilm_folder
from indexer.records import Paper
from indexer.store import Index
from retrieval import ask, search
from retrieval.llm import LLM
from retrieval.records import SearchSettings
from retrieval.rerank import AstroCrossReranker, AstroReranker
from retrieval.search import NAMED_WEIGHTS
from tests.llm_server import KEY, LLMServer, Reply

QUERY = "jets and star formation in galaxies"
PLAIN = SearchSettings(rerank=False)


class Backwards:
    """A toy with the real interface: the longest title is best."""

    name = "backwards"
    depth = 50
    share = 1.0

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


def test_a_share_leaves_the_rest_to_the_order_before(small_index: Index) -> None:
    half = Backwards()
    half.share = 0.5
    settings = SearchSettings(k=12)
    plain = search(small_index, QUERY, replace(settings, rerank=False)).hits
    mixed = search(small_index, QUERY, settings, reranker=half).hits
    before = np.array([hit.parts.relevance for hit in plain], dtype=np.float64)
    lengths = np.array([len(hit.paper.title) for hit in plain], dtype=np.float64)
    wanted = (before - before.mean()) / before.std() + (lengths - lengths.mean()) / lengths.std()
    assert [hit.row for hit in mixed] == [plain[i].row for i in np.argsort(-wanted, kind="stable")]
    now = {hit.row: hit.parts.relevance for hit in mixed}
    found = np.array([now[hit.row] for hit in plain])
    assert found.max() == pytest.approx(before.max()), "relevance keeps its measure"
    assert np.corrcoef(found, wanted)[0, 1] == pytest.approx(1.0)


def test_no_paper_that_was_read_falls_below_the_rest(small_index: Index) -> None:
    reader = Backwards()
    reader.depth = 3
    plain = search(small_index, QUERY, SearchSettings(k=12, rerank=False)).hits
    read = search(small_index, QUERY, SearchSettings(k=12), reranker=reader).hits
    assert {hit.row for hit in read[:3]} == {hit.row for hit in plain[:3]}
    assert [hit.row for hit in read[3:]] == [hit.row for hit in plain[3:]]


QUESTION = "What Hubble constant does the sound horizon give without supernovae?"


def test_the_reranker_that_ships_reads_unless_it_is_switched_off(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = search(small_index, QUESTION, SearchSettings(k=12))
    plain = search(small_index, QUESTION, SearchSettings(k=12, rerank=False))
    assert read.degraded == () and read.hits[0].paper.arxiv_id == "2506.00009"
    assert [h.parts.relevance for h in read.hits] != [h.parts.relevance for h in plain.hits]
    reread = {hit.row: hit.parts.reread for hit in read.hits}
    assert (min(reread.values()), max(reread.values())) == (0.0, 1.0)
    assert all(hit.parts.reread == 0.0 for hit in plain.hits)
    shipped = AstroReranker()
    papers = [hit.paper for hit in plain.hits]
    scores = shipped.rank(QUESTION, papers)
    assert scores.shape == (12,) and papers[scores.argmax()].arxiv_id == "2506.00009"
    assert reread[plain.hits[int(scores.argmax())].row] == 1.0
    monkeypatch.setenv("WAYFINDER_RERANKER", "astro")
    assert search(small_index, QUESTION, SearchSettings(k=12)).hits == read.hits
    monkeypatch.setenv("WAYFINDER_RERANKER", "none")
    off = search(small_index, QUESTION, SearchSettings(k=12, rerank=True))
    assert off.hits == plain.hits and "switched off" in off.degraded[0]


@pytest.mark.parametrize(
    "settings",
    [SearchSettings(mode="lexical"), SearchSettings(mode="dense"), SearchSettings(preset="pathfinder")],
)  # fmt: skip
def test_what_asks_for_another_order_is_read_where_it_says_so(
    small_index: Index, settings: SearchSettings
) -> None:
    plain = search(small_index, QUESTION, replace(settings, rerank=False)).hits
    assert search(small_index, QUESTION, settings).hits == plain
    assert search(small_index, QUESTION, replace(settings, rerank=True)).hits != plain


def test_conditions_alone_are_not_read(small_index: Index) -> None:
    result = search(small_index, "since 2024", SearchSettings(rerank=True))
    assert result.hits == search(small_index, "since 2024", PLAIN).hits


def test_the_cross_encoder_that_ships_reads_where_it_is_asked_to(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = list(small_index.papers)
    shipped = AstroCrossReranker()
    scores = shipped.rank(QUESTION, papers)
    assert papers[scores.argmax()].arxiv_id == "2506.00009"
    assert shipped.rank(QUESTION, papers[:1])[0] == scores[0], "a score is of its pair alone"
    monkeypatch.setenv("WAYFINDER_RERANKER", "astro-cross")
    by_name = search(small_index, QUESTION, SearchSettings(k=12))
    assert by_name.degraded == ()
    assert by_name.hits == search(small_index, QUESTION, SearchSettings(k=12), reranker=shipped).hits  # fmt: skip


def test_reranking_can_be_switched_off(small_index: Index) -> None:
    plain = search(small_index, QUERY, SearchSettings(rerank=False), reranker=Backwards())
    assert plain.hits == search(small_index, QUERY, PLAIN).hits
    assert plain.degraded == ()


@pytest.mark.parametrize(
    "wrong", [np.array([1.0]), np.full(12, np.nan), np.zeros((12, 2)), np.array([])]
)
def test_scores_that_make_no_sense_leave_the_order_and_are_reported(
    small_index: Index, wrong: np.ndarray
) -> None:
    result = search(small_index, QUERY, SearchSettings(rerank=True), reranker=Backwards(wrong))
    assert result.hits == search(small_index, QUERY, PLAIN).hits
    assert "'backwards' gave no finite score" in result.degraded[0]


def test_asked_for_and_not_there_is_reported(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYFINDER_RERANK_SECONDS", "120")  # importing torch takes its time
    monkeypatch.setenv("WAYFINDER_RERANKER", str(tmp_path / "none"))
    assert "cannot be loaded" in search(small_index, QUERY).degraded[0]
    assert "cannot be loaded" in search(small_index, QUERY).degraded[0]
    monkeypatch.setenv("WAYFINDER_RERANKER", "http://[::1")
    assert "is no URL" in search(small_index, QUERY).degraded[0]


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


class Faulty:
    """A reranker that does not do its work."""

    name = "faulty"
    depth = 50
    share = 1.0

    def __init__(self, what: Callable[[], object]) -> None:
        self.what = what

    def rank(self, query: str, papers: Sequence[Paper]) -> np.ndarray:
        return self.what()  # type: ignore[return-value]


def _raise() -> object:
    raise ZeroDivisionError("secret detail")


@pytest.mark.parametrize(
    "what", [_raise, lambda: None, lambda: "no numbers", lambda: [[1], [2, 3]]]
)
def test_a_reranker_that_fails_leaves_the_order(
    small_index: Index, what: Callable[[], object]
) -> None:
    result = search(small_index, QUERY, SearchSettings(rerank=True), reranker=Faulty(what))
    assert result.hits == search(small_index, QUERY, PLAIN).hits
    assert "Reranking was not done: 'faulty'" in result.degraded[0]
    assert "secret detail" not in result.degraded[0]


def test_a_reranker_that_is_too_slow_is_left_behind(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_RERANK_SECONDS", "0.2")
    let_go = threading.Event()
    result = search(small_index, QUERY, reranker=Faulty(lambda: let_go.wait(60)))
    let_go.set()
    assert result.hits == search(small_index, QUERY, PLAIN).hits
    assert "took longer than 0.2 s" in result.degraded[0]
    assert result.seconds["reranking"] < 5


def endpoint(results: object) -> str:
    return json.dumps({"id": "1", "results": results})


def test_an_endpoint_of_the_common_shape_reranks(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = search(small_index, QUERY, SearchSettings(k=12, rerank=False)).hits
    backwards = [
        {"index": i, "relevance_score": i / 12, "document": {"text": "x"}} for i in range(12)
    ]
    with LLMServer([Reply(endpoint(backwards))]) as server:
        monkeypatch.setenv("WAYFINDER_RERANKER", server.base_url + "/rerank")
        monkeypatch.setenv("WAYFINDER_RERANKER_MODEL", "rerank-v3.5")
        monkeypatch.setenv("WAYFINDER_RERANKER_API_KEY", KEY)
        result = search(small_index, QUERY, SearchSettings(k=12))
    assert result.degraded == ()
    assert [hit.row for hit in result.hits] == [hit.row for hit in plain][::-1]
    body = server.requests[0]
    assert body["model"] == "rerank-v3.5"
    assert body["query"] == QUERY
    assert body["documents"] == [hit.paper.text() for hit in plain]


def test_an_endpoint_may_score_only_some(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = search(small_index, QUERY, SearchSettings(k=12, rerank=False)).hits
    with LLMServer([Reply(endpoint([{"index": 3, "relevance_score": 0.5}]))]) as server:
        monkeypatch.setenv("WAYFINDER_RERANKER", server.base_url + "/rerank")
        hits = search(small_index, QUERY, SearchSettings(k=12)).hits
    rows = [hit.row for hit in plain]
    assert [hit.row for hit in hits] == [rows[3], *rows[:3], *rows[4:]]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=500), "HTTP 500"),
        (Reply(status=429), "HTTP 429"),
        (Reply("not json"), "another shape"),
        (Reply(endpoint([{"index": 99, "relevance_score": 1.0}])), "scored 1 papers"),
        (Reply(endpoint([])), "scored 0 papers"),
        (Reply(endpoint([{"index": 0, "relevance_score": float("nan")}])), "no finite score"),
        (Reply(hang_before_seconds=30), "did not answer"),
    ],
)
def test_an_endpoint_that_fails_leaves_the_order_and_tells_no_secret(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str
) -> None:
    plain = search(small_index, QUERY, PLAIN)
    with LLMServer([reply]) as server:
        url = server.base_url.replace("http://", "http://user:hunter2@") + "/rerank"
        monkeypatch.setenv("WAYFINDER_RERANKER", url)
        monkeypatch.setenv("WAYFINDER_RERANKER_API_KEY", KEY)
        monkeypatch.setenv("WAYFINDER_RERANK_SECONDS", "1")
        result = search(small_index, QUERY)
    assert result.hits == plain.hits
    assert len(result.degraded) == 1
    assert said in result.degraded[0] or "took longer" in result.degraded[0]
    assert "hunter2" not in result.degraded[0]
    assert KEY not in result.degraded[0]


@pytest.mark.parametrize(
    "reply", ["[12, 3, 1]", "Sure! Here: [12, 3, 1] as asked.", "```json\n[12,3,1]\n```"]
)
def test_the_language_model_orders_papers(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, reply: str
) -> None:
    plain = [hit.row for hit in search(small_index, QUERY, SearchSettings(k=12, rerank=False)).hits]
    full = reply.replace("12, 3, 1", "12, 3, 1, 2, 4, 5").replace("12,3,1", "12,3,1,2,4,5")
    with LLMServer([Reply(full)]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("WAYFINDER_RERANKER", "llm")
        result = search(small_index, QUERY, SearchSettings(k=12))
    assert result.degraded == ()
    head = [plain[11], plain[2], plain[0], plain[1], plain[3], plain[4]]
    assert [hit.row for hit in result.hits] == head + [r for r in plain if r not in head]
    prompt = server.requests[0]["messages"][1]["content"]
    assert QUERY in prompt
    assert small_index.papers[plain[0]].plain_title in prompt


def test_a_language_model_that_orders_nothing_leaves_the_order(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_RERANKER", "llm")
    without = search(small_index, QUERY)
    assert without.hits == search(small_index, QUERY, PLAIN).hits
    assert "needs a language model" in without.degraded[0]
    with LLMServer([Reply("I like paper 3 best.")]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        result = search(small_index, QUERY)
    assert result.hits == without.hits
    assert "ordered 1 of" in result.degraded[0]


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
    settings = SearchSettings(hyde=True, rerank=False)
    result = search(small_index, QUERY, settings)
    assert "HyDE was not done: it needs a language model" in result.degraded[0]
    assert result.hits == search(small_index, QUERY, PLAIN).hits
    with LLMServer([Reply(status=401)]) as server:
        failed = search(small_index, QUERY, settings, llm=LLM(server.config()))
    assert "HyDE was not done: 127.0.0.1 refuses the key" in failed.degraded[0]


def test_several_imagined_abstracts_are_averaged_and_weighted(small_index: Index) -> None:
    texts = ["Fast radio bursts from magnetars repeat.", "Bursts come from dwarf galaxies."]
    with LLMServer([Reply("\n=====\n".join(texts))]) as server:
        llm = LLM(server.config())
        settings = SearchSettings(k=12, mode="dense", hyde=True, hyde_abstracts=2, hyde_weight=0.8)
        result = search(small_index, QUERY, settings, llm=llm)
        fewer = search(small_index, QUERY, replace(settings, hyde_abstracts=3), llm=llm)
    assert "2 different abstracts" in server.requests[0]["messages"][0]["content"]
    encode = small_index.encoder.encode
    vector = 0.2 * encode([QUERY])[0] + 0.8 * encode(texts).mean(axis=0)
    expected = np.argsort(-(small_index.vectors.astype(np.float32) @ vector), kind="stable")
    assert [hit.row for hit in result.hits] == list(expected)
    assert result.degraded == ()
    assert "2 of 3 abstracts" in fewer.degraded[0]


def test_offline_asks_no_model_for_hyde(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer([Reply("x")]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        ask(small_index, QUERY, SearchSettings(hyde=True), offline=True)
    assert server.requests == []


def test_what_names_are_worth_is_added_after_reranking(small_index: Index) -> None:
    hits = search(
        small_index, "how far away is M31", SearchSettings(k=12), reranker=Backwards()
    ).hits
    assert {0.0, 1.0} == {hit.parts.named for hit in hits}
    worth = NAMED_WEIGHTS["object"]
    bare = [hit.parts.relevance * (1 + worth) - worth * hit.parts.named for hit in hits]
    lengths = [len(hit.paper.title) for hit in hits]
    assert [lengths[i] for i in np.argsort(bare)[::-1]] == sorted(lengths, reverse=True)
    assert max(hits, key=lambda hit: hit.parts.named).parts.relevance >= worth / (1 + worth)
