"""What a person reads on the page, by Streamlit's AppTest. Run: pytest tests/app/test_page.py"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import answer_parts, page_parts, page_settings, page_wording
from app.page_wording import Asking
from app.questions import queue
from app.share_link import CONTROLS
from indexer.encoder import ASTRO_SHA256
from retrieval.records import SearchFilters, SearchSettings, Table
from retrieval.synthesis import AnswerStyle
from tests import documents
from tests.llm_server import KEY, LLMServer, Reply, sentence
from tests.papers import PAPERS, build_small_index

PAGE = str(Path(__file__).resolve().parents[2] / "app" / "page.py")


def opened(index: Path, monkeypatch: pytest.MonkeyPatch, *, question: str = "") -> AppTest:
    """The page with its boxes of settings open, as it is drawn first."""
    monkeypatch.setenv("WAYFINDER_INDEX", str(index))
    test = AppTest.from_file(PAGE, default_timeout=60)
    for box in ("filters", "ranking", "wording"):
        test.session_state[box] = True
    if question:
        test.query_params["q"] = question
    return test.run()


def asked(index: Path, monkeypatch: pytest.MonkeyPatch, question: str) -> AppTest:
    test = opened(index, monkeypatch)
    test.text_input(key="question").set_value(question)
    return test.button[0].click().run()


def toggle(test: AppTest, label: str) -> Any:
    (found,) = (t for t in test.toggle if t.label == label)
    return found


def words(test: AppTest) -> str:
    """Everything on the page, markup taken off."""
    html = " ".join(element.proto.body for element in test.get("html"))
    others = [
        e.value
        for kind in ("info", "warning", "error", "caption", "subheader")
        for e in test.get(kind)
    ]
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL) + " ".join(
        map(str, others)
    )


def test_the_first_visit_says_what_this_is_and_offers_questions(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(small_index_dir, monkeypatch)
    assert not test.exception
    assert "every sentence with its paper" in words(test)
    assert "12 papers, 1871 to 2025" in words(test)
    examples = [b for b in test.button if (b.key or "").startswith("example")]
    assert len(examples) == 4
    examples[0].click().run()
    assert "Quoted word for word" in words(test)
    assert "Papers" in words(test)


def test_an_answer_cites_papers_that_are_on_the_page(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
    html = " ".join(e.proto.body for e in test.get("html"))
    cited = set(re.findall(r'href="#(paper-\d+)"', html))
    assert cited
    assert cited <= set(re.findall(r'id="(paper-\d+)"', html))
    assert "Almeida &amp; Brandt (2024): “" in html
    assert "citations unknown" in html
    assert 'href="https://ui.adsabs.harvard.edu/abs/2024ApJ...900....1A/abstract"' in html
    assert test.query_params["q"] == "How do jets suppress star formation?"


def test_filters_and_weights_reach_the_search(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "Hubble constant")
    assert "Lopez" in words(test)
    test.number_input[0].set_value(2020).run()
    assert "Lopez" not in words(test)
    assert "Müller" in words(test)
    test.number_input[0].set_value(2040).run()
    assert "No paper passes the condition: without “since 2040” 12 would." in words(test).replace(
        "\\", ""
    )
    test.number_input[1].set_value(2000).run()
    assert "2040 to 2000 hold nothing" in words(test).replace("\\", "")
    assert not test.exception


def test_what_was_understood_is_a_chip_that_can_be_taken_away(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "Hubble constant before 2010")
    (chips,) = (group for group in test.button_group if (group.key or "").startswith("chips"))
    assert chips.options == ["only until 2009"]
    assert chips.value == ["years:until 2009"]
    assert "Müller" not in words(test)
    chips.set_value([]).run()
    assert "Müller" in words(test)
    (chips,) = (group for group in test.button_group if (group.key or "").startswith("chips"))
    chips.set_value(["years:until 2009"]).run()
    assert "Müller" not in words(test)
    assert not test.exception


def test_preferences_say_what_they_moved(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "distance scale Cepheids Hubble constant")
    assert not re.search(r"was \d+, now", words(test))
    test.slider[0].set_value(1.0).run()
    assert re.search(r"was \d+, now \d+ · recent 0\.\d\d, cited", words(test))


def test_how_to_search_reaches_the_search(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "Hubble constant before 2010")
    labels = {toggle.label: toggle for toggle in test.toggle}
    assert set(labels) == {
        "Reviews first",
        "Hear different teams",
        "Understand years, objects and names",
        "Read the first papers again",
    }
    labels["Understand years, objects and names"].set_value(False).run()
    assert "Müller" in words(test)
    monkeypatch.setenv("WAYFINDER_RERANKER", "http://localhost:1/rerank")
    test = asked(small_index_dir, monkeypatch, "Hubble constant before 2010")
    assert "Reranking was not done" in words(test)
    next(t for t in test.toggle if t.label == "Read the first papers again").set_value(False).run()
    assert "Reranking was not done" not in words(test)


def test_papers_set_aside_are_listed_unless_all_are_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = [
        {**PAPERS[0], "arxiv_id": f"2401.9{n:04}", "bibcode": None, "doi": None, "title": title}
        for n, title in enumerate(["Jets heat halos", "A talk on how jets heat halos <b>"])
    ]
    test = asked(build_small_index(tmp_path, [*twins, *PAPERS[1:]]), monkeypatch, "how jets heat halos")  # fmt: skip
    assert "says almost the same as [" in words(test)
    html = " ".join(element.proto.body for element in test.get("html"))
    assert "<b>" not in html
    (toggle,) = (t for t in test.toggle if t.label == "Hear different teams")
    toggle.set_value(False).run()
    assert "says almost the same as [" not in words(test)


def test_nothing_asked_and_one_letter(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Type a question first" in words(asked(small_index_dir, monkeypatch, "   "))
    assert "ask in a few words" in words(asked(small_index_dir, monkeypatch, "x"))


def test_out_of_scope_is_said_with_the_nearest_papers(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = words(asked(small_index_dir, monkeypatch, "recipe for tomato sauce with basil"))
    assert "outside astronomy or outside this index" in page
    assert "Nearest papers" in page


def test_markup_in_papers_and_questions_is_text(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(
        small_index_dir,
        monkeypatch,
        question="de-blending <img src=x onerror=alert(2)> galaxies at z~10",
    )
    html = " ".join(e.proto.body for e in test.get("html"))
    assert "alert('title')" not in html.replace("&#x27;", "'").replace("alert('title') Robust", "")
    assert "<script" not in html
    assert "<img" not in html
    assert page_parts.escape("<b>\"'") == "&lt;b&gt;&quot;&#x27;"
    assert (
        page_parts.literal("[x](javascript:y) $a$ :red[b] `c`\n# d")
        == r"\[x\]\(javascript\:y\) \$a\$ \:red\[b\] \`c\` \# d"
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "This host has no index here"),
        ("half", "The index of this host is damaged"),
        ("encoder", "made by another version of Wayfinder, or with another encoder"),
    ],
)
def test_an_index_that_cannot_be_used_is_said_in_words_and_its_place_to_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: str, message: str
) -> None:  # fmt: skip
    directory = tmp_path / "index"
    if damage != "missing":
        build_small_index(tmp_path, PAPERS[:2])
        manifest = directory / "manifest.json"
        if damage == "half":
            manifest.unlink()
        else:
            manifest.write_text(manifest.read_text().replace(ASTRO_SHA256[:12], "000000000000"))
    test = opened(directory, monkeypatch, question="How do jets suppress star formation?")
    assert not test.exception
    said = words(test).replace("\\", "")
    assert message in said and str(tmp_path) not in said
    (number,) = re.findall(r"in its log, under (\w{8})", said)
    (record,) = (one for one in caplog.records if number in one.getMessage())
    assert damage == "encoder" or str(directory) in record.getMessage()
    assert "wayfinder index build" in record.getMessage()


def test_a_model_answers_and_its_doubtful_sentence_is_marked(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = "Cold gas is no longer supplied"
    replies = sentence("Gas is cut off.", *((n, quote) for n in range(1, 9))) + sentence(
        "It fell by 99.", (1, "not there at all")
    )
    with LLMServer([Reply(replies)]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("WAYFINDER_LLM_MODEL", "toy-1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
        page = words(test)
        assert "Written by toy-1" in page
        assert "Not supported: the quotation is not in paper [1]" in page
        assert len(server.requests) == 2, "written, and repaired once"
        test.run()
        assert len(server.requests) == 2, "a rerun asks nothing again"
        toggle(test, "Quote only, no language model").set_value(True).run()
        assert "Quoted word for word" in words(test)
    assert KEY not in page


def test_reader_language_and_what_fails_are_chosen_on_the_page(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = "Cold gas is no longer supplied"
    written = sentence(quote + ".", *((n, quote) for n in range(1, 9)))

    class Writer(LLMServer):
        def reply_to(self, body: dict[str, Any]) -> Reply:
            again = "Say each sentence again" in body["messages"][0]["content"]
            return Reply(
                json.dumps({"replaces": 1, "text": "Kaltes Gas kommt nicht mehr nach."})
                if again
                else written
            )

    question = "How do jets suppress star formation?"
    test = asked(small_index_dir, monkeypatch, question)
    assert "Length, reader and language need a language model" in words(test)
    with Writer([]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        test = asked(small_index_dir, monkeypatch, question)
        n = len(server.requests)
        next(s for s in test.selectbox if s.label == "Written for").set_value("child").run()
        assert "a child of ten" in server.requests[-1]["messages"][0]["content"]
        next(t for t in test.text_input if t.label == "Language").set_value("German").run()
        assert "again in German" in server.requests[-1]["messages"][0]["content"]
        assert "Kaltes Gas" in words(test)
        assert "whether the meaning stayed the same was not" in words(test)
        next(t for t in test.toggle if t.label.startswith("Leave out")).set_value(True).run()
        assert "sentences failed their checks and were left out" in words(test)
        next(t for t in test.text_input if t.label == "Language").set_value("x;DROP").run()
        assert "give its name" in words(test)
        assert len(server.requests) > n
    assert not test.exception


def test_equal_words_in_another_thread_are_asked_anew(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
    before = test.session_state["answer"]
    test.chat_input(key="further").set_value("How do jets suppress star formation?").run()
    assert test.session_state["answer"].question == before.question
    assert test.session_state["answer"] is not before


def test_a_failing_model_is_said_and_replaced(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer([Reply(status=401)]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        page = words(
            asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
        ).replace("\\", "")
    assert "refuses the key" in page
    assert "Quoted word for word" in page


def test_a_further_question_is_made_whole_where_it_can_be_changed(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
    test.chat_input(key="further").set_value("And in ellipticals?").run()
    whole = "How do jets suppress star formation in ellipticals?"
    assert test.text_input(key="question").value == whole
    assert "Quoted word for word" in words(test)


def test_a_counted_question_shows_its_table(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, "How many papers on star formation per year?")
    page = words(test)
    assert "Counted in this index of 12 papers" in page
    assert "Not searched: full texts" in page
    assert next(iter(test.dataframe[0].value["year"])) == 2019


def test_values_are_points_with_their_errors(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table("H0", ("date", "value", "minus", "plus"), ((2025.4, 67.8, 0.7, 0.9), (None, 70.0, None, None), (2005.5, 72.0, None, None)), ("date", "value"), ("minus", "plus"))  # fmt: skip
    points = answer_parts.points_chart(table)["data"]["values"]
    assert [(p["low"], p["high"]) for p in points] == [
        (pytest.approx(67.1), pytest.approx(68.7)),
        (72.0, 72.0),
    ]
    test = asked(small_index_dir, monkeypatch, "What is the value of the Hubble constant?")
    assert len(test.get("vega_lite_chart")) == 1


def test_an_added_file_is_read_quoted_and_forgotten(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = asked(small_index_dir, monkeypatch, documents.QUESTION)
    assert "Quoted word for word" not in words(test)
    name = "<b>dust</b>.pdf"
    files = [
        (name, documents.pdf([documents.paper_lines()]), "application/pdf"),
        ("locked.pdf", documents.pdf([documents.paper_lines()], encrypted=True), "application/pdf"),
    ]
    test.file_uploader[0].set_value(files).run()
    assert not test.exception
    shown = words(test)
    assert "Quoted word for word" in shown
    assert f"{documents.FINDING} full text, Results" in " ".join(shown.split())
    assert "locked.pdf is encrypted" in shown.replace("\\", "")
    html = " ".join(element.proto.body for element in test.get("html"))
    assert "your file &lt;b&gt;dust&lt;/b&gt;.pdf" in html and name not in html
    test.file_uploader[0].set_value([]).run()
    assert "Quoted word for word" not in words(test)


def test_a_question_with_quote_only_opens_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build_small_index(tmp_path)
    tried: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", "http://127.0.0.1:11/v1")
    monkeypatch.setenv("WAYFINDER_RERANKER", "http://127.0.0.1:11/rerank")
    monkeypatch.setenv("WAYFINDER_SIMBAD", "1")
    test = opened(index, monkeypatch)
    next(t for t in test.toggle if t.label.startswith("Quote only")).set_value(True)
    test.text_input(key="question").set_value("Do magnetars explain all bursts of SDSS J1234+5678?")
    test.button[0].click().run()
    assert "Quoted word for word" in words(test)
    assert tried == []


def test_a_visitor_who_has_asked_enough_is_told_when_to_come_back(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_VISITOR_QUESTIONS", "1")
    queue.cache_clear()
    try:
        test = asked(small_index_dir, monkeypatch, "How do jets suppress star formation?")
        assert not test.error
        test.text_input(key="question").set_value("What powers fast radio bursts?")
        test.button[0].click().run()
        assert "1 questions an hour are allowed" in test.error[0].value
    finally:
        queue.cache_clear()


SETTINGS: dict[str, Any] = {
    "since": 1990, "until": 2025, "citations": 1, "author": "A*", "facility": "JWST", "recency": 0.3, "halflife": 2.0, "impact": 0.2,
    "mode": "lexical", "words": 0.7, "diversity": 0.4, "reviews": True, "understand": False, "hyde": True, "rerank": False,
    "teams": False, "papers": 5, "kind": "papers", "length": "brief", "reader": "student", "language": "German", "drop": True,
}  # fmt: skip


@pytest.mark.parametrize("page", ["page_ask", "page_search", "page_research"])
@pytest.mark.parametrize("writes", [False, True])
def test_settings_of_boxes_that_were_never_opened_are_honoured(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch, page: str, writes: bool
) -> None:
    assert {*SETTINGS, "quote"} == set(CONTROLS)
    with LLMServer([Reply(status=500)]) as server:
        if writes:
            monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("WAYFINDER_INDEX", str(small_index_dir))
        test = AppTest.from_file(PAGE, default_timeout=60)
        for name, value in SETTINGS.items():
            test.session_state[f"set-{name}"] = value
        seen: list[tuple[SearchSettings, Asking | None]] = []

        def watched(of: page_settings.Host, *further: Any) -> SearchSettings:
            found = row(of, *further)
            seen.append((found, page_wording.asking(of) if page == "page_ask" else None))
            return found

        row = page_settings.settings_row
        monkeypatch.setattr(page_settings, "settings_row", watched)
        test.run()
        if page != "page_ask":
            test.switch_page(f"{page}.py").run()
        assert not test.exception
        assert bool(test.slider) is writes, "drawn with the page only where a model writes"
    found, asking = seen[-1]
    expected = SearchSettings(
        filters=SearchFilters(since=1990, until=2025, min_citations=1, author="A*", facility="JWST"),
        recency=0.3, half_life_years=2.0, impact=0.2, mode="lexical", keyword_weight=0.7, diversity=0.4,
        reviews_first=True, understand=False, hyde=writes, rerank=None,
    )  # fmt: skip
    assert found == expected
    if asking is not None:
        style = AnswerStyle("brief", "student", "German") if writes else AnswerStyle()
        assert asking == Asking("papers", False, 5, style, drop=writes)


def test_a_checked_sentence_takes_the_place_of_its_grey_words_at_once() -> None:
    def page() -> None:
        from app.answer_parts import GrowingAnswer
        from retrieval.records import Sentence

        growing = GrowingAnswer()
        growing.writing("Jets cut off")
        for text in ("Jets cut off cold gas.", "The second is drawn with the next."):
            growing.add(Sentence(text=text, citations=(), evidence=(), supported=True))

    html = AppTest.from_function(page).run().get("html")[0].proto.body
    assert "Jets cut off cold gas." in html
    assert "being checked" not in html and "The second" not in html
