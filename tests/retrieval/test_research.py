"""Deep research against a real loopback server. Run: pytest tests/retrieval/test_research.py"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.config import LLMConfig
from indexer.errors import SourceError
from indexer.store import Index, open_index
from retrieval.budget import Allowance
from retrieval.errors import LLMBudgetExceeded, QueryError
from retrieval.llm import LLM
from retrieval.records import SearchFilters, SearchSettings, Sentence
from retrieval.research import planned, research, resume
from retrieval.research_plan import split
from retrieval.research_records import Cited, Limits, Plan, Report
from retrieval.research_report import report_markdown, report_row, searched_text
from retrieval.research_run import Run
from retrieval.research_trace import Record, Trace, read_trace
from retrieval.search import search
from retrieval.verify import Draft, check_sentence
from tests.llm_server import KEY, LLMServer, Reply
from tests.papers import PAPERS, build_small_index
from tests.scholar import Scholar

QUESTION = "How do jets affect star formation, and what powers fast radio bursts?"
PARTS = ["How do jets affect star formation?", "What powers fast radio bursts?"]


def model(server: LLMServer, **more: Any) -> LLM:
    return LLM(replace(server.config(), **more))


def read_papers(report: Report) -> int:
    return sum(section.n_read for section in report.sections)


def passes_again(report: Report, index: Index) -> None:
    """Every sentence that the report shows as supported passes the checks against the report's papers."""
    papers = [hit.paper for hit in report.papers]
    assert report.sentences
    for s in report.sentences:
        assert all(1 <= n <= len(papers) for n in s.citations)
        if s.supported:
            draft = Draft(s.text, s.citations, tuple((e.n, e.quote) for e in s.evidence))
            quoted = any(f"“{e.quote}”" in s.text for e in s.evidence)
            again = check_sentence(draft, papers, None if quoted else index.encoder)
            assert again.supported, (s.text, again.problems)


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


def test_saturation_ends_a_part(small_index: Index) -> None:
    nothing_new = json.dumps({"notes": [], "missing": ""})
    with Scholar(PARTS[:1], script={"read": Reply(nothing_new)}) as server:
        report = research(small_index, PARTS[0], llm=model(server))
    assert server.stages.count("read") == 2, "the second round added nothing"
    assert report.finished
    assert not report.stopped


@pytest.mark.parametrize(
    ("limits", "reason", "settings"),
    [
        ({"max_steps": 1}, "1 steps", {}),
        ({"max_tokens": 9_000}, "9,000 tokens", {}),
        ({"max_usd": 0.012}, "$0.012", {"usd_per_million_in": 1.0, "usd_per_million_out": 2.0}),
        ({"max_seconds": 1e-9}, "1e-09 seconds", {}),
    ],
)
def test_each_limit_stops_it_with_a_report(
    small_index: Index, limits: dict[str, float], reason: str, settings: dict[str, float]
) -> None:
    with Scholar(PARTS, counts_tokens=False) as server:
        llm = model(server, **settings)
        report = research(
            small_index,
            QUESTION,
            llm=llm,
            plan=PARTS,
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
    assert any(reason in text for text in report.stopped), report.stopped
    assert not report.finished
    assert llm.budget.spent_tokens <= report.limits.max_tokens
    assert report.steps <= report.limits.max_steps
    assert report.usage.cost_usd is None or report.usage.cost_usd <= 0.012
    if "max_seconds" in limits:
        assert server.requests == []
        assert report.not_found
    else:
        passes_again(report, small_index)


def test_the_sessions_own_budget_holds_too(small_index: Index) -> None:
    with Scholar(PARTS, counts_tokens=False) as server:
        llm = model(server, session_tokens=5_000)
        report = research(small_index, QUESTION, llm=llm, plan=PARTS)
    assert llm.budget.spent_tokens <= 5_000
    assert any("WAYFINDER_LLM_SESSION_TOKENS" in text for text in report.stopped)
    passes_again(report, small_index)


def test_cancelling_ends_it_at_once_with_what_it_has(small_index: Index) -> None:
    cancel = threading.Event()

    def at_first_section(record: Record) -> None:
        if record.kind == "writing":
            cancel.set()

    hanging = {"section": Reply("x", hang_before_seconds=30)}
    with Scholar(PARTS, script=hanging) as server:
        report = research(
            small_index, QUESTION, llm=model(server), cancel=cancel, on_record=at_first_section
        )
    assert report.stopped == ("The run was cancelled.",)
    assert report.seconds < 20, "a hanging server is not waited for"
    assert [section.by for section in report.sections] == ["notes", "notes"]
    passes_again(report, small_index)


def test_a_run_goes_on_without_paying_again(small_index: Index, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    cancel = threading.Event()

    def at_writing(record: Record) -> None:
        if record.kind == "writing":
            cancel.set()

    with Scholar(PARTS) as server:
        whole = research(small_index, QUESTION, llm=model(server))
        n_whole = len(server.requests)
    with Scholar(PARTS) as server:
        research(
            small_index,
            QUESTION,
            llm=model(server),
            trace=trace,
            cancel=cancel,
            on_record=at_writing,
        )
        n_before = len(server.requests)
        report = resume(small_index, trace, llm=model(server))
        assert 0 < n_before < n_whole
        assert len(server.requests) == n_whole, "together as many calls as undisturbed"
        again = resume(small_index, trace, llm=model(server))
        assert len(server.requests) == n_whole, "a finished run costs nothing"
    assert report.finished
    for one in (report, again):
        assert [s.text for s in one.sentences] == [s.text for s in whole.sentences]
        assert one.usage.prompt_tokens == whole.usage.prompt_tokens


def test_a_killed_run_goes_on_from_its_trace(
    small_index_dir: Path, small_index: Index, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    script = {"section": Reply("x", hang_before_seconds=60)}
    with Scholar(PARTS, script=script) as server:
        environment = {
            **os.environ,
            "WAYFINDER_LLM_BASE_URL": server.base_url,
            "WAYFINDER_LLM_MODEL": "toy-1",
        }
        command = [str(Path(sys.executable).with_name("wayfinder")), "research", QUESTION]
        command += ["--index", str(small_index_dir), "--trace", str(trace)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:  # what is said is on disk before
            if "Writing" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        n_read = server.stages.count("read")
        assert n_read >= 2
        with trace.open("a") as torn:
            torn.write('{"seq": 999, "at"')
        server.scripted = {}
        server.stages.clear()
        report = resume(small_index, trace, llm=model(server))
        assert server.stages.count("plan") == server.stages.count("read") == 0
        assert server.stages.count("section") == 2
    assert report.finished
    passes_again(report, small_index)
    records, _ = read_trace(trace)
    assert [r.seq for r in records] == list(range(1, len(records) + 1))


def test_a_limit_reached_can_be_raised_to_go_on(small_index: Index, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with Scholar(PARTS) as server:
        first = research(
            small_index, QUESTION, llm=model(server), trace=trace, limits=Limits(max_steps=1)
        )
        reads = server.stages.count("read")
        second = resume(small_index, trace, llm=model(server), limits=Limits(max_steps=12))
    assert (first.finished, second.finished) == (False, True)
    assert read_papers(second) > read_papers(first)
    assert reads == 1
    assert second.plan == first.plan


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


def test_the_trace_holds_the_run_and_reads_back(small_index: Index, tmp_path: Path) -> None:
    trace = tmp_path / "deep" / "trace.jsonl"
    heard: list[Record] = []
    with Scholar(PARTS) as server:
        report = research(
            small_index, QUESTION, llm=model(server), trace=trace, on_record=heard.append
        )
    records, n_bytes = read_trace(trace)
    assert list(records) == heard
    assert n_bytes == trace.stat().st_size
    kinds = [record.kind for record in records]
    assert {"run", "plan", "step", "look", "read", "note", "call", "sentence", "section", "report"} <= set(kinds)  # fmt: skip
    assert kinds.count("call") == len(server.requests)
    assert records[-1].data == json.loads(json.dumps(report_row(report)))
    assert sum(r.data["tokens"] for r in records if r.kind == "call") == 120 * len(server.requests)
    assert KEY not in trace.read_text()
    with pytest.raises(SourceError, match="--resume"):
        research(small_index, QUESTION, offline=True, trace=trace)


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


def test_two_runs_do_not_write_one_trace(small_index: Index, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    seen: list[str] = []

    def resume_meanwhile(record: Record) -> None:
        if record.kind == "plan":
            with pytest.raises(SourceError, match="is being written"):
                resume(small_index, trace)
            seen.append(record.kind)

    research(small_index, PARTS[0], offline=True, trace=trace, on_record=resume_meanwhile)
    assert seen == ["plan"]
    assert resume(small_index, trace).finished


def test_a_full_disk_ends_the_trace_and_not_the_run(small_index: Index) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("w") as file:
        trace = Trace(file)
        run = Run(small_index, trace, SearchSettings(), Limits(max_steps=1), None, None)
        report = run.report(search(small_index, PARTS[0]))
        assert report.sentences
        assert any("disk took no more" in note for note in report.degraded)
        with contextlib.suppress(OSError):
            file.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "what run"),
        ("not JSON\n", "no record"),
        ('{"seq": 1}\n', "no record"),
        ('{"seq": 1, "at": "x", "elapsed": 0, "kind": "plan", "data": {}}\n', "what run"),
        ('{"seq": 1, "at": "x", "elapsed": 0, "kind": "run", "data": {"version": 99}}\n', "version 99"),
        ('{"seq": 1, "at": "x", "elapsed": 0, "kind": "run", "data": {"version": 1}}\n', "how its run began"),
    ],
)  # fmt: skip
def test_a_trace_that_is_none_is_said(
    small_index: Index, tmp_path: Path, content: str | None, message: str
) -> None:
    trace = tmp_path / "trace.jsonl"
    if content is not None:
        trace.write_text(content)
    with pytest.raises(SourceError, match=message):
        resume(small_index, trace)


@pytest.mark.parametrize("limit", [{"max_steps": 0}, {"max_tokens": -1}, {"max_seconds": float("nan")}, {"max_usd": float("inf")}])  # fmt: skip
def test_limits_out_of_range_are_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match="give a number above 0"):
        Limits(**limit)


def test_numbers_of_a_section_become_those_of_the_report() -> None:
    failed = Sentence("A.", (2,), (), supported=False, problems=("nothing is quoted from paper [2]", "it cites [9], but there are 2 papers"))  # fmt: skip
    numbered = Cited(failed, (70, 80)).numbered({80: 12})
    assert numbered.citations == (12,)
    assert numbered.problems == ("nothing is quoted from paper [12]", "it cites a paper that it was not given")  # fmt: skip


def test_a_plan_can_be_had_alone(small_index: Index) -> None:
    with Scholar(PARTS) as server:
        assert planned(small_index, QUESTION, llm=model(server)).parts == tuple(PARTS)
    assert planned(small_index, QUESTION, offline=True) == Plan(tuple(PARTS), "rules")


def test_calls_at_once_cannot_pass_an_allowance() -> None:
    allowance = Allowance(LLMConfig(), max_tokens=1000)
    first = allowance.reserve(300, 300)
    waiting = threading.Thread(
        target=lambda: allowance.settle(allowance.reserve(300, 300), 300, 300)
    )
    waiting.start()
    allowance.settle(first, 50, 50)  # gives back what the other one waits for
    waiting.join(10)
    assert not waiting.is_alive()
    assert allowance.tokens == 700
    with pytest.raises(LLMBudgetExceeded, match="limit of 1,000 tokens"):
        allowance.reserve(200, 101)
    with pytest.raises(LLMBudgetExceeded, match="tokens"):
        allowance.reserve(10, 10, share=0.6)
