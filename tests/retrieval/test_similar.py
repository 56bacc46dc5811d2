"""More like this: from papers and from drafts, by meaning and by citations. Run: pytest tests/retrieval/test_similar.py"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from indexer.errors import PaperNotFound, QueryError
from indexer.store import Index, open_index
from retrieval import similar
from retrieval.records import SearchFilters, SearchSettings
from tests.papers import PAPERS, build_small_index

REPEATER, MAGNETARS, JETS, ELLIPTICALS = (
    "2021Natur.590...50J",
    "2504.00007",
    "2024ApJ...900....1A",
    "2402.00002",
)


@pytest.fixture(scope="module")
def citing_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The twelve papers, some with reference lists.

    Ellipticals and the survey of clouds share two references; magnetars cites the repeater; the Sgr A*
    paper cites the repeater and the 2005 distance scale, by DOI and by bibcode.
    """
    rows = copy.deepcopy(PAPERS)
    by_id = {row.get("arxiv_id") or row["bibcode"]: row for row in rows}
    by_id["2402.00002"]["references"] = ["1111.0001", "1111.0002", "1111.0003", "1111.0004"]
    by_id["2501.00005"]["references"] = ["arXiv:1111.0002v2", "1111.0003"]
    by_id["2504.00007"]["references"] = ["2021Natur.590...50J"]
    by_id["2508.00012"]["references"] = ["10.1000/SIX", "2005ApJ...620..200L"]
    return open_index(build_small_index(tmp_path_factory.mktemp("citing"), rows))


def found(index: Index, *papers: str, **options: object) -> list[str]:
    return [hit.paper.id for hit in similar(index, papers, **options).hits]  # type: ignore[arg-type]


def test_shared_references_are_counted_and_nothing_else_is_found(citing_index: Index) -> None:
    result = similar(citing_index, "2402.00002", by="references")
    assert [hit.paper.id for hit in result.hits] == ["2501.00005"]
    assert result.hits[0].score == pytest.approx(2 / (4 * 2) ** 0.5, abs=1e-6)
    assert result.hits[0].parts.shared_references == pytest.approx(result.hits[0].score)
    assert found(citing_index, "2506.00009", by="references") == []


def test_citations_go_both_ways_and_together(citing_index: Index) -> None:
    of_repeater = similar(citing_index, REPEATER, by="citations")
    strength = {hit.paper.id: hit.parts.citations for hit in of_repeater.hits}
    assert strength["2504.00007"] == strength["2508.00012"] == 1.0, "both cite it"
    assert strength["2005ApJ...620..200L"] == 0.5, "cited with it by one of the two"
    assert found(citing_index, "2504.00007", by="citations") == [REPEATER], "it is cited by it"
    both = similar(citing_index, ["2504.00007", "2508.00012"], by="citations")
    assert both.hits[0].paper.id == REPEATER
    assert both.hits[0].parts.citations == 1.0


def test_every_kind_is_in_the_parts(citing_index: Index) -> None:
    hit = next(h for h in similar(citing_index, "2402.00002").hits if h.paper.id == "2501.00005")
    assert hit.parts.shared_references > 0
    assert hit.parts.dense == pytest.approx(hit.score)


def test_several_papers_find_what_lies_between_and_not_themselves(small_index: Index) -> None:
    hits = found(small_index, JETS, "2019MNRAS.480..100F")
    assert hits[0] == ELLIPTICALS
    assert not {JETS, "2019MNRAS.480..100F"} & set(hits)


def test_a_draft_finds_what_it_does_not_cite(small_index: Index) -> None:
    draft = (
        "Jets from black holes heat the halo gas of massive galaxies and lower the star formation rate.\n\n"
        "Following https://arxiv.org/abs/2402.00002 and arXiv:1111.99999 we simulate a massive galaxy."
    )
    result = similar(small_index, text=draft)
    hits = [hit.paper.id for hit in result.hits]
    assert hits[0] == JETS
    assert "2402.00002" not in hits, "the draft cites it already"
    assert [paper.id for paper in result.given] == ["2402.00002"]


def test_what_a_draft_cites_outside_the_index_counts_as_shared(citing_index: Index) -> None:
    result = similar(citing_index, text="See 1111.0002 and 1111.0003.", by="references")
    assert [hit.paper.id for hit in result.hits] == ["2501.00005", "2402.00002"]
    assert result.hits[0].score == pytest.approx(1.0)


def test_filters_hold_and_nothing_left_is_said(small_index: Index) -> None:
    settings = SearchSettings(filters=SearchFilters(since=2025))
    result = similar(small_index, JETS, settings)
    assert {hit.paper.year for hit in result.hits} <= {2025, None}
    nothing = similar(small_index, JETS, SearchSettings(filters=SearchFilters(since=2100)))
    assert nothing.hits == ()
    assert "without “since 2100”" in nothing.degraded[0]


def test_an_index_without_references_says_so(small_index: Index) -> None:
    result = similar(small_index, JETS, by="references")
    assert result.hits == ()
    assert "no reference lists" in result.degraded[0]


@pytest.mark.parametrize(
    ("papers", "options", "error"),
    [
        ([], {}, QueryError),
        ([], {"text": "  \x00 "}, QueryError),
        ([JETS], {"by": "magic"}, QueryError),
        ([JETS] * 51, {}, QueryError),
        ([JETS, "9999.99999"], {}, PaperNotFound),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    small_index: Index, papers: list[str], options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        similar(small_index, papers, **options)  # type: ignore[arg-type]


def test_long_drafts_are_read_to_their_end(small_index: Index, tmp_path: Path) -> None:
    filler = "We thank the referee for careful reading. " * 40
    subject = (
        "A repeating fast radio burst was localised to a dwarf galaxy with a persistent source."
    )
    draft = "\n\n".join([filler, *[subject * 12] * 6])
    assert found(small_index, text=draft)[0] == REPEATER
