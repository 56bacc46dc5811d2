"""From what an answer was made. Run: pytest tests/retrieval/test_basis.py"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from app.show import answer_page
from indexer.store import Index
from retrieval import ask
from retrieval.ads_link import ads_search_url
from retrieval.basis import basis
from retrieval.records import SearchFilters, SearchSettings
from retrieval.rows import answer_row


def test_an_answer_says_from_what_and_what_was_not_searched(small_index: Index) -> None:
    answer = ask(
        small_index,
        "How do jets from black holes suppress star formation?",
        SearchSettings(filters=SearchFilters(since=2020)),
    )
    found = basis(answer)
    years = [hit.paper.year for hit in answer.papers]
    assert (found.first_year, found.last_year) == (min(years), max(years))
    assert found.text == (
        f"From {len(years)} papers of {min(years)} to {max(years)}, out of 12 in this index as of 2026-06-30. "
        "Not searched: full texts; 3 papers that the conditions leave out; papers outside this index."
    )
    assert answer_row(answer)["basis"]["text"] == found.text
    assert "Not searched: full texts" in " ".join(answer_page(answer).split())


def test_what_was_counted_says_in_how_many_papers(small_index: Index) -> None:
    answer = ask(small_index, "How many papers on fast radio bursts per year since 2020?")
    assert answer.mode == "computed"
    assert basis(answer).text.startswith("Counted in 9 papers, out of 12 in this index")


def test_a_refusal_says_what_was_looked_at_and_where_to_go_on(small_index: Index) -> None:
    answer = ask(small_index, "best recipe for tomato sauce with basil", offline=True)
    assert answer.refused
    assert basis(answer).n_read == len(answer.papers) > 0
    assert "ui.adsabs.harvard.edu" in answer_page(answer)


def test_nothing_in_the_words_is_an_operator_at_ads() -> None:
    url = ads_search_url('jets OR "x" year:1999) author:Riess the', since=2020)
    query = parse_qs(unquote(urlsplit(url).path).split("search/", 1)[1])["q"][0]
    assert (
        query == 'abs:"jets" abs:"x" abs:"year" abs:"1999" abs:"author" abs:"Riess" year:2020-2100'
    )
