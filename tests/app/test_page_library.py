"""A visitor's library: filled, asked alone, taken away, and nothing kept of it. Run: pytest tests/app/test_page_library.py"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import bibtexparser
import pytest
from streamlit.testing.v1 import AppTest

from app.library import Library
from app.library_parts import _taken
from indexer.errors import SourceError
from indexer.records import Paper
from indexer.store import Index, open_index
from retrieval.bibliography import bibtex
from retrieval.paper_sets import MOST_ENTRIES, library_of
from tests.papers import build_small_index
from tests.topics import build_topic_index

NASTY = """@article{2024ApJ...900....1A, title={{one}}, adsurl={https://ui.adsabs.harvard.edu/abs/2024ApJ...900....1A}}
@article{again, title={{one again}}, doi={10.1000/ONE}}
@article{../../etc/passwd, title={<script>alert(1)</script> <img src=x onerror=alert(2)>}, author={<b>A</b> and =cmd()}}
@article{x, title={[link](javascript:alert(3)) :red[a] $b$}, eprint={9901.99999}}
@article{broken, title={{never closed
@misc{2402, eprint={2402.00002v3}, archivePrefix={arXiv}}
"""


def run_library(directory: Path, ask_page: bool = False) -> AppTest:
    def page(directory: str) -> None:
        from pathlib import Path

        from app import page_library
        from indexer.store import open_index

        page_library.draw(open_index(Path(directory)))

    return AppTest.from_function(page, args=(str(directory),), default_timeout=60).run()


def uploaded(test: AppTest, text: str, name: str = "library.bib") -> AppTest:
    return test.file_uploader[0].set_value((name, text.encode(), "text/plain")).run()


def shown(test: AppTest) -> str:
    """The text of the page as its reader sees it."""
    html = " ".join(element.proto.body for element in test.get("html"))
    told = [str(e.value) for kind in ("info", "warning", "error", "caption", "subheader", "markdown") for e in test.get(kind)]  # fmt: skip
    return re.sub(r"<[^>]+>", " ", html) + " ".join(told).replace("\\", "")


def test_a_bibtex_file_fills_the_library_and_every_entry_is_accounted_for(
    small_index_dir: Path,
) -> None:
    test = run_library(small_index_dir)
    assert "Your library is empty" in shown(test)
    assert "nothing of it is stored on the server" in shown(test)
    uploaded(test, NASTY, "../../<b>evil</b>.bib")
    assert not test.exception
    text = shown(test)
    assert "2 of 4 papers are in this index; 4 were added to your library" in text
    assert "1 named before; 1 could not be read" in text
    assert "4 papers" in text and "2 of them are not in this index" in text
    html = " ".join(element.proto.body for element in test.get("html"))
    assert "&lt;script&gt;alert(1)" in html and "<script" not in html and "<img" not in html
    table = test.dataframe[0].value
    assert list(table["in this index"]) == [True, True, False, False]
    assert test.session_state["library"].among(open_index(small_index_dir)) == ("2024ApJ...900....1A", "2402.00002")  # fmt: skip
    test.button[-1].click().run()
    assert "Your library is empty" in shown(test)


def test_papers_are_added_by_their_names(small_index_dir: Path) -> None:
    test = run_library(small_index_dir)
    test.text_area[0].set_value("see arXiv:2504.00007 and 10.1000/six, not 2401.99999")
    test.button[0].click().run()
    assert "2 added to your library. Not in this index: 2401.99999." in shown(test)
    assert list(test.session_state["library"].entries) == ["2504.00007", "2021Natur.590...50J"]
    test.text_area[0].set_value("<script>alert(1)</script>")
    test.button[0].click().run()
    assert "No identifier was found" in shown(test)


def test_the_box_that_adds_folds_once_something_was_added(small_index_dir: Path) -> None:
    def unfolded(test: AppTest) -> bool:
        (box,) = (box for box in test.expander if box.label == "Add papers")
        return bool(box.proto.expanded)

    def added(names: str) -> AppTest:
        test.text_area[0].set_value(names)
        return test.button[0].click().run()

    test = run_library(small_index_dir)
    assert unfolded(test)
    assert unfolded(added("2401.99999")), "nothing was added"
    assert not unfolded(added("2504.00007")) and "1 added to your library." in shown(test)
    test.session_state["library-adding"] = True  # as a click unfolds it
    test.run()
    assert unfolded(test) and "1 paper" in shown(test)
    assert unfolded(added("2504.00007")) and "Already in your library." in shown(test)
    uploaded(test, NASTY)
    assert not unfolded(test) and "of 4 papers are in this index" in shown(test)
    next(b for b in test.button if b.label == "Empty the library").click().run()
    assert unfolded(test) and not test.exception


def test_a_file_too_large_is_not_looked_into(small_index: Index) -> None:
    def content() -> bytes:
        raise AssertionError("it was read")

    told = _taken(small_index, 200_000_000, content)
    assert told.failed and told.text.startswith(
        "This file has 200 MB and was not read: at most 30 MB."
    )


def test_fifty_thousand_entries_are_read_within_bounds(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = "".join(f"@a{{k{n},title={{T{n}}}}}" for n in range(50_000))
    monkeypatch.setattr("retrieval.paper_sets.MOST_ENTRIES", 300)
    found = library_of(small_index, entries)
    assert (len(found.elsewhere), found.beyond) == (300, 49_700)
    assert MOST_ENTRIES == 20_000
    with pytest.raises(SourceError, match="no BibTeX entry"):
        library_of(small_index, "\x00\xff@ \n" * 1000)


def test_a_library_keeps_its_order_its_bounds_and_what_an_index_lacks(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library()
    papers = list(small_index.papers)
    assert library.add(papers[3:5]) == (2, 0)
    assert library.add(papers[2:4]) == (1, 0)
    other = Paper("Elsewhere", "long " * 999, arxiv_id="9901.99999", authors=("A",) * 999)
    assert library.add([other], indexed=False) == (1, 0)
    assert [p.id for p in library.papers(small_index)] == [papers[3].id, papers[4].id, papers[2].id, "9901.99999"]  # fmt: skip
    kept = library.entries["9901.99999"]
    assert kept is not None and kept.abstract == "" and len(kept.authors) == 60
    assert list(library.row_numbers(small_index)) == [2, 3, 4]
    monkeypatch.setattr("app.library.MOST_PAPERS", 5)
    assert library.add(papers) == (1, 8)
    library.remove([other.id, "nothing"])
    assert other not in library and papers[3] in library
    entries = bibtexparser.parse_string(bibtex(library.papers(small_index))).entries
    assert [entry.key for entry in entries][:2] == ["2023A&A...670...10G", "arXiv:2501.00005"]


def test_a_paper_that_a_new_index_lacks_stays_by_its_name(small_index: Index) -> None:
    library = Library({"2030Gone....1A": None})
    (paper,) = library.papers(small_index)
    assert (paper.id, library.among(small_index)) == ("2030Gone....1A", ())
    assert "2030Gone....1A" in bibtex([paper])


def asked(index: Path, monkeypatch: pytest.MonkeyPatch, question: str) -> AppTest:
    monkeypatch.setenv("WAYFINDER_INDEX", str(index))
    page = str(Path(__file__).resolve().parents[2] / "app" / "page.py")
    test = AppTest.from_file(page, default_timeout=60)
    test.query_params["q"] = question
    return test.run()


def test_questions_are_held_to_the_library(
    small_index: Index, small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "How do jets suppress star formation?"
    test = asked(small_index_dir, monkeypatch, question)
    test.session_state["library"].add([small_index.papers[small_index.row_of("2402.00002")]])
    test.run()
    (only,) = (t for t in test.toggle if t.label == "Only my library (1 paper)")
    only.set_value(True).run()
    answer = test.session_state["answer"]
    assert [hit.paper.id for hit in answer.papers] == ["2402.00002"]
    assert answer.search.n_candidates == 1
    assert not test.exception


def test_an_answer_is_exported_with_its_papers(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
    assert not test.get("download_button"), "drawn when it is opened"
    test.session_state["answer-export"] = True
    test.run()
    labels = [button.label for button in test.get("download_button")]
    assert labels[:6] == ["Markdown", "HTML", "JSON", "BibTeX", "RIS", "CSV"]
    html = " ".join(element.proto.body for element in test.get("html"))
    (link,) = re.findall(r'href="(https://ui.adsabs.harvard.edu/search/q=identifier[^"]*)"', html)
    assert all(quote(hit.paper.id) in link for hit in test.session_state["answer"].papers)


def test_what_a_search_found_is_exported_with_its_papers(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
    test.session_state["searched"] = "fast radio bursts"
    test.session_state["search-export"] = True
    test.switch_page("page_search.py").run()
    assert not test.exception
    labels = [button.label for button in test.get("download_button")]
    assert labels == ["Markdown", "HTML", "JSON", "BibTeX", "RIS", "CSV"]


def test_votes_are_drawn_only_where_they_are_kept(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    question = "How do jets suppress star formation?"
    assert not list(asked(small_index_dir, monkeypatch, question).feedback)
    path = tmp_path / "votes.jsonl"
    monkeypatch.setenv("WAYFINDER_FEEDBACK", str(path))
    test = asked(small_index_dir, monkeypatch, question)
    answer = test.session_state["answer"]
    thumbs = [group for group in test.feedback if "vote-" in (group.key or "")]
    assert len(thumbs) == 1 + len(answer.sentences)
    sentence = next(t for t in thumbs if t.key.endswith("-sentence-1"))
    sentence.set_value(1).run()
    next(t for t in test.feedback if t.key.endswith("-sentence-1")).set_value(0).run()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["about"], row["good"]) for row in rows] == [("sentence", True), ("sentence", False)]  # fmt: skip
    assert rows[0]["vote"] == rows[1]["vote"]
    said = next(area for area in test.text_area if area.label == "What is wrong, or missing")
    said.set_value("<script>alert(1)</script>")
    next(b for b in test.button if b.label == "Send").click().run()
    assert json.loads(path.read_text().splitlines()[-1])["comment"] == "<script>alert(1)</script>"
    path.chmod(0o000)
    monkeypatch.setenv("WAYFINDER_FEEDBACK", str(tmp_path))
    next(t for t in test.feedback if t.key.endswith("-answer")).set_value(1).run()
    assert "Your feedback was not kept" in shown(test)
    assert not test.exception


def test_a_set_from_the_map_goes_into_the_library(tmp_path: Path) -> None:
    directory = build_topic_index(tmp_path, 10)

    def page(directory: str) -> None:
        from pathlib import Path

        import numpy as np

        from app import map_parts
        from indexer.store import open_index

        index = open_index(Path(directory))
        map_parts.paper_set(index, index.landscape, np.array([0, 4, 9]), llm=None)

    test = AppTest.from_function(page, args=(str(directory),), default_timeout=60).run()
    next(b for b in test.button if b.label == "Add to library").click().run()
    library: Library = test.session_state["library"]
    assert list(library.row_numbers(open_index(directory))) == [0, 4, 9]
    assert [b.label for b in test.get("download_button")] == ["BibTeX", "CSV", "JSON lines", "Identifiers"]  # fmt: skip


def test_only_the_titles_of_hostile_papers_are_shown(tmp_path: Path) -> None:
    index = build_small_index(tmp_path)
    test = run_library(index)
    uploaded(test, bibtex(list(open_index(index).papers)))
    html = " ".join(element.proto.body for element in test.get("html"))
    assert "<script" not in html
    assert "12 of 12 papers are in this index" in shown(test)
