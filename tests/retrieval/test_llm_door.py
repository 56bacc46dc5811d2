"""Turns, budgets, kept replies and probes of the door to language models. Run: pytest tests/retrieval/test_llm_door.py"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import commands
from indexer import config
from indexer.config import LLMConfig
from indexer.errors import QueryError
from indexer.store import Index
from retrieval import ask
from retrieval.budget import Budget
from retrieval.errors import LLMBudgetExceeded
from retrieval.langchain import WayfinderLangChainRetriever
from retrieval.llm import LLM, Reply
from retrieval.llm_check import check
from retrieval.records import SearchSettings, Usage
from retrieval.search import search
from tests.llm_server import KEY, LLMServer, sentence
from tests.llm_server import Reply as Scripted

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}


def said(model: LLM, user: str = "question", **more: Any) -> tuple[str, Reply]:
    reply = Reply()
    return "".join(model.stream("rules", user, reply, **more)), reply


class Echo(LLMServer):
    """Answers each question with its own number, slowly."""

    def reply_to(self, body: dict[str, Any]) -> Scripted:
        number = re.search(r"number (\d+)", body["messages"][1]["content"])
        return Scripted(f"The number is {number[1] if number else '?'}.", seconds_a_piece=0.02)


def test_fifty_questions_at_once_are_neither_mixed_nor_lost(tmp_path: Path) -> None:
    with Echo([]) as server:
        settings = replace(
            server.config(timeout_seconds=10),
            concurrency=5,
            session_tokens=50_000,
            day_tokens=50_000,
            day_file=tmp_path / "spent.json",
        )
        model = LLM(settings)
        with ThreadPoolExecutor(50) as pool:
            texts = list(pool.map(lambda i: said(model, f"number {i}")[0], range(50)))
    assert texts == [f"The number is {i}." for i in range(50)]
    assert 2 <= server.most_at_once <= 5
    assert model.budget.spent_tokens == 50 * 120
    assert json.loads((tmp_path / "spent.json").read_text())["tokens"] == 50 * 120


def test_fifty_questions_at_once_cannot_pass_a_budget(tmp_path: Path) -> None:
    with Echo([]) as server:
        model = LLM(replace(server.config(), concurrency=5, session_tokens=11_000))

        def outcome(i: int) -> str:
            try:
                return said(model, f"number {i}")[0]
            except LLMBudgetExceeded as error:
                return str(error)

        with ThreadPoolExecutor(50) as pool:
            outcomes = list(pool.map(outcome, range(50)))
    answered = [o for o in outcomes if o.startswith("The number")]
    assert len(answered) == len(server.requests) == model.budget.spent_tokens // 120
    assert 4 <= len(answered) < 50
    assert model.budget.spent_tokens <= 11_000
    refused = [o for o in outcomes if "WAYFINDER_LLM_SESSION_TOKENS" in o]
    assert len(refused) + len(answered) == 50


def test_a_days_budget_is_shared_and_begins_anew(tmp_path: Path) -> None:
    settings = LLMConfig(
        usd_per_million_in=100.0,
        usd_per_million_out=100.0,
        day_usd=0.5,
        day_file=tmp_path / "spent.json",
    )
    first, second = (Budget(settings, today=date(2026, 1, 1)) for _ in range(2))
    first.settle(first.reserve(1000, 2000), 1000, 1500)
    with pytest.raises(LLMBudgetExceeded, match=r"\$0\.2500 of \$0\.5"):
        second.reserve(1000, 2000)
    Budget(settings, today=date(2026, 1, 2)).reserve(1000, 2000)
    (tmp_path / "spent.json").write_text("not JSON")
    first.reserve(1000, 2000)


def test_an_answer_beyond_the_budget_quotes_and_says_so(small_index: Index) -> None:
    with LLMServer([Scripted("x")]) as server:
        model = LLM(replace(server.config(), session_tokens=10))
        answer = ask(small_index, "How do jets suppress star formation?", llm=model)
    assert answer.mode == "extractive"
    assert any("WAYFINDER_LLM_SESSION_TOKENS" in note for note in answer.degraded)
    assert server.requests == []


def test_costs_are_counted_where_prices_are_set() -> None:
    with LLMServer([Scripted("Fine.")]) as server:
        priced = replace(server.config(), usd_per_million_in=1.0, usd_per_million_out=2.0)
        _, reply = said(LLM(priced))
        _, unpriced = said(LLM(server.config()))
    assert reply.usage.cost_usd == pytest.approx((100 * 1.0 + 20 * 2.0) / 1e6)
    assert unpriced.usage.cost_usd is None


def test_a_reply_is_kept_under_everything_that_matters(tmp_path: Path) -> None:
    with LLMServer(
        [Scripted("One."), Scripted("Two."), Scripted("Three."), Scripted("Four.")]
    ) as server:
        settings = replace(server.config(), cache=tmp_path)
        assert said(LLM(settings))[0] == "One."
        text, reply = said(LLM(settings))
        assert (text, reply.usage) == ("One.", Usage("toy-1", None, None, 0, None, 1))
        assert said(LLM(settings), "MATERIAL-0123456789abcdef q")[0] == "Two."
        assert said(LLM(settings), "MATERIAL-fedcba9876543210 q")[0] == "Two."
        assert said(LLM(replace(settings, model="toy-2")))[0] == "Three."
        assert said(LLM(settings), schema=SCHEMA)[0] == "Four."
    assert len(server.requests) == 4
    assert KEY not in "".join(p.read_text() for p in tmp_path.rglob("*.json"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"text": 1}'])
def test_damaged_and_unfinished_replies_are_not_kept(tmp_path: Path, text: str) -> None:
    with LLMServer(
        [Scripted("cut", finish_reason="length"), Scripted("Two."), Scripted("Three.")]
    ) as server:
        settings = replace(server.config(), cache=tmp_path)
        said(LLM(settings))
        assert said(LLM(settings))[0] == "Two."
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(text)
        assert said(LLM(settings))[0] == "Three."


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [True, False])
def test_retry_after_is_waited_for(status: int, as_date: bool) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    header = {"Retry-After": then if as_date else "1.2"}
    with LLMServer([Scripted(status=status, headers=header), Scripted("Fine.")]) as server:
        began = time.monotonic()
        assert said(LLM(server.config()))[0] == "Fine."
    assert 0.9 < time.monotonic() - began < 4


def test_schemas_are_sent_where_the_server_has_them_and_left_where_not() -> None:
    with LLMServer([Scripted("Fine.")]) as server:
        _, reply = said(LLM(server.config()), schema=SCHEMA)
    assert reply.structured
    assert server.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    with LLMServer([Scripted("Fine.", refuses=("response_format",))]) as server:
        model = LLM(server.config())
        text, reply = said(model, schema=SCHEMA)
        said(model, schema=SCHEMA)
    assert (text, reply.structured, reply.calls) == ("Fine.", False, 2)
    assert len(server.requests) == 3, "refused once, then remembered"


def test_azure_is_spoken_to_by_deployment_and_version() -> None:
    with LLMServer([Scripted("Fine.")]) as server:
        base = server.base_url.removesuffix("/v1")
        model = LLM(replace(server.config(), base_url=base, api_version="2024-10-21"))
        assert said(model)[0] == "Fine."
    assert server.paths == ["/openai/deployments/toy-1/chat/completions?api-version=2024-10-21"]


def test_the_environment_is_read_and_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path))
    monkeypatch.setenv("WAYFINDER_LLM_CACHE", "1")
    monkeypatch.setenv("WAYFINDER_LLM_USD_PER_MILLION", "0.15,0.60")
    monkeypatch.setenv("WAYFINDER_LLM_DAY_USD", "2")
    monkeypatch.setenv("WAYFINDER_LLM_SESSION_TOKENS", "9000")
    found = config.llm_config()
    assert (found.usd_per_million_in, found.usd_per_million_out, found.day_usd) == (0.15, 0.6, 2.0)
    assert (found.session_tokens, found.concurrency) == (9000, 4)
    assert found.cache == tmp_path / "llm" / "replies"
    for name, value in (
        ("WAYFINDER_LLM_USD_PER_MILLION", "cheap"),
        ("WAYFINDER_LLM_DAY_USD", "-1"),
        ("WAYFINDER_LLM_DAY_TOKENS", "many"),
        ("WAYFINDER_LLM_CONCURRENCY", "0"),
    ):
        with monkeypatch.context() as patched, pytest.raises(QueryError, match=name):
            patched.setenv(name, value)
            config.llm_config()


def test_check_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Scripted(
        '{"text": "Stars shine.", "citations": [1], "quotes": [{"n": 1, "quote": "stars shine"}]}',
        tool="look_up",
    )
    with LLMServer([good]) as server:
        assert {p.name: p.works for p in check(LLM(server.config()))} == dict.fromkeys(
            ("replies", "streams", "counts tokens", "says when it ends", "structured output", "cited sentences", "tool calls", "embeddings"), True
        )  # fmt: skip
    poor = Scripted("no", usage=False, refuses=("response_format", "tools", "stream_options"))
    with LLMServer([poor], embeds=False) as server:
        found = {p.name: p.works for p in check(LLM(server.config()))}
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        run = CliRunner().invoke(commands(), ["llm", "check", "--json"])
    assert [name for name, works in found.items() if works] == ["replies", "says when it ends"]
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert "the index's own encoder" in rows[-1]["detail"]
    assert [row["name"] for row in rows if row["works"]] == ["replies", "says when it ends"]
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    gone = CliRunner().invoke(commands(), ["llm", "check"])
    assert gone.exit_code == 1
    assert "check that it runs" in gone.stdout


def test_check_takes_no_kept_reply_for_a_server(tmp_path: Path) -> None:
    asked = ("You are being tested. Do exactly what is asked.", "Reply with the one word: ready")
    with LLMServer([Scripted("ready"), Scripted(status=401)]) as server:
        model = LLM(replace(server.config(), cache=tmp_path))
        for _ in range(2):
            assert "".join(model.stream(*asked, Reply())) == "ready"
        assert len(server.requests) == 1, "kept"
        (only,) = check(model)
    assert not only.works
    assert "refuses the key" in only.detail
    assert model.config.cache == tmp_path


def test_langchain_gets_the_same_papers(small_index: Index) -> None:
    documents = WayfinderLangChainRetriever(index=small_index).invoke("jets and star formation")
    hits = search(small_index, "jets and star formation").hits
    assert [d.id for d in documents] == [hit.paper.id for hit in hits]
    assert documents[0].page_content == hits[0].paper.text()
    assert documents[0].metadata["year"] == hits[0].paper.year


class Short(LLMServer):
    """Reads three papers at most, and says so as OpenAI's server and vLLM do."""

    def reply_to(self, body: dict[str, Any]) -> Scripted:
        user = body["messages"][1]["content"]
        if user.count("PAPER ") > 3:
            return Scripted(status=400, error="This model's maximum context length is 4096 tokens.")
        title = re.search(r"PAPER 1:[^\n]*\nTitle: ([^\n]+)", user)
        return Scripted(sentence(f"{title[1]}.", (1, title[1])) if title else "{}")


def test_papers_too_long_for_the_model_are_read_in_part_and_that_is_said(
    small_index: Index,
) -> None:
    with Short([]) as server:
        model = LLM(server.config())
        answer = ask(small_index, "How do jets suppress star formation?", llm=model)
        assert len(server.requests) <= 5
        read = answer.degraded
    assert answer.mode == "synthesised" and answer.sentences[0].supported
    assert any("too long for 'toy-1': it read the first 2" in note for note in read)
    with LLMServer([Scripted(status=400, error="unknown field x")]) as server:
        quoted = ask(small_index, "How do jets suppress star formation?", llm=LLM(server.config()))
    assert quoted.mode == "extractive", "another refusal is no reason to ask with fewer papers"


def test_reranking_and_hyde_are_paid_by_the_session_that_asks(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer([Scripted("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]")]) as server:
        monkeypatch.setenv("WAYFINDER_RERANKER", "llm")
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        mine = LLM(server.config())
        search(small_index, "jets", SearchSettings(hyde=True, rerank=True), llm=mine)
        assert mine.budget.spent_tokens == 240
        broke = LLM(replace(server.config(), session_tokens=10))
        found = search(small_index, "jets", SearchSettings(hyde=True, rerank=True), llm=broke)
        assert len(server.requests) == 2
    assert sum("This session has used 0 of its 10 tokens" in note for note in found.degraded) == 2
