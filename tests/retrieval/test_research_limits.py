"""Limits, cancellation, traces and going on of deep research. Run: pytest tests/retrieval/test_research_limits.py"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.config import LLMConfig
from indexer.errors import SourceError
from indexer.store import Index
from retrieval.budget import Allowance
from retrieval.errors import LLMBudgetExceeded, QueryError
from retrieval.records import SearchSettings
from retrieval.research import research, resume
from retrieval.research_records import Limits, Report
from retrieval.research_report import report_row
from retrieval.research_run import Run
from retrieval.research_trace import Record, Trace, read_trace
from retrieval.search import search
from tests.llm_server import KEY, Reply
from tests.scholar import PARTS, QUESTION, Scholar, model, passes_again


def read_papers(report: Report) -> int:
    return sum(section.n_read for section in report.sections)


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

    def at_first_section(stage: str) -> None:
        if stage == "section":
            cancel.set()

    hanging = {"section": Reply("x", hang_before_seconds=600)}
    with Scholar(PARTS, script=hanging, heard=at_first_section) as server:
        report = research(small_index, QUESTION, llm=model(server), cancel=cancel)
        assert 1 <= server.at_once <= 2, "what hangs still hangs: it was not waited for"
    assert report.stopped == ("The run was cancelled.",)
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
        ("[" * 100_000 + "\n", "no record"),
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


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("read", {"part": [1]}, r"its part is \[1\]"),
        ("read", {"round": None}, "its round None"),
        ("run", {"settings": {"filters": {"since": "x"}}}, "since is 'x'"),
        ("run", {"settings": {"k": "many"}}, "k is 'many'"),
        ("run", {"limits": {"max_steps": "1"}}, "max_steps is '1'"),
        ("plan", {"parts": [1, 2]}, r"parts is \(1, 2\)"),
        ("plan", {"by": "nobody"}, "by is 'nobody'"),
    ],
)
def test_rubbish_in_a_trace_is_said(
    small_index: Index, tmp_path: Path, kind: str, change: dict[str, Any], message: str
) -> None:
    trace = tmp_path / "trace.jsonl"
    research(small_index, PARTS[0], offline=True, trace=trace, limits=Limits(max_steps=1))
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    for row in rows:
        if row["kind"] == kind:
            _change(row["data"], change)
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SourceError, match=message):
        resume(small_index, trace)


def _change(data: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, dict):
            _change(data[name], value)
        else:
            data[name] = value


@pytest.mark.parametrize(
    ("reason", "seconds", "raised"),
    [
        ("The limit of 12 steps was reached.", 5.0, {"max_steps": 24}),
        ("The limit of 150,000 tokens was reached.", 5.0, {"max_tokens": 300_000}),
        ("The limit of 900 seconds was reached.", 1000.0, {"max_seconds": 2000.0}),
        ("The limit of $0.012 was reached.", 5.0, {"max_usd": 0.024}),
        ("The run was cancelled.", 5.0, {}),
    ],
)
def test_the_limit_that_stopped_a_run_is_doubled(
    reason: str, seconds: float, raised: dict[str, float]
) -> None:
    limits = Limits(max_usd=0.012)
    assert limits.raised([reason], seconds)[0] == replace(limits, **raised)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [{"max_steps": 0}, {"max_tokens": -1}, {"max_seconds": float("nan")}, {"max_usd": float("inf")}])  # fmt: skip
def test_limits_out_of_range_are_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match="give a number above 0"):
        Limits(**limit)


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
