"""Papers and answers to take away: BibTeX, RIS, CSV, Markdown, HTML, JSON. Run: pytest tests/retrieval/test_bibliography.py"""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import bibtexparser
import pytest

from indexer.records import Paper
from indexer.sources import paper_from_mapping
from indexer.sources_bibtex import bibtex_records
from indexer.store import Index
from retrieval import ask
from retrieval.ads_link import MOST_OF_A_LINK, ads_papers_urls
from retrieval.answer_files import answer_html, answer_json, answer_markdown, file_name
from retrieval.bibliography import COLUMNS, bibtex, citation_key, papers_csv, ris
from retrieval.records import Answer
from retrieval.spreadsheet import csv_text, defused

NASTY = Paper(
    title="\\input{/etc/passwd} } , x = {y} 100% of $\\alpha$ & #1 <script>alert(1)</script> @article{a,",
    abstract="",
    arxiv_id="2401.00009",
    doi='10.1/a_b}"\\x{%1',
    authors=("O'Neil } and {, A. and B.", "Müller-Łukasz, Jörg", "The EHT and Friends Collaboration", "=cmd|' /C calc'!A0"),
    journal="@Journal{of,\\write18{rm}}",
    date="2024-03-15",
    year=2024,
    categories=("astro-ph.GA",),
    doctype="eprint",
)  # fmt: skip


def parsed(text: str) -> bibtexparser.Library:
    library = bibtexparser.parse_string(text)
    assert library.failed_blocks == []
    return library


def test_bibtex_opens_cleanly_and_finds_its_papers_again(small_index: Index) -> None:
    papers = list(small_index.papers)
    library = parsed(bibtex(papers))
    assert [entry.key for entry in library.entries] == [citation_key(paper) for paper in papers]
    for paper, record in zip(papers, bibtex_records(bibtex(papers)), strict=True):
        again = paper_from_mapping(record, title_only=True)
        assert (again.bibcode, again.arxiv_id, again.doi, again.year) == (paper.bibcode, paper.arxiv_id, paper.doi, paper.year)  # fmt: skip
        assert len(again.authors) == len(paper.authors)
    first = library.entries[0].fields_dict
    assert first["author"].value == "{Almeida}, Rita and {Brandt}, K."
    assert (first["year"].value, first["month"].value) == ("2024", "mar")
    assert first["adsurl"].value == "https://ui.adsabs.harvard.edu/abs/2024ApJ...900....1A"
    assert "A\\&A" in bibtex(papers) and 'M\\"uller' in bibtex(papers)


def test_bibtex_of_hostile_texts_is_one_entry_and_no_command() -> None:
    text = bibtex([NASTY, NASTY])
    library = parsed(text)
    (entry,) = library.entries
    assert set(entry.fields_dict) == {"author", "title", "journal", "year", "month", "doi", "eprint", "archivePrefix", "primaryClass"}  # fmt: skip
    assert not re.search(r"\\(input|write|include|def|openout)", text)
    assert entry.fields_dict["doi"].value == "10.1/a_bx%1"
    assert "{The EHT and Friends Collaboration}" in text
    assert len(re.split(r" and (?=\{)", entry.fields_dict["author"].value)) == 4


def test_a_key_is_of_the_paper_alone() -> None:
    with_bibcode = Paper("A", "", bibcode="2023A&A...670A..10G", arxiv_id="2301.00001")
    assert citation_key(with_bibcode) == "2023A&A...670A..10G"
    assert citation_key(Paper("A", "", arxiv_id="astro-ph/9901001")) == "arXiv:astro-ph/9901001"
    assert citation_key(Paper("A", "", doi="10.1/x(2)")).startswith("doi:10.1/x_2_-")
    assert citation_key(Paper("A", "")).startswith("title:")
    assert len({citation_key(Paper("A", "", doi=doi)) for doi in ("10.1/x(2)", "10.1/x<2>")}) == 2
    papers = [Paper("B", "", arxiv_id="2"), with_bibcode]
    assert bibtex(papers).split("\n\n")[1] in bibtex([with_bibcode, *papers])


def test_ris_is_one_record_a_paper() -> None:
    text = ris([NASTY, Paper("Line\n\x0bER  - \r\nTY  - JOUR", "", authors=("A\nB",)), NASTY])
    lines = text.split("\r\n")
    assert [line for line in lines if line.startswith("TY")] == ["TY  - JOUR", "TY  - GEN"]
    assert sum(line.startswith("ER  -") for line in lines) == 2
    assert all(not line or re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines)
    assert "PY  - 2024" in lines and "DA  - 2024/03//" in lines


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n+1"])  # fmt: skip
def test_csv_holds_no_formula(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(papers_csv([Paper(text, "", authors=(text, "B"), journal=text)])))  # fmt: skip
    assert list(row) == list(COLUMNS)
    for cell in row.values():
        assert not cell or (not cell[0].isspace() and cell[0] not in "=+-@＝"), cell
    assert csv.reader(io.StringIO(csv_text(("a",), [(text,)]))).__next__() == ["a"]
    assert defused(-3) == -3 and defused("Stars - a review") == "Stars - a review"


def test_an_ads_link_names_its_papers(small_index: Index) -> None:
    (link,) = ads_papers_urls([*small_index.papers, NASTY, Paper("no identifier", "")])
    query = unquote(link.split("q=")[1])
    assert query.startswith('identifier:("2024ApJ...900....1A" OR "arXiv:2402.00002" OR ')
    assert query.count('"') == 2 * 13
    many = [Paper("x", "", bibcode=f"2024ApJ...900{n:05}A") for n in range(MOST_OF_A_LINK * 2 + 1)]
    links = ads_papers_urls([*many, *many])
    assert [unquote(one).count('"') // 2 for one in links] == [MOST_OF_A_LINK, MOST_OF_A_LINK, 1]
    assert max(map(len, links)) < 2_500
    assert ads_papers_urls([]) == []


class Seen(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(small_index: Index) -> Answer:
    question = "de-blending <img src=x onerror=alert(2)> of galaxies at z~10 | [x](javascript:y)"
    return ask(small_index, question, offline=True)


def test_an_answer_as_html_is_text_and_loads_nothing(hostile: Answer) -> None:
    seen = Seen(answer_html(hostile))
    assert {tag for tag, _ in seen.tags} <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "a", "ol", "li", "br", "span", "blockquote"}  # fmt: skip
    links = [facts["href"] for tag, facts in seen.tags if tag == "a"]
    assert all(re.match(r"#paper-\d+$|https://", link) for link in links)
    targets = {facts.get("id") for tag, facts in seen.tags if tag == "li"}
    assert {link[1:] for link in links if link.startswith("#")} <= targets
    assert "alert('title') Robust de-blending" in seen.text
    assert "<img src=x onerror=alert(2)>" in seen.text
    assert hostile.search.snapshot in seen.text


def test_an_answer_as_markdown_is_text(hostile: Answer) -> None:
    text = answer_markdown(hostile)
    assert text.startswith("# de-blending \\<img src=x onerror=alert(2)\\>")
    assert not re.search(r"(?<!\\)\]\(", text) and not re.search(r"(?<!\\)<(?!https://)", text)
    for n, hit in enumerate(hostile.papers, 1):
        assert re.search(rf"^{n}\. .*{re.escape(hit.paper.id)}", text, re.M)
    assert all(f"\\[{n}\\]" in text for s in hostile.sentences for n in s.citations)
    assert "These papers at ADS: <https://ui.adsabs.harvard.edu/search/q=identifier" in text


def test_an_answer_as_json_holds_what_made_it(hostile: Answer) -> None:
    row = json.loads(answer_json(hostile))
    assert row["question"] == hostile.question
    assert row["settings"]["mode"] == "hybrid"
    assert len(row["papers"]) == len(hostile.papers)


def test_refusals_and_counts_are_files_too(small_index: Index) -> None:
    refused = ask(small_index, "recipe for tomato sauce with basil", offline=True)
    assert "Nearest papers" in answer_markdown(refused) and refused.reason[:40] in Seen(answer_html(refused)).text  # fmt: skip
    counted = ask(small_index, "How many papers on star formation per year?", offline=True)
    assert re.search(r"^\| 2019 \| ", answer_markdown(counted), re.M)
    assert any(tag == "table" for tag, _ in Seen(answer_html(counted)).tags)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("How do jets quench?", "wayfinder-how-do-jets-quench.bib"),
        ("../../etc/passwd\x00.html", "wayfinder-etc-passwd-html.bib"),
        ("恒星形成", "wayfinder-papers.bib"),
        ("Müller's Ωm" + "x" * 900, "wayfinder-muller-s-m" + "x" * 50 + ".bib"),
    ],
)
def test_file_names_hold_no_path(words: str, name: str) -> None:
    assert file_name(words, "bib") == name
