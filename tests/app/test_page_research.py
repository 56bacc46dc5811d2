"""What a person sees of deep research on the page, by Streamlit's AppTest. Run: pytest tests/app/test_page_research.py"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.research_job import ResearchJob
from tests.app.test_page import opened, words
from tests.llm_server import KEY, LLMServer, Reply
from tests.scholar import PARTS, QUESTION, Scholar


def research_page(index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    test = opened(index, monkeypatch)
    monkeypatch.setattr("indexer.config.cache_dir", lambda: tmp_path)
    return test.switch_page("page_research.py").run()


def with_model(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
    monkeypatch.setenv("WAYFINDER_LLM_MODEL", "toy-1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def click(test: AppTest, label: str) -> AppTest:
    (button,) = [button for button in test.button if button.label == label]
    return button.click().run()


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.button}


def ended(test: AppTest) -> AppTest:
    job: ResearchJob = test.session_state["research"]
    job.wait(120)
    assert not job.running
    return test.run()


def planned_page(test: AppTest, question: str = QUESTION) -> AppTest:
    test.text_area(key="research-question-text").set_value(question)
    return click(test, "Make a plan")


def test_a_question_is_planned_changed_researched_and_reported(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test = planned_page(research_page(small_index_dir, monkeypatch, tmp_path))
    assert test.text_area(key="plan-text").value == "\n".join(PARTS)
    assert "which holds your question, is kept on this host for your visit" in words(test)
    test.switch_page("page_ask.py").run()
    test.switch_page("page_research.py").run()
    assert test.text_area(key="plan-text").value == "\n".join(PARTS), "kept beside another page"
    test.text_area(key="plan-text").set_value(f"{PARTS[0]}\n\nHubble constant\n")
    click(test, "Start the research")
    page = words(ended(test)).replace("\\", "")
    assert not test.exception
    assert "Short answer" in page
    assert PARTS[0] in page
    assert "Hubble constant" in page
    assert PARTS[1] not in page
    html = " ".join(e.proto.body for e in test.get("html"))
    cited = set(re.findall(r'href="#(paper-\d+)"', html))
    assert cited
    assert cited <= set(re.findall(r'id="(paper-\d+)"', html))
    assert "<script" not in html
    downloads = {d.label for d in test.get("download_button")}
    assert downloads == {"Report (Markdown)", "Report (JSON)", "Trace (JSON lines)"}
    assert "Go on with it" not in labels(test)
    (trace,) = tmp_path.rglob("trace.jsonl")
    click(test, "Another question")
    assert test.text_area(key="research-question-text").value == ""
    assert not trace.parent.exists(), "the trace was kept for this run alone"


def test_a_cancelled_run_reports_and_goes_on(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Scholar(PARTS, script={"read": Reply("x", hang_before_seconds=60)}) as server:
        with_model(server, monkeypatch)
        test = planned_page(research_page(small_index_dir, monkeypatch, tmp_path))
        assert "Made by the language model" in words(test)
        click(test, "Start the research")
        assert "rounds" in " ".join(str(e.proto.text) for e in test.get("progress"))
        click(test, "Cancel and report what was found")
        page = words(ended(test))
        assert "The run was cancelled" in page
        server.scripted = {}
        n_before = len(server.requests)
        click(test, "Go on with it")
        page = words(ended(test))
        n_after = len(server.requests)
        (trace,) = tmp_path.rglob("trace.jsonl")
        records = [json.loads(line) for line in trace.read_text().splitlines()]
    assert not test.exception
    assert "cancelled" not in page
    assert "Written by toy-1" in page
    assert n_after > n_before
    assert [r["kind"] for r in records].count("plan") == 1
    assert KEY not in page + trace.read_text()


def test_nothing_typed_and_too_long_a_plan_are_said(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test = planned_page(research_page(small_index_dir, monkeypatch, tmp_path), "  ")
    assert "Type a question first" in words(test)
    planned_page(test)
    test.text_area(key="plan-text").set_value("\n".join(f"Part {i}" for i in range(9)))
    click(test, "Start the research")
    assert "9 sub-questions" in words(ended(test)).replace("\\", "")
    assert not test.exception


def test_a_question_asked_survives_a_look_at_the_other_page(
    small_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(small_index_dir, monkeypatch, question="How do jets suppress star formation?")
    assert "Quoted word for word" in words(test)
    test.switch_page("page_research.py").run()
    test.query_params.clear()
    test.switch_page("page_ask.py").run()
    assert test.text_input(key="question").value == "How do jets suppress star formation?"
    assert "Quoted word for word" in words(test)
