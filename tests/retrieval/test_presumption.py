"""Statements made of questions, and what questions take for granted. Run: pytest tests/retrieval/test_presumption.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.show import answer_page
from indexer.store import Index
from retrieval import ask, search
from retrieval.llm import LLM
from retrieval.presumption import calmed, presumption
from retrieval.rows import answer_row
from retrieval.statement import as_statement, declared, unasked
from retrieval.understand import understand
from tests.llm_server import LLMServer, Reply

DATA = Path(__file__).resolve().parents[2] / "eval" / "data"


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        ("Is dark energy evolving?", "dark energy is evolving"),
        ("Does dark matter interact with itself?", "dark matter interacts with itself"),
        ("Do AGN jets suppress star formation?", "AGN jets suppress star formation"),
        ("Has the Hubble tension been resolved?", "the Hubble tension has been resolved"),
        ("Can primordial black holes be dark matter?", "primordial black holes can be dark matter"),
        ("Are the rings of discs made by forming planets?", "the rings of discs are made by forming planets"),
        ("Is there a ninth planet?", "there is a ninth planet"),
        ("Is it true that Sgr A* spins fast?", "Sgr A* spins fast"),
        ("Could you tell me whether dark energy changes with time?", "dark energy changes with time"),
        ("Why do quasars vary?", None),
        ("Is there a consensus on the Hubble tension?", None),
        ("Are Type Ia supernovae standard candles?", None),
        ("What is a kilonova? Is it bright?", None),
        ("little red dots", None),
    ],
)  # fmt: skip
def test_rules_turn_plain_questions_and_leave_the_others(question: str, statement: str) -> None:
    assert declared(question) == statement


@pytest.mark.parametrize(
    ("said", "by"),
    [
        ("Type Ia supernovae are standard candles.", "model"),
        ("Type Ia supernovae come from white dwarfs in binaries and are bright.", "question"),
        ("Type Ia supernovae are standard candles to 5%", "question"),
        ("Are they?", "question"),
        ("", "question"),
    ],
)
def test_a_model_is_asked_where_rules_are_unsure_and_may_add_nothing(said: str, by: str) -> None:
    question = "Are Type Ia supernovae standard candles?"
    with LLMServer([Reply(said)]) as server:
        model = LLM(server.config())
        made = as_statement(question, model)
        assert as_statement("Is dark energy evolving?", model).by == "rules"
    assert made.by == by
    assert made.text == (said.rstrip(".") if by == "model" else question)
    assert len(server.requests) == 1
    with LLMServer([Reply(status=401)]) as server:
        assert as_statement(question, LLM(server.config())).by == "question"


@pytest.mark.parametrize(
    ("question", "taken"),
    [
        ("Since all fast radio bursts come from magnetars, which make them?", "all fast radio bursts come from magnetars"),
        ("Isn't it obvious that magnetars cause every burst?", "magnetars cause every burst"),
        ("Everyone knows that dark energy is constant, so why do some doubt it?", "dark energy is constant"),
        ("Dark energy is constant, right?", "Dark energy is constant"),
        ("LIGO has shown that dark matter is made of black holes, hasn't it?", "dark matter is made of black holes"),
        ("Isn't dark energy evolving?", "dark energy is evolving"),
        ("Why are black holes the only reason for quenching?", "black holes are the only reason for quenching"),
        ("Since the launch of JWST, how many galaxies were found?", None),
        ("Since when do we know that Pluto is not a planet, and why?", None),
        ("What is the mass of a star, right?", None),
        ("In what year was Pluto found, right?", None),
        ("Why is the Hubble constant 45 km/s/Mpc?", "the Hubble constant is 45 km/s/Mpc"),
        ("Why is the universe 13.8 billion years old?", "the universe is 13.8 billion years old"),
        ("Why is NGC 1068 so bright?", None),
        ("Why is the region within 10 Mpc so empty?", None),
        ("little red dots since 2022", None),
        ("As galaxies collide, is star formation higher?", None),
        ("Why do quasars vary?", None),
        ("Is dark energy evolving?", None),
        ("HI intensity mapping foregrounds", None),
    ],
)  # fmt: skip
def test_what_a_question_takes_for_granted(question: str, taken: str | None) -> None:
    found = presumption(question)
    assert (found.text if found else None) == taken


def test_ordinary_questions_presume_nothing_and_lose_no_word() -> None:
    for name in ("questions_single_dev", "topics_dev", "temporal", "aliases"):
        for line in (DATA / f"{name}.jsonl").read_text().splitlines():
            question = json.loads(line)["question"]
            assert presumption(question) is None, question
            assert calmed(question) == question


def test_politeness_and_leading_words_are_not_searched_for(small_index: Index) -> None:
    plain = search(small_index, "jets heat the halo gas?")
    for question in (
        "Could you please tell me whether jets heat the halo gas?",
        "Isn't it obvious that jets heat the halo gas?",
        "I would like to know if jets heat the halo gas?",
    ):
        asked = search(small_index, question)
        assert asked.query == question, "shown as it was asked"
        assert [h.paper.id for h in asked.hits] == [h.paper.id for h in plain.hits]
    pasted = "Please " + "word " * 60
    assert understand(pasted, this_year=2026).text == pasted.strip()
    assert unasked("Please") == "Please"


def test_the_reader_is_told_first_what_the_papers_do_not_state(small_index: Index) -> None:
    question = "Since all fast radio bursts come from magnetars, which ones make them?"
    answer = ask(small_index, question, offline=True)
    assert answer.presumed is not None
    assert answer.presumed.quote == "Magnetar birth rates are too low for all fast radio bursts."
    told = "The question takes for granted that all fast radio bursts come from magnetars. Judge"
    assert " ".join(answer_page(answer).split()).startswith(told)
    assert answer_row(answer)["presumed"]["quote"] == answer.presumed.quote
    ranks = [hit.rank for hit in answer.papers]
    assert ranks == sorted(ranks) and len(set(ranks)) == len(ranks)


def test_the_passage_nearest_to_it_is_shown_to_be_judged(small_index: Index) -> None:
    question = "Since clouds hide molecular features in exoplanet atmospheres, how common are they?"
    told = ask(small_index, question, offline=True)
    assert told.presumed is not None and told.presumed.n
    assert told.presumed.quote in told.papers[told.presumed.n - 1].paper.plain_abstract
    assert "Judge it first" in told.presumed.told and told.presumed.quote in told.presumed.told
    other = "Since tea leaves cloud the mirrors of telescopes above water, how do exoplanets look?"
    unsaid = ask(small_index, other, offline=True, kind="papers").presumed
    assert unsaid is None or "No passage of the papers read says so" in unsaid.told
    assert ask(small_index, "How common are clouds?", offline=True).presumed is None
