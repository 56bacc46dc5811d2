"""The pages on the index and on similar papers. Run: pytest tests/app/test_page_about.py"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.page_about import coverage_chart, coverage_words, papers_by_year, source_name
from app.page_similar import _given
from app.privacy import privacy_note, privacy_parts
from indexer.store import Index
from tests.llm_server import KEY


def run_page(name: str, directory: Path) -> AppTest:
    def page(name: str, directory: str) -> None:
        from importlib import import_module
        from pathlib import Path

        from indexer.store import open_index

        import_module(f"app.{name}").draw(open_index(Path(directory)))

    return AppTest.from_function(page, args=(name, str(directory)), default_timeout=60).run()


def shown(test: AppTest) -> str:
    html = " ".join(element.proto.body for element in test.get("html"))
    told = [str(e.value) for kind in ("info", "warning", "caption", "subheader", "markdown") for e in test.get(kind)]  # fmt: skip
    return re.sub(r"<[^>]+>", " ", html) + " ".join(told).replace("\\", "")


def test_the_index_is_described_with_its_limits(small_index_dir: Path, small_index: Index) -> None:
    test = run_page("page_about", small_index_dir)
    assert not test.exception
    page = shown(test)
    assert "12 papers of 1871 to 2025; most are of 2025 (5), the median year is 2024." in page
    assert small_index.manifest.snapshot in page and "2026-06-30" in page
    assert "10 of 12; an unknown count is never taken for zero" in page
    assert "papers.jsonl" in page and str(small_index_dir.parent) not in page
    assert "Everything is computed on this host: no question is sent anywhere." in page
    assert "facilities that are known" in page and "JWST (1)" in page
    (chart,) = test.get("vega_lite_chart")
    assert "12 papers of 1871 to 2025" in str(chart.proto)


def test_years_in_words_and_as_a_chart(small_index: Index) -> None:
    counts = papers_by_year(small_index)
    assert sum(counts.values()) == 12 and counts[2025] == 5
    assert [v["papers"] for v in coverage_chart(counts)["data"]["values"]] == list(counts.values())
    assert coverage_words({2000: 1}) == "1 paper of 2000 to 2000; most are of 2000 (1), the median year is 2000."  # fmt: skip


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/somebody/secret/papers.jsonl", "papers.jsonl"),
        ("arxiv-snapshot:/data/arxiv.json#astro-ph", "arxiv-snapshot:arxiv.json#astro-ph"),
        ("ads:bibgroup:HST year:2020-2026", "ads:bibgroup:HST year:2020-2026"),
        ("starter", "starter"),
    ],
)
def test_sources_show_no_folder_of_the_host(source: str, name: str) -> None:
    assert source_name(source) == name


def test_privacy_says_what_is_configured(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "No feedback is kept." in privacy_note(small_index)
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", f"https://user:{KEY}@llm.example.org/v1?key={KEY}")
    monkeypatch.setenv("WAYFINDER_RERANKER", "https://rank.example.org/rerank")
    monkeypatch.setenv("WAYFINDER_SIMBAD", "1")
    monkeypatch.setenv("WAYFINDER_FEEDBACK", str(tmp_path / "votes.jsonl"))
    said = privacy_note(small_index)
    assert "language model at llm.example.org" in said and KEY not in said
    assert "rank.example.org" in said and "SIMBAD" in said
    assert "your vote are kept in a file on this host" in said and str(tmp_path) not in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "Questions are in no log."),
        ({"WAYFINDER_LOG_QUESTIONS": "1"}, "Questions are in no log, unless an error quotes one."),
        ({}, "your address and the pages that you have open are counted in memory"),
        ({"WAYFINDER_LOG": "json"}, "neither its words nor who asked"),
        ({"WAYFINDER_LOG": "json", "WAYFINDER_LOG_QUESTIONS": "1"}, "with its words and your name or address in it"),
        ({"WAYFINDER_PASSWORD": "correct horse"}, "A cookie says for two weeks"),
        ({"WAYFINDER_VISITOR_QUESTIONS": "9"}, "your address, the pages that you have open and how much you asked are counted in memory"),
        ({"WAYFINDER_LOGIN_HEADER": "X-User", "WAYFINDER_TRUSTED_PROXIES": "10.0.0.1"}, "tells it your name"),
    ],
)  # fmt: skip
def test_privacy_says_what_is_logged_and_who_reads_it(
    small_index: Index, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parts = privacy_parts(small_index)
    told = " ".join(parts["What is kept here, and how long"])
    assert said in told and "correct horse" not in told and "10.0.0.1" not in told
    assert "Whoever runs this host" in " ".join(parts["Who can read it"])


def test_an_abstract_or_an_identifier_finds_similar_papers(small_index_dir: Path) -> None:
    test = run_page("page_similar", small_index_dir)
    text = "Jets of black holes heat halo gas <script>alert(1)</script> so that galaxies stop forming stars."
    test.text_area[0].set_value(text)
    test.session_state["search-export"] = True
    test.button[0].click().run()
    assert not test.exception
    page = shown(test)
    assert "Cold gas starves" in page
    assert "<script" not in " ".join(element.proto.body for element in test.get("html"))
    drawn = [str(e.value) if e.type == "subheader" else e.label for e in test.main if e.type in ("subheader", "button", "download_button")]  # fmt: skip
    files = ["Markdown", "HTML", "JSON", "BibTeX", "RIS", "CSV"]
    assert drawn[:9] == ["Find similar papers", "Similar papers", "Add all to library", *files]
    test.text_area[0].set_value("arXiv:2504.00007")
    test.button[0].click().run()
    page = shown(test)
    assert "Like Kim & Jones (2025), which is left out." in page
    assert "A repeating fast radio burst" in page and "Magnetar birth rates" not in page
    next(b for b in test.button if b.label == "Add all to library").click().run()
    assert len(test.session_state["library"]) == 10
    test.text_area[0].set_value("")
    test.text_input[0].set_value("nonsense")
    test.button[0].click().run()
    assert "No paper with identifier 'nonsense'" in shown(test)


def test_what_is_named_and_what_is_text() -> None:
    assert _given("", "arXiv:2504.00007, 2021Natur.590...50J") == (("2504.00007", "2021Natur.590...50J"), "")  # fmt: skip
    text = "Our paper on galaxies follows 2504.00007 in all that it does and says."
    assert _given("2401.00001", text) == (("2401.00001",), text)
