"""Weights and what they move, diversity, reviews first. Run: pytest tests/retrieval/test_ranking.py"""

from __future__ import annotations

import copy

import numpy as np
import pytest

from indexer.errors import QueryError
from indexer.records import Paper
from indexer.store import Index, open_index
from retrieval import search
from retrieval.ranking import is_review
from retrieval.records import SearchSettings
from tests.papers import PAPERS, build_small_index

QUERY = "fast radio bursts and magnetars"


def test_without_weights_nothing_moves(small_index: Index) -> None:
    result = search(small_index, QUERY)
    assert [hit.plain_rank for hit in result.hits] == [hit.rank for hit in result.hits]
    assert result.displaced == ()


def test_weights_say_which_papers_they_move(small_index: Index) -> None:
    plain = search(small_index, QUERY, SearchSettings(k=12))
    order = [hit.row for hit in plain.hits]
    weighted = search(small_index, QUERY, SearchSettings(k=3, recency=1.0, half_life_years=1.0))
    for hit in weighted.hits:
        assert hit.plain_rank == order.index(hit.row) + 1
    assert weighted.displaced, "a half-life of a year must move something here"
    shown = {hit.row for hit in weighted.hits}
    assert {hit.row for hit in weighted.displaced} == set(order[:3]) - shown
    assert all(hit.rank > 3 and hit.plain_rank <= 3 for hit in weighted.displaced)


def test_a_recent_papers_bonus_halves_in_the_half_life(small_index: Index) -> None:
    for half_life in (1.0, 4.0):
        hits = search(
            small_index, QUERY, SearchSettings(k=12, recency=1.0, half_life_years=half_life)
        ).hits
        for hit in hits:
            if hit.paper.decimal_year is None:
                continue
            age = small_index.manifest.as_of_year - hit.paper.decimal_year
            assert hit.parts.recency == pytest.approx(0.5 ** (age / half_life), abs=2e-3)


def test_diversity_spreads_and_its_end_points_hold(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = copy.deepcopy(PAPERS)
    burst = next(row for row in rows if row.get("bibcode") == "2021Natur.590...50J")
    twins = [
        {**burst, "bibcode": f"2022Twin..{n}...50J", "doi": None, "arxiv_id": f"2201.0000{n}", "title": f"{burst['title']}, part {n}"}
        for n in range(1, 4)
    ]  # fmt: skip
    index = open_index(build_small_index(tmp_path_factory.mktemp("twins"), rows + twins))

    def spread(diversity: float) -> float:
        hits = search(index, QUERY, SearchSettings(k=4, diversity=diversity)).hits
        assert [hit.rank for hit in hits] == [1, 2, 3, 4]
        vectors = index.vectors[[hit.row for hit in hits]].astype(np.float32)
        return float((vectors @ vectors.T)[np.triu_indices(4, 1)].mean())

    assert spread(0.8) < spread(0.0) - 0.1
    first = [search(index, QUERY, SearchSettings(k=4, diversity=d)).hits[0].row for d in (0.0, 0.9)]
    assert first[0] == first[1], "the best paper stays first"


@pytest.mark.parametrize(
    ("title", "abstract", "journal", "expected"),
    [
        ("Fast radio bursts: a review", "", None, True),
        ("A brief review on Fast Radio Bursts", "", None, True),
        ("The Hubble tension: A decade review", "", None, True),
        ("Star formation in the Milky Way", "This review covers forty years of work.", None, True),
        ("Accretion discs", "We review the physics of accretion.", None, True),
        ("Star formation in galaxies", "", "ARA&A", True),
        ("Peer review at observatories with machine learning", "We model panels.", None, False),
        ("Reviewing proposals at ALMA", "Distributed proposal review saves time.", None, False),
        ("A new jet in NGC 1068", "We present maps.", "ApJ", False),
    ],
)
def test_reviews_are_known_by_title_abstract_or_journal(
    title: str, abstract: str, journal: str | None, expected: bool
) -> None:
    assert is_review(Paper(title=title, abstract=abstract, journal=journal)) is expected


def test_reviews_come_first_in_their_own_order(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [
        *copy.deepcopy(PAPERS),
        {"arxiv_id": "2600.00001", "title": "Fast radio bursts: a review", "abstract": "Bursts and their hosts.", "authors": ["Tan, A."], "year": 2020},
        {"arxiv_id": "2600.00002", "title": "Comets: a review", "abstract": "Comets and their tails in history.", "authors": ["Uhl, B."], "year": 2020},
    ]  # fmt: skip
    index = open_index(build_small_index(tmp_path_factory.mktemp("reviews"), rows))
    plain = search(index, QUERY, SearchSettings(k=14)).hits
    hits = search(index, QUERY, SearchSettings(k=14, reviews_first=True)).hits
    assert [hit.paper.id for hit in hits[:2]] == ["2600.00001", "2600.00002"]
    rest = [h.row for h in plain if h.paper.id not in ("2600.00001", "2600.00002")]
    assert [h.row for h in hits[2:]] == rest


def test_pathfinders_preset_is_the_product_of_its_formulas(small_index: Index) -> None:
    hits = search(small_index, QUERY, SearchSettings(k=12, preset="pathfinder")).hits
    rows = np.array([hit.row for hit in hits])
    cosine = small_index.vectors[rows].astype(np.float64) @ small_index.encoder.encode([QUERY])[0]
    near = 1 / (2 - 2 * cosine)
    count = np.array([min(hit.paper.citation_count or 0, 300) for hit in hits])
    cited = 1 / (1 + np.exp((300 - count) / 42))
    dates = np.array([hit.paper.decimal_year for hit in hits], dtype=np.float64)
    young = 1 / (1 + np.exp((small_index.manifest.as_of_year - dates) / 0.7))
    words = {word for word in QUERY.lower().split() if len(word) > 3}
    texts = [hit.paper.text().lower() for hit in hits]
    matched = np.array([0.1 + 0.1 * sum(word in text for word in words) for text in texts])
    product = np.prod([part / part.max() for part in (near, cited, young, matched)], axis=0)
    assert [hit.score for hit in hits] == pytest.approx(product, rel=1e-3, abs=1e-9)
    with pytest.raises(QueryError, match="preset is 'magic'"):
        SearchSettings(preset="magic")  # type: ignore[arg-type]
