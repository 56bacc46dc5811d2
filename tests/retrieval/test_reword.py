"""What must survive when an answer is said again. Run: pytest tests/retrieval/test_reword.py"""

from __future__ import annotations

import json

import pytest

from indexer.store import Index
from retrieval import ask
from retrieval.language import is_in_another_language
from retrieval.llm import LLM
from retrieval.records import Sentence
from retrieval.reword import lost, turned
from retrieval.synthesis import AUDIENCES, AnswerStyle
from tests.llm_server import LLMServer, Reply, sentence

BEFORE = "JWST weighs the black hole of NGC 1068 at 6.5 ± 0.2 million solar masses, 770 kpc away, at [Fe/H] = -2.5."


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (BEFORE, None),
        ("Das JWST wiegt das Schwarze Loch von NGC 1068 zu 6.5 ± 0.2 million Sonnenmassen in 770 kpc bei [Fe/H] = -2.5.", None),
        (
            "Le JWST pèse le trou noir de NGC 1068 à 6,5 ± 0,2 million de masses solaires, à 770 kpc, [Fe/H] = -2,5.",
            None,
        ),
        ("Das JWST wiegt NGC 1068 zu 5,6 ± 0,2 million Sonnenmassen in 770 kpc bei [Fe/H] = -2,5.", "lost the number 6.5"),
        ("JWST 给出 NGC 1068 黑洞质量 6.5 ± 0.2 million 太阳质量，770 kpc，[Fe/H] = -2.5。", None),
        (BEFORE.replace("6.5", "5.6"), "lost the number 6.5"),
        (BEFORE.replace("770", "about 800"), "lost the number 770"),
        (BEFORE.replace("-2.5", "2.5"), "lost the number -2.5"),
        (BEFORE.replace("kpc", "Mpc"), "changed the unit of 770"),
        (BEFORE.replace(" ± 0.2", ""), "changed an uncertainty"),
        (BEFORE.replace("± 0.2", "to 0.2"), "changed an uncertainty"),
        (BEFORE.replace("NGC 1068", "NGC 1086"), "lost NGC 1068"),
        (BEFORE.replace("JWST", "HST"), "lost JWST"),
        (BEFORE + " It is 3 times brighter.", "added the number 3"),
        ("A telescope looked at a galaxy.", "lost NGC 1068"),
    ],
)  # fmt: skip
def test_numbers_units_errors_and_names_must_survive(after: str, problem: str | None) -> None:
    found = lost(BEFORE, after)
    if problem is None:
        assert found == []
    else:
        assert any(problem in item for item in found), found


QUOTE = "the star formation rate falls by a factor of 12.5"
WRITTEN = "The star formation rate falls by a factor of 12.5."


def said(index: Index, again: str, style: AnswerStyle):
    papers = ask(index, "How do jets suppress star formation?", offline=True).papers
    n = next(n for n, hit in enumerate(papers, 1) if hit.paper.arxiv_id == "2401.00001")
    with LLMServer([Reply(sentence(WRITTEN, (n, QUOTE))), Reply(again)]) as server:
        answer = ask(
            index, "How do jets suppress star formation?", llm=LLM(server.config()), style=style
        )
    return answer, server, n


@pytest.mark.parametrize("audience", [name for name in AUDIENCES if name != "astronomer"])
def test_each_reader_gets_the_checked_answer_said_again(small_index: Index, audience: str) -> None:
    again = json.dumps({"replaces": 1, "text": "Fewer stars are born: 12.5 times fewer."})
    answer, server, n = said(small_index, again, AnswerStyle(audience=audience))
    (only,) = answer.sentences
    assert only.supported
    assert only.text == "Fewer stars are born: 12.5 times fewer."
    assert only.citations == (n,)
    assert only.evidence[0].quote == QUOTE
    assert AUDIENCES[audience] in server.requests[1]["messages"][0]["content"]
    assert answer.usage.calls == 2


@pytest.mark.parametrize(
    ("again", "problem"),
    [
        (json.dumps({"replaces": 1, "text": "Es entstehen 12-mal weniger Sterne."}), "lost the number 12.5"),
        (json.dumps({"replaces": 7, "text": "Etwas anderes."}), "did not say it again"),
        ("kein JSON", "did not say it again"),
    ],
)  # fmt: skip
def test_what_does_not_survive_is_marked(small_index: Index, again: str, problem: str) -> None:
    answer, _, _ = said(small_index, again, AnswerStyle(language="German"))
    (only,) = answer.sentences
    assert not only.supported
    assert any(problem in item for item in only.problems)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("Jets do not quench star formation.", "Jets do not stop stars from being born.", ""),
        ("Jets do not quench star formation.", "Jets do not keep new stars from being born.", ""),
        ("Jets quench star formation.", "Jets stop new stars from being born.", ""),
        ("The Hubble constant is 73.04 km/s/Mpc from Cepheids.", "The Cepheid stars tell us that space stretches at 73.04 km/s/Mpc, which is called the Hubble constant.", ""),
        ("Little red dots are compact sources that may host accreting black holes.", "Little red dots are tiny, bright spots far away that may hide hungry black holes.", ""),
        ("Dust in the torus obscures the broad line region of type 2 quasars.", "A thick ring of dust hides the fast-moving gas near the black hole, like a curtain in front of a lamp.", ""),
        ("No evidence for a fourth planet was found in the system.", "Astronomers looked for a fourth planet in the system but did not find one.", ""),
        ("Stellar winds enrich the intracluster medium with metals.", "Winds from stars sprinkle heavier elements, such as iron, into the hot gas between galaxies.", ""),
        ("Dark matter halos are cuspy in simulations.", "In computer models, clumps of invisible matter are very crowded in the middle.", ""),
        ("The gas cools and forms stars.", "When gas gets cold, it clumps together and new stars switch on.", ""),
        ("Jets do not quench star formation.", "Jets stop stars from being born, and aliens may live on Mars.", "Mars was added"),
        ("Jets do not quench star formation.", "Jets stop stars from being born.", "says otherwise"),
        ("Jets heat the gas.", "Jets warm the gas, and the moon is made of green cheese.", "rewording added “the moon is made"),
        ("Cold gas fuels star formation.", "Stars are hot, and elephants eat grass in the savannah.", "rewording added “elephants"),
        ("Jets heat some of the gas.", "Jets heat all of the gas.", "it says “all”"),
    ],
)  # fmt: skip
def test_in_english_the_meaning_must_survive_too(
    small_index: Index, before: str, after: str, problem: str
) -> None:
    found = turned(Sentence(before, (1,), (), supported=True), after, small_index.encoder)
    assert any(problem in one for one in found) if problem else not found, found


def test_a_flipped_claim_for_a_child_is_marked_and_another_language_says_what_was_not_checked(
    small_index: Index,
) -> None:
    again = json.dumps(
        {
            "replaces": 1,
            "text": "The star formation rate rises 12.5 times, and aliens may live on Mars.",
        }
    )
    answer, _, _ = said(small_index, again, AnswerStyle(audience="child"))
    (only,) = answer.sentences
    assert not only.supported
    assert any("Mars" in problem for problem in only.problems)
    german, _, _ = said(
        small_index, json.dumps({"replaces": 1, "text": GERMAN}), AnswerStyle(language="German")
    )
    assert [n for n in german.degraded if "the meaning stayed the same was not" in n] == list(
        german.degraded
    )


@pytest.mark.parametrize(
    ("text", "language", "another"),
    [
        ("The star formation rate falls by a factor of 12.5 in NGC 1068.", "English", False),
        ("Le taux de formation stellaire chute d'un facteur 12,5 dans NGC 1068.", "English", True),
        (
            "Le taux de formation stellaire chute d'un facteur 12,5 dans NGC 1068.",
            "français",
            False,
        ),
        ("The star formation rate falls by a factor of 12.5 in NGC 1068.", "German", True),
        ("恒星形成率下降了12.5倍，这是由喷流造成的。", "Chinese", False),
        ("恒星形成率下降了12.5倍，这是由喷流造成的。", "English", True),
        ("NGC 1068, 12.5 kpc.", "English", False),
        ("The star formation rate falls by a factor of 12.5.", "Klingon", False),
    ],
)
def test_another_language_is_seen(text: str, language: str, another: bool) -> None:
    assert is_in_another_language([text], language) is another


FRENCH = "Le taux de formation stellaire chute d'un facteur 12,5 selon les auteurs."
GERMAN = "Die Sternentstehungsrate sinkt um den Faktor 12,5 nach Angabe der Autoren."


def test_an_answer_that_stays_in_the_wrong_language_is_asked_for_twice_and_marked(
    small_index: Index,
) -> None:
    wrong = json.dumps({"replaces": 1, "text": FRENCH})
    answer, server, _ = said(small_index, wrong, AnswerStyle(language="German"))
    assert "it is not in German" in answer.sentences[0].problems
    assert any("did not write in German" in note for note in answer.degraded)
    assert len(server.requests) == 3
    assert "last reply was not in German" in server.requests[2]["messages"][0]["content"]
    assert answer.usage.calls == 3


def test_french_where_english_was_asked_for_is_said_again_and_checked(small_index: Index) -> None:
    papers = ask(small_index, "How do jets suppress star formation?", offline=True).papers
    n = next(n for n, hit in enumerate(papers, 1) if hit.paper.arxiv_id == "2401.00001")
    english = json.dumps({"replaces": 1, "text": WRITTEN})
    with LLMServer([Reply(sentence(FRENCH, (n, QUOTE))), Reply(english)]) as server:
        answer = ask(small_index, "How do jets suppress star formation?", llm=LLM(server.config()))
    (only,) = answer.sentences
    assert (only.text, only.supported, only.citations) == (WRITTEN, True, (n,))
    assert answer.degraded == ()


def test_a_german_answer_keeps_its_decimal_commas(small_index: Index) -> None:
    answer, _, _ = said(
        small_index, json.dumps({"replaces": 1, "text": GERMAN}), AnswerStyle(language="German")
    )
    assert answer.sentences[0].supported
    assert answer.sentences[0].text == GERMAN
