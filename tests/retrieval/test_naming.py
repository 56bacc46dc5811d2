"""Planets in both spellings, and answers about other objects. Run: pytest tests/retrieval/test_naming.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from indexer.store import Index, open_index
from retrieval import ask, search
from retrieval.names import named_objects
from retrieval.records import SearchFilters, SearchSettings
from tests.papers import build_small_index

PAPERS: list[dict[str, Any]] = [
    {
        "arxiv_id": "1901.00001", "title": "Transits and radial velocities of WASP-901b", "year": 2019, "authors": ["Abel, A."],
        "abstract": "The transiting planet orbits every three days. We measure for WASP-901b a mass of 0.53 Jupiter masses.",
    },
    {
        "arxiv_id": "2401.00002", "title": "The mass of the hot Jupiter HD 909458 b", "year": 2024, "authors": ["Bell, B."],
        "abstract": "We determine the mass of the planet from radial velocities. HD 909458 b has a mass of 1.2 Jupiter masses.",
    },
    {
        "arxiv_id": "2402.00003", "title": "The mass of the hot Saturn GJ 9367 b", "year": 2024, "authors": ["Cole, C."],
        "abstract": "What is the mass of the planet? We find that the planet GJ 9367 b has a mass of 0.3 Jupiter masses.",
    },
    {
        "arxiv_id": "2403.00004", "title": "Mass and radius of the star WASP-902", "year": 2024, "authors": ["Dorn, D."],
        "abstract": "We find that the star WASP-902 has a mass of 1.1 solar masses. Its planets were not looked for here.",
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def planets(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder: Path = tmp_path_factory.mktemp("planets")
    return open_index(build_small_index(folder, PAPERS))


@pytest.mark.parametrize(
    ("text", "value", "among"),
    [
        ("the mass of HD 209458 b?", "HD 209458 b", {"HD 209458b", "HD 209458 b"}),
        ("the mass of HD 209458b?", "HD 209458 b", {"HD 209458b", "HD 209458 b"}),
        ("GJ 436 b is warm", "GJ 436 b", {"Gliese 436b", "GJ 436b"}),
        ("is Proxima b habitable", "Proxima Centauri b", {"GJ 551 b", "Proxima b"}),
        ("clouds of WASP-901b", "WASP-901 b", {"WASP-901b", "WASP-901 b"}),
        ("HD 209458 e.g. in transit", "HD 209458", {"HD 209458"}),
        ("SN 2011b faded", "SN 2011b", {"SN 2011b"}),
    ],
)
def test_a_planet_is_one_object_in_both_spellings(text: str, value: str, among: set[str]) -> None:
    (item,) = named_objects(text)
    assert item.value == value
    assert among <= set(item.names)


@pytest.mark.parametrize(("one", "other"), [("WASP-901 b", "WASP-901b"), ("HD 909458b", "HD 909458 b")])  # fmt: skip
def test_both_spellings_find_the_same_papers(planets: Index, one: str, other: str) -> None:
    found = [search(planets, f"What is the mass of {name}?") for name in (one, other)]
    assert [h.paper.id for h in found[0].hits] == [h.paper.id for h in found[1].hits]
    answers = [ask(planets, f"What is the mass of {name}?", offline=True) for name in (one, other)]
    for answer in answers:
        assert not answer.refused
        cited = answer.papers[answer.sentences[0].citations[0] - 1].paper
        assert other in cited.plain_title
        assert not any("names" in note for note in answer.degraded)


def test_an_answer_about_other_objects_says_so_first(planets: Index) -> None:
    settings = SearchSettings(filters=SearchFilters(since=2020))
    for name in ("WASP-901 b", "WASP-901b"):
        answer = ask(planets, f"What is the mass of {name}?", settings, offline=True)
        assert answer.sentences
        assert answer.degraded[0] == (
            "None of the papers read names WASP-901 b; what follows is about other objects."
        )


def test_a_paper_on_the_star_alone_is_no_paper_on_its_planet(planets: Index) -> None:
    answer = ask(planets, "What is the mass of WASP-902 b?", offline=True)
    assert answer.degraded[0] == (
        "None of the papers read names WASP-902 b, only its star; what follows may be about other objects."
    )
