"""Search over a small real index. Run: pytest tests/retrieval/test_search.py"""

from __future__ import annotations

import numpy as np
import pytest

from indexer.errors import PaperNotFound
from indexer.store import Index
from retrieval import search, similar
from retrieval.errors import QueryError
from retrieval.llamaindex import WayfinderRetriever
from retrieval.records import MODES, SearchFilters, SearchSettings


def ids(index: Index, query: str, **settings: object) -> list[str]:
    return [hit.paper.id for hit in search(index, query, SearchSettings(**settings)).hits]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("water vapour seen in a warm Neptune", "2023A&A...670...10G"),
        ("localisation of a repeating fast radio burst", "2021Natur.590...50J"),
        ("black hole spin in Sagittarius A*", "2508.00012"),
    ],
)
def test_the_right_paper_is_first(small_index: Index, query: str, first: str, mode: str) -> None:
    assert ids(small_index, query, mode=mode)[0] == first


@pytest.mark.parametrize("mode", MODES)
def test_ranks_scores_and_parts_belong_together(small_index: Index, mode: str) -> None:
    result = search(
        small_index, "jets and star formation", SearchSettings(mode=mode, recency=0.3, impact=0.2)
    )
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    assert len({hit.row for hit in result.hits}) == len(result.hits), "one entry per paper"
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    for hit in result.hits:
        parts = hit.parts
        for value in (parts.dense, parts.lexical, parts.relevance, parts.recency, parts.impact):
            assert 0 <= value <= 1
        assert hit.score == pytest.approx(
            parts.relevance + 0.3 * parts.recency + 0.2 * parts.impact, abs=1e-6
        )
    again = search(
        small_index, "jets and star formation", SearchSettings(mode=mode, recency=0.3, impact=0.2)
    )
    assert again.hits == result.hits


def test_filters_hold_inside_the_search(small_index: Index) -> None:
    def found(**filters: object) -> set[str]:
        settings = SearchSettings(k=100, filters=SearchFilters(**filters))  # type: ignore[arg-type]
        result = search(small_index, "galaxies and black holes", settings)
        assert result.n_candidates >= len(result.hits)
        return {hit.paper.id for hit in result.hits}

    assert found(since=2025) == {
        "2501.00005",
        "2504.00007",
        "2506.00009",
        "2507.00011",
        "2508.00012",
    }
    assert found(until=1900) == {"1871AN.....77..100P"}
    assert found(since=2019, until=2021) == {"2019MNRAS.480..100F", "2021Natur.590...50J"}
    assert found(min_citations=100) == {
        "2019MNRAS.480..100F",
        "2021Natur.590...50J",
        "2005ApJ...620..200L",
    }
    assert found(author="Almeida") == {"2024ApJ...900....1A", "2023A&A...670...10G"}
    assert found(author="Almeida, R") == {"2024ApJ...900....1A", "2023A&A...670...10G"}
    assert found(author="muller") == {"2506.00009"}
    assert found(author="Kim, Q") == set()
    assert found(facility="JWST") == {"2023A&A...670...10G"}
    assert found(facility="James Webb Space Telescope") == {"2023A&A...670...10G"}
    assert found(facility="NoSuchTelescope") == set()
    assert found(since=1800, until=3000) == {p.id for p in small_index.papers}


def test_recency_and_impact_do_what_their_names_say(small_index: Index) -> None:
    query = "Hubble constant"
    assert ids(small_index, query, k=2, recency=1.0)[0] == "2506.00009"
    hit = search(small_index, query, SearchSettings(k=1, recency=1.0)).hits[0]
    age = small_index.manifest.as_of_year - float(small_index.decimal_year[hit.row])
    assert hit.parts.recency == pytest.approx(0.5 ** (age / 5.0), abs=1e-4)
    assert ids(small_index, query, recency=0.0, impact=0.0) == ids(small_index, query)


def test_only_stop_words_are_answered_by_meaning_and_marked(small_index: Index) -> None:
    result = search(small_index, "what is the of and")
    assert result.hits
    assert "meaning alone" in result.degraded[0]


def test_words_of_another_language_are_marked(small_index: Index) -> None:
    for query in (
        "чёрные дыры in galaxies далёких скоплений",
        "agujeros negros y galaxies lejanas",
    ):
        assert "papers' language" in search(small_index, query).degraded[0]
    assert search(small_index, "black holes in galaxies").degraded == ()


@pytest.mark.parametrize(
    "query",
    [
        "🔭🌌", "ما هي الثقوب السوداء؟", "什么是黑洞", "$\\frac{a}{b}$ \\undefined{", "<script>alert(1)</script>", "\x00\x01 null bytes",
        "a b", "OR AND NOT (", "'; DROP TABLE papers; --", "\ud800 lone surrogate", "word " * 5000,
    ],
)  # fmt: skip
def test_odd_queries_give_a_result(small_index: Index, query: str) -> None:
    assert len(search(small_index, query, SearchSettings(k=3)).hits) <= 3


def test_a_pasted_abstract_finds_its_paper_and_long_text_is_cut(small_index: Index) -> None:
    abstract = small_index.papers[3].abstract
    assert ids(small_index, abstract)[0] == "2023A&A...670...10G"
    result = search(small_index, (abstract + " ") * 200)
    assert len(result.query) == 20_000
    assert "the first 20,000 were used" in result.degraded[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k is 0"), ({"k": -1}, "k is -1"), ({"k": 10**9}, "k is 1000000000"), ({"mode": "magic"}, "mode is 'magic'"),
        ({"recency": 1.5}, "recency is 1.5"), ({"impact": -0.1}, "impact is -0.1"), ({"half_life_years": 0}, "half_life_years is 0"),
        ({"recency": float("nan")}, "recency is nan"),
        ({"filters": SearchFilters(since=2020, until=2010)}, "2020 to 2010"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_errors(settings: dict[str, object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        SearchSettings(**settings)  # type: ignore[arg-type]


def test_similar_papers_share_their_subject(small_index: Index) -> None:
    result = similar(small_index, "2021Natur.590...50J", SearchSettings(k=3))
    assert result.hits[0].paper.arxiv_id == "2504.00007"
    assert "2021Natur.590...50J" not in {hit.paper.bibcode for hit in result.hits}
    for same in (
        "arXiv:2401.00001v3",
        "https://arxiv.org/abs/2401.00001",
        "10.1000/ONE",
        "2024ApJ...900....1A",
    ):
        assert similar(small_index, same).query == small_index.papers[0].plain_title
    with pytest.raises(PaperNotFound, match="9999.99999"):
        similar(small_index, "9999.99999")


def test_the_settings_key_names_every_setting() -> None:
    variants = [
        SearchSettings(), SearchSettings(k=11), SearchSettings(mode="dense"), SearchSettings(recency=0.1),
        SearchSettings(impact=0.1), SearchSettings(half_life_years=6), SearchSettings(filters=SearchFilters(since=2000)),
    ]  # fmt: skip
    assert len({v.key for v in variants}) == len(variants)
    assert SearchSettings().key == SearchSettings().key


def test_dense_scores_agree_with_numpy(small_index: Index) -> None:
    query = "galaxies at high redshift"
    cosine = small_index.vectors.astype(np.float32) @ small_index.encoder.encode([query])[0]
    result = search(small_index, query, SearchSettings(k=12, mode="dense"))
    assert [hit.row for hit in result.hits] == list(np.argsort(-cosine, kind="stable"))
    assert result.best_cosine == pytest.approx(float(cosine.max()), abs=1e-5)


def test_llamaindex_retrieves_the_same_papers(small_index: Index) -> None:
    nodes = WayfinderRetriever(small_index, SearchSettings(k=2)).retrieve("fast radio bursts")
    hits = search(small_index, "fast radio bursts", SearchSettings(k=2)).hits
    assert [node.node.node_id for node in nodes] == [hit.paper.id for hit in hits]
    assert nodes[0].score == hits[0].score
    assert nodes[0].node.get_content() == hits[0].paper.text()
