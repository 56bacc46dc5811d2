"""The report on answers, end to end against a real server. Run: pytest tests/eval/test_answer_report.py"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.answer_report import _by, write
from eval.answers import _tokens
from eval.cli import app
from eval.measures import estimate
from eval.metered import BudgetSpent, Metered, ServerGone, metered_model
from indexer.config import LLMConfig
from indexer.errors import QueryError
from indexer.store import Index
from retrieval.errors import LLMUnavailable
from retrieval.llm import Reply as Noted
from retrieval.records import Usage
from tests.eval.test_stability import quiet
from tests.llm_server import KEY, LLMServer, Reply, sentence

PARTS = (
    "Citations, on topics with judged papers",
    "Refusals, on questions inside and outside of astronomy",
    "Stability: search",
    "Stability: answers",
    "Leading questions",
    "Attacks",
)


class Quoting(LLMServer):
    """Says the title of the first paper and quotes it."""

    def reply_to(self, body: dict[str, Any]) -> Reply:
        title = re.search(r"PAPER 1:[^\n]*\nTitle: ([^\n]+)", body["messages"][1]["content"])
        return Reply(sentence(f"{title[1]}.", (1, title[1])) if title else "ready")


class Faulty(Quoting):
    """Fails one call in two for good, breaks off or talks nonsense now and then."""

    def reply_to(self, body: dict[str, Any]) -> Reply:
        kinds = (Reply(status=400), Reply("{{{"), Reply("{" * 50, close_after_characters=20))
        n = len(self.requests)
        return super().reply_to(body) if n % 2 or n < 4 else kinds[n // 2 % len(kinds)]


def point_at(server: LLMServer, monkeypatch: pytest.MonkeyPatch, cache: Path | None = None) -> None:
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
    monkeypatch.setenv("WAYFINDER_LLM_MODEL", "toy-1")
    monkeypatch.setenv("WAYFINDER_LLM_API_KEY", KEY)
    if cache is not None:
        monkeypatch.setenv("WAYFINDER_CACHE", str(cache))
        monkeypatch.delenv("WAYFINDER_LLM_CACHE")


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_one_command_measures_everything_and_goes_on_from_kept_replies(
    small_index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "set.csv"
    own.write_text("question,ideal,arxiv\nHow do jets heat a halo?,Jets heat it.,2401.00001\n")
    with Quoting([]) as server:
        point_at(server, monkeypatch, tmp_path / "cache")
        path = write(small_index, tmp_path / "a", metered_model(), quiet, limit=1, sets=[own])
        first = len(server.requests)
        write(small_index, tmp_path / "b", metered_model(), quiet, limit=1, sets=[own])
        again = len(server.requests) - first
    result = read(tmp_path / "a")
    assert result["complete"] and not result["ended"]
    assert set(result["sections"]) == {*PARTS, "Questions of set.csv"}
    named = {f["name"] for found in result["sections"].values() for f in found}
    for wanted in ("citation precision", "refusal F1", "attacks not obeyed", "seconds", "leading:"):
        assert any(wanted in name for name in named), wanted
    assert result["used"]["calls"] > 0 and result["model"] == "toy-1"
    text = path.read_text()
    for part in ("Questions of set.csv", "Attacks"):
        assert any("written by the model" in f["name"] for f in result["sections"][part]), part
    assert "written by toy-1" in text and all(f"## {part}" in text for part in PARTS)
    assert KEY not in text + json.dumps(result)
    assert again <= 5, "only the probes are asked again"
    assert read(tmp_path / "b")["used"]["cached"] > 0


def test_a_faulty_server_is_measured_as_what_it_is(
    small_index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Faulty([]) as server:
        point_at(server, monkeypatch)
        write(small_index, tmp_path, metered_model(), quiet, limit=2)
    result = read(tmp_path)
    assert result["complete"]
    rows = {f["name"]: f["estimate"]["mean"] for f in result["sections"][PARTS[1]]}
    assert rows["answers written by the model"] < 1.0


def test_the_end_of_a_budget_ends_it_and_keeps_what_was_measured(
    small_index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_LLM_SESSION_TOKENS", "9000")
    with Quoting([]) as server:
        point_at(server, monkeypatch)
        model = metered_model()
        with pytest.raises(BudgetSpent, match="WAYFINDER_LLM_SESSION_TOKENS"):
            write(small_index, tmp_path, model, quiet, limit=20)
    assert model.budget.spent_tokens <= 9000
    result = read(tmp_path)
    assert not result["complete"] and "9,000" in result["ended"]
    assert "Not complete" in (tmp_path / "answers.md").read_text()


def test_a_server_that_dies_half_way_ends_it_and_its_quotations_are_not_the_models(
    small_index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(Quoting):
        def reply_to(self, body: dict[str, Any]) -> Reply:
            return Reply(status=401) if len(self.requests) > 7 else super().reply_to(body)

    with Dying([]) as server:
        point_at(server, monkeypatch)
        with pytest.raises(ServerGone, match="refuses the key"):
            write(small_index, tmp_path, metered_model(), quiet, limit=1)
    result = read(tmp_path)
    assert not result["complete"] and "refuses the key" in result["ended"]


def test_a_server_that_only_fails_is_left_after_three_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval.llm.FIRST_PAUSE_SECONDS", 0.0)
    with LLMServer([Reply(status=500)]) as server:
        point_at(server, monkeypatch)
        model = metered_model()
        for _ in range(2):
            with pytest.raises(LLMUnavailable):
                list(model.stream("s", "u", Noted()))
        with pytest.raises(ServerGone, match="3 calls failed"):
            list(model.stream("s", "u", Noted()))


def test_counts_that_no_server_gave_are_unknown_and_few_values_have_no_interval() -> None:
    model = Metered(LLMConfig(base_url="http://127.0.0.1:9/v1", model="toy-1"))
    assert "tokens in unknown, out unknown" in _by(model)
    assert _tokens(Usage("toy-1", None, 3, 1)) is None
    assert estimate(np.ones(1)).interval == "–"
    assert estimate(np.ones(4)).interval == "–"
    assert estimate(np.ones(5)).interval == "[1.000, 1.000]"


def test_without_a_model_it_starts_only_offline(
    small_index: Index, small_index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    command = ["answer-report", "--index", str(small_index_dir), "--out", str(tmp_path / "o")]
    run = CliRunner().invoke(app, command)
    assert isinstance(run.exception, QueryError) and "--offline" in str(run.exception)
    assert not (tmp_path / "o").exists()
    with LLMServer([Reply(status=401)]) as server:
        point_at(server, monkeypatch)
        with pytest.raises(LLMUnavailable, match="refuses the key"):
            write(small_index, tmp_path / "o", Metered(server.config()), quiet, limit=1)
    assert not (tmp_path / "o").exists()
    run = CliRunner().invoke(app, [*command, "--offline", "--limit", "1"])
    assert run.exit_code == 0, run.output
    result = read(tmp_path / "o")
    assert result["complete"] and result["model"] is None
