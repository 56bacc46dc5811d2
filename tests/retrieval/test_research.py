"""Deep research against a real loopback server. Run: pytest tests/retrieval/test_research.py"""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from indexer.store import Index, open_index
from retrieval.errors import QueryError
from retrieval.records import SearchFilters, SearchSettings, Sentence
from retrieval.research import planned, research
from retrieval.research_plan import split
from retrieval.research_records import Cited, Limits, Plan
from retrieval.research_report import report_markdown, searched_text
from retrieval.research_trace import read_trace
from tests.llm_server import Reply
from tests.papers import PAPERS, build_small_index
from tests.scholar import PARTS, QUESTION, Scholar, model, passes_again


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (QUESTION, ("How do jets affect star formation?", "What powers fast radio bursts?")),
        (
            "What is the difference between long and short gamma-ray bursts?",
            ("Long gamma-ray bursts", "Short gamma-ray bursts", "What is the difference between long and short gamma-ray bursts?"),
        ),
        (
            "Compare the metallicity of the thin disc and the thick disc in the Milky Way",
            ("The metallicity of the thin disc in the Milky Way", "The metallicity of the thick disc in the Milky Way",
             "Compare the metallicity of the thin disc and the thick disc in the Milky Way"),
        ),
        ("Compare jets and stellar winds", ("Jets", "Stellar winds", "Compare jets and stellar winds")),
        ("What are little red dots? How common are they?", ("What are little red dots?", "What are little red dots: How common are they?")),
        ("Which planets are habitable and have water?", ("Which planets are habitable and have water?",)),
        (
            "What powers fast radio bursts, how common are magnetars, and what do host galaxies look like?",
            ("What powers fast radio bursts?", "How common are magnetars?", "What do host galaxies look like?"),
        ),
        ("Dark matter halos", ("Dark matter halos",)),
        (
            "How do jets affect star formation, and what drives reionization?",
            ("How do jets affect star formation?", "What drives reionization?"),
        ),
        ("What are magnetars, and how many?", ("What are magnetars?", "What are magnetars: how many?")),
        (
            "What is the luminosity function of quasars versus redshift?",
            ("What is the luminosity function of quasars versus redshift?",),
        ),
        ("How does stellar mass vs. halo mass evolve?", ("How does stellar mass vs. halo mass evolve?",)),
        ("Jets versus winds in quasars", ("Jets in quasars", "Winds in quasars", "Jets versus winds in quasars")),
        (
            "Compare jets and winds and radiation",
            ("Jets", "Winds", "Radiation", "Compare jets and winds and radiation"),
        ),
        (
            "Compare the metallicity of M31, M33 and the Milky Way.",
            ("The metallicity of M31", "The metallicity of M33", "The metallicity of the Milky Way",
             "Compare the metallicity of M31, M33 and the Milky Way."),
        ),
        ("Compare M31 and the Milky Way", ("M31", "The Milky Way", "Compare M31 and the Milky Way")),
    ],
)  # fmt: skip
def test_rules_split_a_question_by_its_words(question: str, parts: tuple[str, ...]) -> None:
    assert split(question) == parts


def test_a_report_is_written_section_by_section_and_every_sentence_is_checked(
    small_index: Index,
) -> None:
    with Scholar(PARTS) as server:
        report = research(small_index, QUESTION, llm=model(server))
    assert report.plan == Plan(tuple(PARTS), "model")
    assert [section.question for section in report.sections] == PARTS
    assert [section.by for section in report.sections] == ["model", "model"]
    assert report.short_answer
    assert all(s.supported for s in report.sentences)
    passes_again(report, small_index)
    assert report.finished
    assert not report.stopped
    assert server.stages.count("section") == 2
    assert report.usage.calls == len(server.requests)
    assert report.usage.prompt_tokens == 100 * len(server.requests)
    assert report.tokens == 120 * len(server.requests)
    first = [s.citations[0] for s in report.sentences]
    assert sorted(dict.fromkeys(first)) == list(dict.fromkeys(first)), "numbered as they appear"
    assert "out of 12 in this index as of 2026-06-30" in searched_text(report)
    assert {look.how for look in report.looks} >= {"question", "similar"}
    text = report_markdown(report)
    assert "## Short answer" in text
    assert "## What was searched" in text
    assert "<script>" not in text


def test_sub_questions_are_read_at_the_same_time(small_index: Index) -> None:
    with Scholar(PARTS, meet=2) as server:
        research(small_index, QUESTION, llm=model(server), limits=Limits(max_steps=2))
    assert server.met == 2, "each of the two was open while the other was"


def test_ones_own_plan_and_settings_are_kept(small_index: Index) -> None:
    settings = SearchSettings(filters=SearchFilters(since=2024))
    with Scholar(PARTS) as server:
        report = research(
            small_index,
            QUESTION,
            settings,
            llm=model(server),
            plan=["Jets in galaxies", "  Clouds  "],
        )
    assert report.plan == Plan(("Jets in galaxies", "Clouds"), "user")
    assert "plan" not in server.stages
    assert report.years is not None
    assert report.years[0] >= 2024
    with pytest.raises(QueryError, match="7 sub-questions"):
        research(small_index, QUESTION, plan=[f"Part {i}" for i in range(7)], offline=True)


def test_years_of_the_question_hold_for_every_part(small_index: Index) -> None:
    report = research(
        small_index,
        "What powers fast radio bursts and how do jets affect galaxies since 2024?",
        offline=True,
    )
    assert len(report.plan.parts) == 2
    assert report.years is not None
    assert report.years[0] >= 2024


def test_references_and_citing_papers_are_followed(tmp_path: Path) -> None:
    rows = [dict(row) for row in PAPERS]
    rows[5]["references"] = ["2506.00009"]  # the burst paper cites one on the Hubble constant
    rows[3]["references"] = ["2021Natur.590...50J"]  # and a planet paper cites it
    index = open_index(build_small_index(tmp_path, rows))
    filters = SearchFilters(since=2020)
    report = research(
        index,
        "A repeating fast radio burst in a dwarf galaxy",
        SearchSettings(k=1, filters=filters),
        offline=True,
    )
    (look,) = [look for look in report.looks if look.how == "references" and look.round == 2]
    assert look.n_found == 2
    assert "Jones" in look.query
    assert "similar" in {look.how for look in report.looks}


def test_what_the_model_finds_missing_is_searched_for(small_index: Index) -> None:
    with Scholar(PARTS[:1], missing="positive feedback of jets") as server:
        report = research(small_index, PARTS[0], llm=model(server), limits=Limits(max_steps=2))
    gaps = [look for look in report.looks if look.how == "gap"]
    assert [look.query for look in gaps] == ["positive feedback of jets"]
    assert not any("positive feedback of jets" in text for text in report.not_found), (
        "it was searched for"
    )
    with Scholar(PARTS[:1], missing="positive feedback of jets") as server:
        report = research(small_index, PARTS[0], llm=model(server), limits=Limits(max_steps=1))
    assert any("positive feedback of jets" in text for text in report.not_found)


NONSENSE = ["", "I cannot help with that.", '{"notes": "x", "sentences": 5, "sub_questions": 7}']


@pytest.mark.parametrize(
    ("stage", "nonsense"),
    [*((stage, text) for stage in ("plan", "read", "section", "short", "disagree") for text in NONSENSE),
     ("section", "banana " * 4000)],
)  # fmt: skip
def test_nonsense_at_any_stage_leaves_a_checked_report(
    small_index: Index, stage: str, nonsense: str
) -> None:
    with Scholar(PARTS, script={stage: Reply(nonsense)}) as server:
        report = research(small_index, QUESTION, llm=model(server), limits=Limits(max_steps=2))
    if stage == "plan":
        assert report.plan.by == "rules"
        assert any("plan is made by rules" in note for note in report.degraded)
    assert all(section.sentences for section in report.sections)
    shown = [s for section in report.sections for s in section.sentences]
    assert any(s.supported for s in shown)
    passes_again(report, small_index)


@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        ("plan", Reply(status=401)),
        ("plan", Reply(status=429)),
        ("read", Reply(status=429)),
        ("section", Reply("x", close_after_characters=0)),
        ("short", Reply(status=500)),
    ],
)
def test_a_failing_model_leaves_a_marked_report(
    small_index: Index, stage: str, fault: Reply
) -> None:
    with Scholar(PARTS, script={stage: fault}) as server:
        report = research(small_index, QUESTION, llm=model(server), limits=Limits(max_steps=2))
    notes = [*report.degraded, *(section.note for section in report.sections)]
    assert any(
        words in note
        for note in notes
        for words in ("refuses the key", "busy", "broke off", "failed", "no usable")
    )
    passes_again(report, small_index)
    assert len(server.requests) < 40


def test_a_sentence_that_fails_is_repaired_once_and_then_marked(small_index: Index) -> None:
    wrong = {
        "text": "It fell by 99.",
        "citations": [1],
        "quotes": [{"n": 1, "quote": "not there at all"}],
    }
    with Scholar(PARTS[:1], wrong=wrong, script={"repair": Reply(json.dumps(wrong))}) as server:
        report = research(small_index, PARTS[0], llm=model(server), limits=Limits(max_steps=1))
    assert server.stages.count("repair") == 1
    (section,) = report.sections
    assert [s.supported for s in section.sentences] == [True, True, True, False]
    failed = section.sentences[-1]
    assert f"the quotation is not in paper [{failed.citations[0]}]" in failed.problems
    assert "not supported" in report_markdown(report)


def test_a_short_answer_that_fails_is_replaced_kept_and_said(small_index: Index) -> None:
    failed = Reply(json.dumps({"sentences": [{"text": "It fell by 99.", "citations": [1], "quotes": []}]}))  # fmt: skip
    with Scholar(PARTS, script={"short": failed, "repair": failed}) as server:
        report = research(small_index, QUESTION, llm=model(server), limits=Limits(max_steps=2))
    assert [s.text for s in report.short_answer_dropped] == ["It fell by 99."]
    assert any("None of the model's 1 sentences of the short answer" in n for n in report.degraded)
    firsts = [section.sentences[0].text for section in report.sections]
    assert [s.text for s in report.short_answer] == firsts


def test_the_short_answer_quotes_nothing_twice(small_index: Index) -> None:
    plan = ["Jets and star formation in ellipticals", "Star formation and jets in ellipticals"]
    report = research(small_index, QUESTION, offline=True, plan=plan)
    firsts = [section.sentences[0].evidence[0].quote for section in report.sections]
    assert firsts[0] == firsts[1], "both sections begin with the same words"
    quotes = [s.evidence[0].quote for s in report.short_answer]
    assert len(quotes) == len(set(quotes)) == 2


def test_instructions_in_an_abstract_are_fenced_and_change_nothing(small_index: Index) -> None:
    with Scholar(["Robust de-blending of galaxies"]) as server:
        report = research(small_index, "Robust de-blending of galaxies", llm=model(server))
    seen = [body for body in server.requests if "banana" in body["messages"][1]["content"]]
    assert seen
    for body in seen:
        user = body["messages"][1]["content"]
        begin, end = user.index("BEGIN MATERIAL-"), user.rindex("END MATERIAL-")
        assert begin < user.index("banana") < end
        assert "banana" not in body["messages"][0]["content"]
    obeyed = Reply(json.dumps({"sentences": [{"text": "banana", "citations": [1], "quotes": []}]}))
    with Scholar(
        ["Robust de-blending of galaxies"], script={"section": obeyed, "repair": obeyed}
    ) as server:
        report = research(small_index, "Robust de-blending of galaxies", llm=model(server))
    assert all(s.text != "banana" for s in report.sentences if s.supported)
    assert [s.text for section in report.sections for s in section.dropped] == ["banana"]


def test_out_of_scope_asks_no_model(small_index: Index) -> None:
    with Scholar(PARTS) as server:
        report = research(small_index, "recipe for tomato sauce with basil", llm=model(server))
    assert server.requests == []
    assert report.sentences == ()
    assert any("outside astronomy" in text for text in report.not_found)


def test_offline_quotes_without_a_socket(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("WAYFINDER_LLM_BASE_URL", "WAYFINDER_RERANKER"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/v1")
    monkeypatch.setenv("WAYFINDER_SIMBAD", "1")
    report = research(small_index, QUESTION, SearchSettings(hyde=True, rerank=True), offline=True)
    assert tried == []
    assert report.plan.by == "rules"
    assert [section.by for section in report.sections] == ["quotes", "quotes"]
    assert all(s.supported for s in report.sentences)
    assert any("needs one" in note for note in report.degraded)
    assert any(note.startswith("HyDE was not done") for note in report.degraded)
    assert report.finished


def test_half_of_a_character_pair_breaks_nothing(small_index: Index, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    odd = {"text": "Jets heat \ud83d gas.", "citations": [1], "quotes": []}
    with Scholar(PARTS[:1], wrong=odd, script={"repair": Reply("")}) as server:
        report = research(
            small_index, PARTS[0], llm=model(server), trace=trace, limits=Limits(max_steps=1)
        )
    assert "Jets heat ? gas." in [s.text for s in report.sentences]
    assert report_markdown(report).encode()
    assert read_trace(trace)[0][-1].kind == "report"


def test_numbers_of_a_section_become_those_of_the_report() -> None:
    failed = Sentence("A.", (2,), (), supported=False, problems=("nothing is quoted from paper [2]", "it cites [9], but there are 2 papers"))  # fmt: skip
    numbered = Cited(failed, (70, 80)).numbered({80: 12})
    assert numbered.citations == (12,)
    assert numbered.problems == ("nothing is quoted from paper [12]", "it cites a paper that it was not given")  # fmt: skip


def test_a_plan_can_be_had_alone(small_index: Index) -> None:
    with Scholar(PARTS) as server:
        assert planned(small_index, QUESTION, llm=model(server)).parts == tuple(PARTS)
    assert planned(small_index, QUESTION, offline=True) == Plan(tuple(PARTS), "rules")
