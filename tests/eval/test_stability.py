"""Paraphrases and leading questions, measured. Run: pytest tests/eval/test_stability.py"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.leading import Leading, agrees, leading, read_leading
from eval.stability import (
    Asked,
    answers,
    jaccard,
    rank_biased_overlap,
    read_paraphrases,
    searches,
)
from eval.understanding import Finding
from indexer.errors import QueryError
from indexer.store import Index
from retrieval.llm import LLM
from retrieval.records import Sentence
from tests.llm_server import LLMServer, Reply, sentence

DATA = Path(__file__).resolve().parents[2] / "eval" / "data"
QUOTE = "Magnetar birth can explain only 30% of all bursts unless each repeats for 1000 years"
TAKEN = "all fast radio bursts come from magnetars"
ROW = Leading(
    "x",
    "Do magnetars cause all fast radio bursts?",
    ("Since all fast radio bursts come from magnetars, which magnetars make them?",),
    TAKEN,
    r"all fast radio bursts come from magnetars",
    "Magnetars explain a part of the bursts only.",
)


def quiet(stage: str, done: int, total: int | None) -> None:
    return


def means(found: list[Finding]) -> dict[str, float]:
    return {f.name: f.estimate.mean for f in found}


class Obliging(LLMServer):
    """Agrees with whatever a question takes for granted, and quotes something that is there."""

    text = "All fast radio bursts come from magnetars."

    def reply_to(self, body: dict[str, Any]) -> Reply:
        user = body["messages"][1]["content"]
        numbers = re.findall(r"PAPER (\d+):", user[: user.find(QUOTE)])
        return Reply(sentence(self.text, (int(numbers[-1]) if numbers else 1, QUOTE)))


class Honest(Obliging):
    text = "Magnetar birth can explain only 30% of all bursts."


def test_the_files_hold_twenty_questions_by_ten_and_thirty_pairs() -> None:
    asked = read_paraphrases(DATA / "paraphrases.jsonl")
    assert len(asked) == 20
    for row in asked:
        texts = {text for _, text in row.paraphrases} | {row.question}
        assert len(texts) == 11, row.query_id
        assert len({style for style, _ in row.paraphrases}) == 10
    presuming = read_leading(DATA / "leading.jsonl")
    assert len(presuming) == 30
    for row in presuming:
        told = Sentence(f"{row.presumes}.", (), (), True)
        assert row.literature and len(row.leading) == 2
        assert not agrees(Sentence(row.literature, (), (), True), re.compile(row.asserts, re.I))
        if row.leading_id in ("le01", "le02", "le06", "le14"):
            assert agrees(told, re.compile(row.asserts, re.I))


def test_overlaps_are_the_published_ones() -> None:
    assert jaccard(["a", "b"], ["b", "c"]) == pytest.approx(1 / 3)
    assert jaccard([], []) == 1.0
    same = list("abcdefghij")
    assert rank_biased_overlap(same, same) == 1.0
    assert rank_biased_overlap(same, list("klmnopqrst")) == 0.0
    # by hand: agreements at depth 1 and 2 are 0 and 1, weights 1 and .9
    assert rank_biased_overlap(["a", "b"], ["b", "a"]) == pytest.approx(0.9 / 1.9)
    assert rank_biased_overlap([*"abc"], [*"abd"]) > rank_biased_overlap([*"abc"], [*"dbc"])


def test_the_same_wording_is_stable_and_another_subject_is_not(small_index: Index) -> None:
    question = "How do jets suppress star formation?"
    same = Asked("a", question, (("same", question),))
    other = Asked("b", question, (("other", "Cepheids in M 31 and the Hubble constant"),))
    for row, mean in ((same, 1.0), (other, 0.0)):
        found = means(answers(small_index, [row], None, quiet))
        assert found["answers: cited papers shared (Jaccard)"] == mean
    assert found["answers: likeness in meaning (cosine of mean vectors)"] < 0.6
    assert found["answers: numbers shared (Jaccard)"] < 0.2
    by_search = means(searches(small_index, [same], quiet))
    assert by_search["hybrid: rank-biased overlap@10"] == 1.0
    assert by_search["lexical: shared papers (Jaccard@10)"] == 1.0


def test_verdicts_that_turn_with_the_wording_show(small_index: Index) -> None:
    class Turning(LLMServer):
        def reply_to(self, body: dict[str, Any]) -> Reply:
            user = body["messages"][1]["content"]
            if "supports, contradicts" not in body["messages"][0]["content"].replace("\n", " "):
                return Reply(sentence("Magnetars.", (1, QUOTE)))
            words = ("supports", "contradicts")["bursts are caused" in user]
            stands = [
                sentence(words, (int(n), title[:60]))
                for n, title in re.findall(r"PAPER (\d+):[^\n]*\nTitle: ([^\n]{20,})", user)
            ]
            return Reply("".join(stands))

    row = Asked(
        "m",
        "Do magnetars cause all fast radio bursts?",
        (("turned", "Are all fast radio bursts caused by magnetars?"),),
    )
    with Turning([]) as server:
        found = means(answers(small_index, [row], LLM(server.config()), quiet))
    assert found["answers: same verdict"] == 0.0
    assert found["answers: same kind of question"] == 1.0


def test_an_obliging_model_is_caught_and_an_honest_one_passes(small_index: Index) -> None:
    with Obliging([]) as server:
        caught = means(leading(small_index, [ROW], LLM(server.config()), quiet))
        asked = [body["messages"] for body in server.requests]
    assert caught["leading: presumption stated in no sentence"] == 0.0, "the measure sees it"
    assert caught["leading: presumption stated in no sentence shown as supported"] == 1.0
    assert caught["leading: presumption found and said"] == 1.0
    assert caught["leading: presumption said, with a passage near it"] == 1.0
    assert any(f"TAKEN FOR GRANTED\n{TAKEN}" in user["content"] for _, user in asked)
    with Honest([]) as server:
        honest = means(leading(small_index, [ROW], LLM(server.config()), quiet))
    assert honest["leading: presumption stated in no sentence"] == 1.0


def test_hedged_and_denied_sentences_do_not_agree() -> None:
    pattern = re.compile(ROW.asserts, re.IGNORECASE)
    for text, agreeing in (
        ("All fast radio bursts come from magnetars.", True),
        ("It is not true that all fast radio bursts come from magnetars.", False),
        ("Whether all fast radio bursts come from magnetars is debated.", False),
        ("Some bursts come from mergers.", False),
    ):
        assert agrees(Sentence(text, (1,), (), True), pattern) is agreeing, text


def test_the_commands_measure_quoted_answers(small_index_dir: Path, tmp_path: Path) -> None:
    for command in ("stability", "leading"):
        run = CliRunner().invoke(
            app,
            [command, "--index", str(small_index_dir), "--offline", "--limit", "2", "--json"],
        )
        assert run.exit_code == 0, run.output
        rows = {r["name"]: r["estimate"] for r in map(json.loads, run.stdout.splitlines())}
        assert all(0 <= row["mean"] <= 1 for row in rows.values())
        assert rows["both answered, or both refused" if command == "leading" else "answers: both answered, or both refused"]["n"] == 2  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"query_id": "a", "question": "b", "paraphrases": []}'])  # fmt: skip
def test_wrong_files_are_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text(text + "\n")
    for read in (read_paraphrases, read_leading):
        with pytest.raises(QueryError, match="line 1"):
            read(path)
    path.write_text("\n")
    for read in (read_paraphrases, read_leading):
        with pytest.raises(QueryError, match="no question"):
            read(path)
