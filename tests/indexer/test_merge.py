"""One paper is one paper. Run: pytest tests/indexer/test_merge.py"""

from __future__ import annotations

from indexer.merge import merge_papers
from indexer.records import IngestReport, Paper

TITLE = "The mass of a very nearby star"
PREPRINT = Paper(
    TITLE,
    "Preprint text.",
    arxiv_id="2401.00001",
    authors=("Li, B.",),
    year=2023,
    citation_count=2,
    categories=("astro-ph.SR",),
)
JOURNAL = Paper(
    TITLE + "!",
    "Journal text.",
    bibcode="2024ApJ...900....1L",
    doi="10.1/x",
    arxiv_id="2401.00001",
    year=2024,
    journal="ApJ",
    citation_count=1,
)


def merged(*papers: Paper) -> tuple[list[Paper], IngestReport]:
    report = IngestReport(read=len(papers))
    result = merge_papers(papers, report)
    assert report.balanced
    return result, report


def test_the_published_record_wins_and_the_preprint_fills_its_gaps() -> None:
    expected = Paper(
        TITLE + "!", "Journal text.", bibcode="2024ApJ...900....1L", doi="10.1/x", arxiv_id="2401.00001", authors=("Li, B.",),
        year=2024, journal="ApJ", citation_count=2, categories=("astro-ph.SR",),
    )  # fmt: skip
    for order in ((PREPRINT, JOURNAL), (JOURNAL, PREPRINT)):
        papers, report = merged(*order)
        assert papers == [expected]
        assert (report.indexed, report.merged) == (1, 1)


def test_equal_titles_of_one_author_and_year_are_one_paper() -> None:
    again = Paper(
        TITLE.upper(), "Other.", bibcode="2023arXiv240100001L", authors=("B. Li",), year=2023
    )
    assert len(merged(PREPRINT, again)[0]) == 1
    other_author = Paper(TITLE, "Other.", authors=("Wu, C.",), year=2023)
    other_year = Paper(TITLE, "Other.", authors=("Li, B.",), year=2019)
    assert len(merged(PREPRINT, other_author, other_year)[0]) == 3


def test_short_titles_do_not_merge() -> None:
    errata = [Paper("Erratum", f"Text {i}.", authors=("Li, B.",), year=2023) for i in range(3)]
    assert len(merged(*errata)[0]) == 3


def test_a_record_can_join_two_that_came_apart() -> None:
    first = Paper("One quite long title", "a", doi="10.1/a")
    second = Paper("Two quite long title", "b", arxiv_id="2401.1")
    other = Paper("Something else altogether here", "c", doi="10.1/c")
    joint = Paper("Three quite long title", "d", doi="10.1/A", arxiv_id="2401.1")
    papers, report = merged(first, second, other, joint)
    assert [p.doi for p in papers] == ["10.1/a", "10.1/c"]
    assert papers[0].arxiv_id == "2401.1"
    assert (report.indexed, report.merged) == (2, 2)


def test_order_is_that_of_first_appearance() -> None:
    papers = [Paper(f"Paper number {i} of many", "x", arxiv_id=str(i)) for i in range(50)]
    assert merged(*papers, *reversed(papers))[0] == papers
