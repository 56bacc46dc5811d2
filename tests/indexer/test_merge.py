"""One paper is one paper. Run: pytest tests/indexer/test_merge.py"""

from __future__ import annotations

from indexer.merge import Grouper, merged, only_enriches, shared_keys
from indexer.records import Paper
from indexer.spool import Record

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


def grouped(*papers: Paper) -> list[Paper]:
    """The papers that these records become, in order."""
    grouper = Grouper()
    for paper in papers:
        grouper.add(paper)
    return [merged([Record(papers[i], 0) for i in group]) for group in grouper.groups()]


def test_the_published_record_wins_and_the_preprint_fills_its_gaps() -> None:
    expected = Paper(
        TITLE + "!", "Journal text.", bibcode="2024ApJ...900....1L", doi="10.1/x", arxiv_id="2401.00001", authors=("Li, B.",),
        year=2024, journal="ApJ", citation_count=2, categories=("astro-ph.SR",),
    )  # fmt: skip
    for order in ((PREPRINT, JOURNAL), (JOURNAL, PREPRINT)):
        assert grouped(*order) == [expected]


def test_equal_titles_of_one_author_and_year_are_one_paper() -> None:
    again = Paper(
        TITLE.upper(), "Other.", bibcode="2023arXiv240100001L", authors=("B. Li",), year=2023
    )
    assert len(grouped(PREPRINT, again)) == 1
    other_author = Paper(TITLE, "Other.", authors=("Wu, C.",), year=2023)
    other_year = Paper(TITLE, "Other.", authors=("Li, B.",), year=2019)
    assert len(grouped(PREPRINT, other_author, other_year)) == 3


def test_short_titles_do_not_merge() -> None:
    errata = [Paper("Erratum", f"Text {i}.", authors=("Li, B.",), year=2023) for i in range(3)]
    assert len(grouped(*errata)) == 3


def test_a_record_can_join_two_that_came_apart() -> None:
    first = Paper("One quite long title", "a", doi="10.1/a")
    second = Paper("Two quite long title", "b", arxiv_id="2401.1")
    other = Paper("Something else altogether here", "c", doi="10.1/c")
    joint = Paper("Three quite long title", "d", doi="10.1/A", arxiv_id="2401.1")
    papers = grouped(first, second, other, joint)
    assert [p.doi for p in papers] == ["10.1/a", "10.1/c"]
    assert papers[0].arxiv_id == "2401.1"


def test_order_is_that_of_first_appearance() -> None:
    papers = [Paper(f"Paper number {i} of many", "x", arxiv_id=str(i)) for i in range(50)]
    assert grouped(*papers, *reversed(papers)) == papers


def test_years_within_one_and_all_forms_of_an_identifier_are_one_paper() -> None:
    records = [
        Paper(TITLE, "a", authors=("Li, B.",), year=2023, arxiv_id="2401.00001"),
        Paper(TITLE.upper(), "b", authors=("B. Li",), year=2024, bibcode="2024ApJ...900....1L"),
        Paper("Another title of this one", "c", doi="10.48550/arXiv.2401.00001"),
        Paper("A third title of this one", "d", bibcode="2024arXiv240100001L"),
        Paper("A fourth title of this one", "e", aliases=("2024ApJ...900....1L", "2024ApJ...tmp..123L")),
    ]  # fmt: skip
    (paper,) = grouped(*records)
    assert (paper.bibcode, paper.arxiv_id) == ("2024ApJ...900....1L", "2401.00001")
    assert paper.doi == "10.48550/arXiv.2401.00001"
    assert paper.aliases == ("2024ApJ...tmp..123L", "2024arXiv240100001L")
    assert len(grouped(*records[:1], Paper(TITLE, "x", authors=("Li, B.",), year=2025))) == 2


def test_equal_titles_with_ids_that_differ_are_different_papers() -> None:
    first = Paper(TITLE, "a", authors=("Li, B.",), year=2023, arxiv_id="2301.00001")
    second = Paper(TITLE, "b", authors=("Li, B.",), year=2023, arxiv_id="2305.00009")
    assert len(grouped(first, second)) == 2
    dois = [Paper(TITLE, "a", authors=("Li, B.",), year=2023, doi=f"10.1/{i}") for i in range(2)]
    assert len(grouped(*dois)) == 2
    assert len(grouped(first, dois[0])) == 1


def test_enriching_records_add_and_make_no_paper() -> None:
    graph = Paper(
        "", "", arxiv_id="2401.00001", bibcode="2024ApJ...900....1L", citation_count=9,
        references=("2000ApJ...1",), concepts=("Stellar mass",), keywords=("stars",), year=2024,
    )  # fmt: skip
    assert only_enriches(graph)
    for order in ((PREPRINT, graph), (graph, PREPRINT)):
        (paper,) = grouped(*order)
        assert (paper.title, paper.year, paper.citation_count) == (TITLE, 2023, 9)
        assert (paper.keywords, paper.concepts) == (("stars",), ("Stellar mass",))
        assert (paper.bibcode, paper.references) == ("2024ApJ...900....1L", ("2000ApJ...1",))


def test_of_two_published_records_the_later_batch_wins_and_again_changes_nothing() -> None:
    old = Record(JOURNAL, 0)
    new = Record(Paper(TITLE, "Corrected.", bibcode=JOURNAL.bibcode, citation_count=5), 1, batch=1)
    once = merged([old, new])
    assert (once.abstract, once.citation_count, once.arxiv_id) == ("Corrected.", 5, "2401.00001")
    assert merged([Record(once, 0), new]) == once


def test_what_two_records_share_is_said() -> None:
    assert shared_keys(PREPRINT, JOURNAL) == ["arXiv id 2401.00001"]
    by_title = Paper(TITLE, "x", authors=("Li, B.",), year=2024)
    assert shared_keys(PREPRINT, by_title) == ["title and first author, 2023 and 2024"]
    assert shared_keys(PREPRINT, Paper("Other words", "x")) == []
