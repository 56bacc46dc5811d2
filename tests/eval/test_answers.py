"""Answers and attacks measured against scripted servers. Run: pytest tests/eval/test_answers.py"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eval.answer_sets import AnswerQuestion, read_answer_questions
from eval.answers import answers, attacks, read_attacks
from eval.citations import citation_precision, citation_recall, graded_precision
from eval.cli import app
from indexer.errors import QueryError
from indexer.store import Index
from retrieval import ask, search
from retrieval.llm import LLM
from retrieval.records import SearchSettings
from tests.llm_server import LLMServer, Reply, sentence

ATTACKS = Path(__file__).resolve().parents[2] / "eval" / "data" / "attacks.jsonl"
QUOTE = "the star formation rate falls by a factor of 12.5"


def quiet(stage: str, done: int, total: int | None) -> None:
    return


class Honest(LLMServer):
    """Cites the paper that holds the quotation, and adds one sentence that nothing supports."""

    def reply_to(self, body: dict[str, Any]) -> Reply:
        user = body["messages"][1]["content"]
        before = user[: user.find(QUOTE)] if QUOTE in user else ""
        numbers = re.findall(r"PAPER (\d+):", before)
        n = int(numbers[-1]) if numbers else 1
        good = sentence("The star formation rate falls by a factor of 12.5.", (n, QUOTE))
        return Reply(good + sentence("Everything is made of cheese.", (n, "not there at all")))


class Obedient(LLMServer):
    """Does whatever the last instruction in its prompt says."""

    def reply_to(self, body: dict[str, Any]) -> Reply:
        word = "banana" if "banana" in body["messages"][1]["content"] else "galaxies"
        return Reply(sentence(f"It is {word}.", (1, "not there at all")))


def test_citations_support_and_refusals_are_counted(small_index: Index) -> None:
    rows = [
        AnswerQuestion("How do jets suppress star formation?", True, "It falls by a factor of 12.5", "2401.00001", {"2401.00001": 2, "2402.00002": 0}),
        AnswerQuestion("best recipe for tomato sauce with basil", False),
    ]  # fmt: skip
    with Honest([]) as server:
        found = answers(small_index, rows, LLM(server.config()), quiet)
    means = {f.name.split(":")[0]: f.estimate.mean for f in found}
    assert means["citation precision"] == 0.5, "one of two"
    assert means["citation recall"] == 0.5
    assert means["cited papers judged"] == 1.0
    assert means["sentences supported"] == 0.5
    assert means["right paper cited"] == 1.0
    assert means["refusal F1"] == 1.0
    assert means["words of the ideal answer held"] >= 0.6
    assert means["tokens an answer"] == 240  # written, and repaired in vain


def test_attacks_are_thirty_six_and_obeying_them_shows(small_index: Index) -> None:
    found = read_attacks(ATTACKS)
    assert len(found) == 36
    assert {attack.where for attack in found} == {"query", "abstract", "full text"}
    bananas = [attack for attack in found if "banana" in attack.text]
    question = "How do jets suppress star formation?"
    with Obedient([]) as server:
        measured = attacks(small_index, question, bananas, LLM(server.config()), quiet)
    passed, shown, written = (f.estimate.mean for f in measured)
    assert written == 1.0, "all by the model"
    assert passed == 1.0, "what obeys is never shown as supported"
    assert shown == 0.0, "and the measure sees it"


def test_without_a_model_attacks_are_quoted_at_most(small_index: Index) -> None:
    found = [a for a in read_attacks(ATTACKS) if a.where == "query"][1:4]
    measured = attacks(small_index, "How do jets suppress star formation?", found, None, quiet)
    assert [f.estimate.mean for f in measured] == [1.0, 1.0]


def test_closed_book_sets_are_read_by_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"prompt": "Why?", "ideal": "So.", "arxiv": "2401.00001"}) + "\n")
    right = [AnswerQuestion("Why?", None, "So.", "2401.00001")]
    assert read_answer_questions(path) == right
    table = tmp_path / "set.csv"
    table.write_text('question,ideal_answer,arxiv_ids\nWhy?,So.,2401.00001\n"How, then?",,\n')
    assert read_answer_questions(table) == [*right, AnswerQuestion("How, then?")]
    for text in ("[]", "{}", "not JSON"):
        path.write_text(text + "\n")
        with pytest.raises(QueryError, match="line 1"):
            read_answer_questions(path)
    table.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError, match="line 2"):
        read_answer_questions(table)


def test_a_citation_is_precise_if_it_supports_alone_or_is_needed(small_index: Index) -> None:
    other = "galaxies with jets form stars at half the rate"
    text = "The star formation rate falls by a factor of 12.5."
    index = {hit.paper.arxiv_id: n for n, hit in enumerate(
        search(small_index, "jets star formation", SearchSettings(k=8)).hits, 1)}  # fmt: skip
    one, two = index["2401.00001"], index["2402.00002"]
    said = sentence(text, (one, QUOTE), (two, other)) + sentence("All is cheese.", (one, QUOTE))
    with LLMServer([Reply(said)]) as server:
        answer = ask(small_index, "jets star formation", llm=LLM(server.config()))
    assert [s.supported for s in answer.sentences] == [True, False]
    precise = citation_precision(answer, small_index.encoder)
    assert precise == pytest.approx(1 / 3), "the second citation adds nothing, the third is false"
    assert citation_recall(answer) == 0.5
    assert graded_precision(answer, {"2401.00001": 2, "2402.00002": 0}) == (1.0, 0.5)
    assert graded_precision(answer, {}) == (0.0, None)


def test_the_command_measures_quoted_answers(small_index_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"question": "How do jets suppress star formation?"}) + "\n")
    run = CliRunner().invoke(
        app,
        [
            "answers",
            "--questions",
            str(path),
            "--index",
            str(small_index_dir),
            "--offline",
            "--json",
        ],
    )
    assert run.exit_code == 0, run.output
    rows = {r["name"].split(":")[0]: r for r in map(json.loads, run.stdout.splitlines())}
    assert rows["citation precision"]["estimate"]["mean"] == 1.0
    assert rows["sentences supported"]["estimate"]["mean"] == 1.0
