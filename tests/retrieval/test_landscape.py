"""What the map tells of sets, growth and gaps, and search among named papers. Run: pytest tests/retrieval/test_landscape.py"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import IndexMissing, QueryError, SourceError
from indexer.landscape import Cluster, Landscape
from indexer.store import Index, open_index
from retrieval import search
from retrieval.landscape import field, gaps, growth, opened_landscape, rows_inside, spans
from retrieval.paper_sets import compare, identifiers_in, library_of
from retrieval.records import SearchFilters, SearchSettings
from tests.topics import build_topic_index

CORNER = st.tuples(st.integers(-10, 10), st.integers(-10, 10))
BOX = [(-2, -2), (2, -2), (2, 2), (-2, 2)]


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_topic_index(tmp_path_factory.mktemp("topics")))


def flat(places: np.ndarray) -> Landscape:
    """A map of one cluster with papers at given places."""
    everything = Cluster(0, 0, -1, len(places), "all", ("all",), 0.0, 0.0)
    clusters = np.where(np.isfinite(places).all(axis=1), 0, -1)[:, None].astype(np.int32)
    return Landscape(places.astype(np.float32), clusters, (everything,), "test", 0, len(places), np.zeros(len(places), dtype=bool))  # fmt: skip


def test_a_lasso_takes_what_lies_inside() -> None:
    grid = np.array([(x, y) for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.0, 0.5)])
    landscape = flat(np.concatenate([grid, [[np.nan, np.nan]]]))
    assert list(rows_inside(landscape, [(-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1)])) == [4]
    assert list(rows_inside(landscape, BOX)) == list(range(9))  # everything but the lost one
    star = [(-0.6, -0.6), (0.0, 0.6), (0.6, -0.6), (0.0, -0.3)]  # concave: its notch is outside
    assert list(rows_inside(landscape, star)) == [0, 4, 5, 6]
    only = np.arange(10) % 2 == 0
    assert list(rows_inside(landscape, BOX, only)) == [0, 2, 4, 6, 8]


def test_an_outline_of_more_corners_than_a_hand_draws_is_thinned() -> None:
    turns = np.linspace(0, 2 * np.pi, 200_000)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1).tolist()
    places = np.random.default_rng(0).uniform(-0.9, 0.9, (2_000, 2))
    began = time.process_time()
    rows = rows_inside(flat(places), circle)
    assert time.process_time() - began < 2
    assert list(rows) == list(np.flatnonzero(np.linalg.norm(places, axis=1) < 1))


@pytest.mark.parametrize(
    "polygon",
    [[], [(0, 0)], [(0, 0), (1, 1)], [(5, 5), (6, 5), (6, 6)], [(np.nan, 0), (1, 1), (0, 1)],
     [(0, 0), (0, 0), (0, 0)], [(1,), (2, 3, 4), (0, 1)]],
)  # fmt: skip
def test_a_lasso_around_nothing_is_empty(polygon: list) -> None:
    landscape = flat(np.array([[0.5, 0.5], [0.0, 0.25]]))
    assert len(rows_inside(landscape, polygon)) == 0


@settings(deadline=None)
@given(st.lists(CORNER, min_size=3, max_size=8))
def test_a_convex_lasso_agrees_with_half_planes(points: list[tuple[int, int]]) -> None:
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(np.array(points) / 10)
    except (QhullError, ValueError):
        return
    places = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
    away = places.astype(np.float64) @ hull.equations[:, :2].T + hull.equations[:, 2]
    certain = np.abs(away).min(axis=1) > 1e-6  # not on an edge
    inside = set(rows_inside(flat(places), hull.points[hull.vertices]))
    assert all((row in inside) == bool((away[row] < 0).all()) for row in np.flatnonzero(certain))


def test_what_becomes_more_is_said_to_grow(topics: Index) -> None:
    landscape = opened_landscape(topics)
    compared = spans(topics)
    assert compared.now == (compared.before[0] + 5, compared.before[1] + 5)
    level = landscape.n_levels - 1
    found = growth(topics, landscape, level)
    assert {g.cluster.number for g in found} == {c.number for c in landscape.level(level)}
    now = (topics.year >= compared.now[0]) & (topics.year <= compared.now[1])
    assert sum(g.n_now for g in found) == now.sum()
    for one in found:
        if one.ratio is not None:
            assert one.low < one.ratio < one.high
    grown = [g for g in found if g.n_now > g.n_before]
    assert grown
    for one in grown:
        rows = np.flatnonzero(landscape.clusters[:, level] == one.cluster.number)
        assert set(rows % 3) == {2}  # on voids


def test_numbers_of_places_are_finite_where_papers_have_one(topics: Index) -> None:
    numbers = field(topics, opened_landscape(topics))
    assert np.isfinite(numbers.density).all() and np.isfinite(numbers.growth).all()
    assert numbers.density.min() > 0 and numbers.density.max() == 1
    voids = np.arange(len(topics.papers)) % 3 == 2
    assert numbers.growth[voids].mean() > numbers.growth[~voids].mean()
    places = np.array(topics.landscape.places)
    places[:5] = np.nan
    lost = field(topics, replace(topics.landscape, places=places))
    assert np.isnan(lost.density[:5]).all() and np.isfinite(lost.density[5:]).all()
    nowhere = replace(topics.landscape, places=np.full_like(places, np.nan))
    assert np.isnan(field(topics, nowhere).density).all()


def test_the_hole_of_a_ring_is_a_gap_and_its_rim_the_ring() -> None:
    rng = np.random.default_rng(2)
    places = rng.uniform(-0.4, 0.4, (6000, 2))
    hole = np.linalg.norm(places - [0.1, 0.0], axis=1) < 0.05
    landscape = flat(places[~hole])
    found = gaps(landscape)
    assert found
    assert np.hypot(found[0].x - 0.1, found[0].y) < 0.03
    rim = landscape.places[found[0].rim]
    assert len(rim) >= 6
    assert np.linalg.norm(rim - [0.1, 0.0], axis=1).max() < 0.12


@pytest.mark.parametrize(
    "places", [np.zeros((500, 2)), np.zeros((1, 2)), np.full((500, 2), np.nan)]
)
def test_one_paper_or_all_in_one_place_have_no_gap(places: np.ndarray) -> None:
    assert gaps(flat(places)) == []


def test_two_sets_differ_in_terms_years_and_facilities(topics: Index) -> None:
    rows = np.arange(len(topics.papers))
    found = compare(topics, rows[rows % 3 == 0], rows[rows % 3 == 2])
    assert found.n_papers == (40, 40) and found.n_both == 0
    assert any("magnetar" in term.lower() for term in found.terms[0])
    assert any("void" in term.lower() for term in found.terms[1])
    assert sum(found.years[0].values()) == 40
    with pytest.raises(QueryError, match="A set is empty"):
        compare(topics, rows[:0], rows)


def test_sets_differ_in_the_facilities_that_their_papers_used(small_index: Index) -> None:
    uses = small_index.uses
    assert uses is not None
    (row,) = uses.facilities.rows("JWST", used=True)
    others = np.array([n for n in range(len(small_index.papers)) if n != row])
    found = compare(small_index, np.array([row, others[0]]), others)
    assert found.facilities == ((("JWST", 0.5, 0.0),), ())


def test_a_library_is_found_and_what_is_missing_is_told(topics: Index) -> None:
    known = topics.papers[4]
    bibtex = (
        f"@article{{{known.bibcode}, title={{ {known.title} }}, adsurl={{https://ui.adsabs.harvard.edu/abs/{known.bibcode}}} }}\n"
        "@article{2031Nobody....1X, title={{Nobody has <b>this</b>}}, eprint={9901.99999}}\n@article{x, title={{"
    )
    library = library_of(topics, bibtex)
    assert list(library.rows) == [4]
    assert library.missing == ("Nobody has <b>this</b>",)
    with pytest.raises(SourceError, match="no BibTeX entry"):
        library_of(topics, "not a library")


def test_search_among_named_papers_finds_no_other(topics: Index, tmp_path: Path) -> None:
    chosen = [topics.papers[row].bibcode for row in (0, 1, 2, 3)]
    path = tmp_path / "set.txt"
    path.write_text("\n".join([*chosen, "1999Nowhere...1A", ""]), encoding="utf-8")
    among = identifiers_in(path)
    assert among == (*chosen, "1999Nowhere...1A")
    settings = SearchSettings(mode="lexical", filters=SearchFilters(among=among))
    result = search(topics, "survey", settings)
    assert sorted(hit.row for hit in result.hits) == [0, 1, 2, 3]
    assert result.n_candidates == 4
    nobody = SearchSettings(mode="lexical", filters=SearchFilters(among=("1999Nowhere...1A",)))
    assert "1 of them not in this index" in " ".join(search(topics, "survey", nobody).degraded)
    with pytest.raises(QueryError, match="is empty"):
        SearchFilters(among=())
    path.write_text("\n \n", encoding="utf-8")
    with pytest.raises(QueryError, match="no identifier"):
        identifiers_in(path)
    with pytest.raises(SourceError, match="cannot be read"):
        identifiers_in(tmp_path / "none.txt")


def test_an_index_without_a_map_says_how_to_make_one(small_index: Index) -> None:
    with pytest.raises(IndexMissing, match="has no map: make one with `wayfinder index map"):
        opened_landscape(small_index)
