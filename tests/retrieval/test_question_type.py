"""Kinds of questions, and those that are counted. Run: pytest tests/retrieval/test_question_type.py"""

from __future__ import annotations

import json

import pytest

from app.show import answer_page
from indexer.errors import QueryError
from indexer.store import Index
from retrieval import ask, load_index
from retrieval.llm import LLM
from retrieval.question_type import INSTRUCTIONS, TYPES, route
from retrieval.records import SearchFilters, SearchSettings
from retrieval.rows import answer_row
from tests.llm_server import LLMServer, Reply, sentence
from tests.papers import build_small_index

QUESTIONS = [
    ("What is the mass of the black hole in M87?", "fact"),
    ("How far away is the Large Magellanic Cloud?", "fact"),
    ("When was the first fast radio burst found?", "fact"),
    ("How do jets heat the gas of clusters?", "papers"),
    ("Why do quasars change their look?", "papers"),
    ("Which mechanisms form hot Jupiters?", "papers"),
    ("Summarise what JWST has found about early galaxies", "summary"),
    ("What do we know about the atmosphere of TRAPPIST-1 e?", "summary"),
    ("Give me an overview of stellar streams", "summary"),
    ("What is a kilonova?", "definition"),
    ("What are little red dots?", "definition"),
    ("What does FWHM mean?", "definition"),
    ("Is there a consensus on the Hubble tension?", "consensus"),
    ("Is dark energy evolving?", "consensus"),
    ("Do magnetars cause all fast radio bursts?", "consensus"),
    ("What if dark matter were warm?", "what-if"),
    ("If the Sun lost half its mass, would Earth escape?", "what-if"),
    ("What would happen to the disc if the wind stopped?", "what-if"),
    ("How many papers on fast radio bursts per year?", "bibliometric"),
    ("most cited papers on dark energy", "bibliometric"),
    ("Who works on exomoons?", "bibliometric"),
    ("Compare the metallicity of M31 and the Milky Way", "compositional"),
    ("What powers little red dots and how do they evolve?", "compositional"),
    ("What is the difference between type Ia and type II supernovae?", "compositional"),
    ("What are the latest results on phosphine on Venus?", "time-sensitive"),
    ("Recent limits on primordial black holes", "time-sensitive"),
    ("What is the current value of the Hubble constant?", "time-sensitive"),
]


@pytest.mark.parametrize(("question", "kind"), QUESTIONS)
def test_rules_tell_the_kind(question: str, kind: str) -> None:
    assert (route(question).kind, route(question).by) == (kind, "rules")


def test_every_kind_has_its_instructions_and_examples() -> None:
    assert set(INSTRUCTIONS) == set(TYPES) == {kind for _, kind in QUESTIONS}
    assert len({told.task for told in INSTRUCTIONS.values()}) == len(TYPES)


def test_the_model_is_asked_only_where_rules_are_unsure_and_the_user_has_the_last_word() -> None:
    with LLMServer([Reply('{"type": "summary"}')]) as server:
        model = LLM(server.config())
        assert route("exomoons", model=model).kind == "summary"
        assert route("Why do quasars vary?", model=model).by == "rules"
        assert route("exomoons", asked_for="fact", model=model).by == "user"
    assert len(server.requests) == 1
    for reply in (Reply("no JSON"), Reply('{"type": "poem"}'), Reply(status=500)):
        with LLMServer([reply]) as server:
            assert route("exomoons", model=LLM(server.config())).by == "default"
    with pytest.raises(QueryError, match="type is 'poem'"):
        route("exomoons", asked_for="poem")


def test_the_kind_is_told_to_the_model_and_to_the_reader(small_index: Index) -> None:
    said = sentence("Jets suppress it.", (1, "not there at all"))
    with LLMServer([Reply(said)]) as server:
        answer = ask(
            small_index,
            "How do jets suppress star formation?",
            llm=LLM(server.config()),
            kind="consensus",
        )
    system = server.requests[0]["messages"][0]["content"]
    assert INSTRUCTIONS["consensus"].task in system
    assert INSTRUCTIONS["consensus"].length in system
    assert answer_row(answer)["type"] == {"name": "consensus", "by": "user"}


ROWS = [
    {"title": f"Exomoons {i}", "abstract": "We look for an exomoon.", "year": year, "citation_count": cites, "arxiv_id": f"2{i:03d}.00001",
     "authors": ["Riess, Adam G." if i % 2 else "Riess, A.", "Moon, Ana"][: 1 + (i == 0)]}
    for i, (year, cites) in enumerate([(2020, 5), (2022, 50), (2022, None), (2023, 7)])
] + [{"title": "Moons of Saturn", "abstract": "Not about other stars.", "year": 2022, "arxiv_id": "2999.00001", "authors": ["Else, E."]}]  # fmt: skip


@pytest.fixture(scope="module")
def counted_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return load_index(build_small_index(tmp_path_factory.mktemp("counted"), ROWS))


def test_papers_a_year_are_counted(counted_index: Index) -> None:
    with LLMServer([Reply("x")]) as server:
        answer = ask(
            counted_index, "How many papers on exomoons per year?", llm=LLM(server.config())
        )
    assert server.requests == []
    assert answer.mode == "computed"
    assert not answer.refused
    (table,) = answer.tables
    assert [row[:2] for row in table.rows] == [(2020, 1), (2021, 0), (2022, 2), (2023, 1)]
    assert answer.text.startswith("4 of the 5 papers in this index name “exomoons”")
    assert "Most are of 2022: 2." in answer.text
    assert "ui.adsabs.harvard.edu" in table.url
    assert "exomoons" in table.url
    assert "2022  2" in answer_page(answer)
    assert json.dumps(answer_row(answer)["tables"])


def test_filters_hold_for_counts(counted_index: Index) -> None:
    settings = SearchSettings(filters=SearchFilters(since=2022))
    answer = ask(counted_index, "How many papers on exomoons per year?", settings)
    assert sum(row[1] for row in answer.tables[0].rows) == 3
    assert "2022-2100" in answer.tables[0].url
    asked = ask(counted_index, "How many papers on exomoons since 2023?")
    assert sum(row[1] for row in asked.tables[0].rows) == 1


def test_the_most_cited_come_first_and_unknown_counts_are_not_zero(counted_index: Index) -> None:
    answer = ask(counted_index, "most cited papers on exomoons")
    assert [row[3] for row in answer.tables[0].rows] == [50, 7, 5]
    assert "the citations of 3 are known" in answer.text
    assert answer.papers[0].paper.citation_count == 50
    assert answer.sentences[1].citations == (1,)


def test_authors_are_counted_by_family_name_and_initial(counted_index: Index) -> None:
    answer = ask(counted_index, "Who works on exomoons?")
    assert [row[:3] for row in answer.tables[0].rows] == [
        ("Riess, Adam G.", 4, 4),
        ("Moon, Ana", 1, 0),
    ]


def test_a_subject_of_no_paper_is_counted_as_none(counted_index: Index) -> None:
    answer = ask(counted_index, "How many papers on quarks per year?")
    assert answer.text.startswith("0 of the 5")
    assert answer.tables[0].rows == ()
    assert answer_page(answer)


def test_the_newest_papers_are_read_first_where_time_matters(small_index: Index) -> None:
    with LLMServer([Reply("")]) as server:
        answer = ask(
            small_index,
            "What are the latest results on jets and star formation in galaxies?",
            llm=LLM(server.config()),
        )
    years = [hit.paper.decimal_year or 0 for hit in answer.papers]
    assert answer.kind == "time-sensitive"
    assert years == sorted(years, reverse=True)
    assert len(set(years)) > 3
    prompt = server.requests[0]["messages"][1]["content"]
    places = [prompt.index(hit.paper.plain_title) for hit in answer.papers]
    assert places == sorted(places), "and so the model reads them"
