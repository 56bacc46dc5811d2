"""Stances, verdicts and their drift. Run: pytest tests/retrieval/test_consensus.py"""

from __future__ import annotations

import json

import pytest

from app.show import answer_page
from indexer.errors import QueryError
from indexer.records import Paper
from indexer.store import Index
from retrieval import ask
from retrieval.consensus import Stance, grouped, stances, verdict, verdict_sentence
from retrieval.llm import LLM
from retrieval.llm import Reply as Noted
from retrieval.rows import answer_row
from tests.llm_server import LLMServer, Reply, sentence

QUESTION = "Do jets from black holes suppress star formation?"
WORDS = {
    "2401.00001": ("supports", "the star formation rate falls by a factor of 12.5"),
    "2402.00002": ("supports", "galaxies with jets form stars at half the rate of those without"),
    "2019MNRAS.480..100F": ("contradicts", "no sign that the jet suppresses star formation"),
}


def paper(*authors: str, title: str = "On jets") -> Paper:
    return Paper(title=title, abstract="Jets.", authors=authors, year=2020)


def test_one_teams_series_and_one_data_set_count_once() -> None:
    papers = [
        paper("Almeida, R.", "Brandt, K.", "Chen, W."),
        paper("Almeida, R.", "Brandt, K.", "Dubois, J."),
        paper("Evans, P.", title="Jets seen with DESI"),
        paper("Fuentes, A.", title="DESI galaxies and jets"),
        paper("Gupta, S."),
        paper(),
    ]
    assert grouped(papers) == [1, 1, 2, 2, 3, 4]


def made(*stands: str, group: int | None = None) -> list[Stance]:
    return [Stance(n, s, "q", group or n) for n, s in enumerate(stands, 1)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (made(*["supports"] * 5), "strongly supported"),
        (made(*["supports"] * 3), "supported"),
        (made(*["supports"] * 4, "contradicts"), "supported"),
        (made("supports", "supports", "contradicts"), "leaning towards support"),
        (made("supports", "contradicts"), "divided"),
        (made("supports", "contradicts", "contradicts"), "leaning towards contradiction"),
        (made("supports", *["contradicts"] * 4), "contradicted"),
        (made(*["contradicts"] * 5), "strongly contradicted"),
        (made(*["supports"] * 10, group=1), "not enough evidence"),
        (made("silent", "silent"), "not enough evidence"),
    ],
)
def test_verdicts_have_seven_levels_and_count_groups(found: list[Stance], level: str) -> None:
    assert verdict(found).level == level


def script(index: Index) -> tuple[str, dict[str, int]]:
    papers = ask(index, QUESTION, offline=True).papers
    numbers = {i: n for n, hit in enumerate(papers, 1) for i in hit.paper.identifiers}
    lines = [sentence(stand, (numbers[i], quote)) for i, (stand, quote) in WORDS.items()]
    lines.append(sentence("supports", (numbers["2501.00005"], "words that are nowhere")))
    return "".join(lines), numbers


def test_a_debate_gets_its_verdict_with_checked_quotations(small_index: Index) -> None:
    lines, numbers = script(small_index)
    written = sentence("Jets cut star formation.", (numbers["2401.00001"], WORDS["2401.00001"][1]))
    with LLMServer([Reply(written), Reply(lines)]) as server:
        answer = ask(small_index, QUESTION, llm=LLM(server.config()))
    assert answer.kind == "consensus"
    first = answer.sentences[0]
    assert "leaning towards support; counting papers of one team" in first.text
    assert "2 support it, 1 contradict it, 0 are mixed" in first.text
    assert all(e.found for e in first.evidence)
    each, drift = answer.tables
    said = {row[0]: row[3] for row in each.rows}
    assert said[numbers["2019MNRAS.480..100F"]] == "contradicts"
    assert said[numbers["2501.00005"]] == "silent", "a false quotation speaks for nobody"
    assert [row[0] for row in drift.rows] == [2019, 2024]
    assert [row[1] for row in drift.rows] == [-1.0, pytest.approx(0.333)]
    assert drift.plot == ("year", "balance")
    assert json.dumps(answer_row(answer)["tables"])
    assert answer.usage.calls == 2
    assert f"Statement judged (--statement corrects it): {answer.statement}" in answer_page(answer)
    assert "Statement judged" not in answer_page(ask(small_index, QUESTION, offline=True))


@pytest.mark.parametrize(
    ("quote", "stand"),
    [
        ("star formation rate", "silent"),
        (
            "We follow a massive galaxy for 3 Gyr.",
            "silent",
        ),  # a sentence, and on nothing of the statement
        ("Cold gas starves after jets heat the halo of a massive galaxy", "supports"),
        ("the star formation rate falls by a factor of 12.5", "supports"),
        ("jets from the central black hole heat", "silent"),
    ],
)
def test_a_stance_needs_a_clause_that_speaks_of_the_statement(
    small_index: Index, quote: str, stand: str
) -> None:
    (one,) = (p for p in small_index.papers if p.arxiv_id == "2401.00001")
    with LLMServer([Reply(sentence("supports", (1, quote)))]) as server:
        model = LLM(server.config())
        (found,) = stances(
            model, "jets suppress star formation", [one], Noted(), small_index.encoder
        )
        (other,) = stances(model, "the Moon has water ice", [one], Noted(), small_index.encoder)
    assert found.stand == stand
    assert other.stand == "silent"


def test_a_verdict_is_no_more_supported_than_its_quotations() -> None:
    quote = "We find no sign that the jet suppresses star formation."
    found = [
        Stance(1, "supports", quote, 1),
        Stance(2, "supports", "jets suppress star formation here", 2),
    ]
    wrong = verdict_sentence(found, "jets suppress star formation")
    assert not wrong.supported
    assert wrong.problems == (
        "paper [1] is read as supporting, but its quotation seems to say otherwise",
    )
    assert verdict_sentence(found[1:], "jets suppress star formation").supported


@pytest.mark.parametrize(
    "reply", ["", "all of them agree!", '{"text": "supports"}', "supports\n" * 40]
)
def test_replies_that_say_nothing_give_no_verdict(small_index: Index, reply: str) -> None:
    papers = [hit.paper for hit in ask(small_index, QUESTION, offline=True).papers]
    with LLMServer([Reply(reply)]) as server:
        found = stances(LLM(server.config()), QUESTION, papers, Noted())
    assert {stance.stand for stance in found} == {"silent"}
    assert verdict(found).balance is None


def test_without_a_model_there_is_no_verdict_and_that_is_said(small_index: Index) -> None:
    answer = ask(small_index, QUESTION, offline=True)
    assert answer.sentences
    assert any("A verdict needs a language model" in note for note in answer.degraded)


def test_the_statement_is_made_of_the_question_shown_and_corrected(small_index: Index) -> None:
    with LLMServer([Reply("")]) as server:
        model = LLM(server.config())
        made = ask(small_index, "Do jets suppress star formation?", llm=model)
        own = ask(
            small_index, "jets and star formation", llm=model, statement="Jets quench nothing"
        )
        judged = [b["messages"][1]["content"] for b in server.requests]
    assert (made.statement, made.statement_by) == ("jets suppress star formation", "rules")
    assert (own.statement, own.statement_by, own.kind) == (
        "Jets quench nothing",
        "user",
        "consensus",
    )
    for statement in (made.statement, own.statement):
        assert any(f"STATEMENT\n{statement}\n" in user for user in judged)
    assert answer_row(made)["statement"] == {"text": made.statement, "by": "rules"}
    assert "Statement judged" not in answer_page(made), "nothing was judged"
    with pytest.raises(QueryError, match="statement is empty"):
        ask(small_index, "jets", statement=" ", offline=True)
