"""Which papers an answer is made from: near-duplicates and series. Run: pytest tests/retrieval/test_evidence.py"""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.build import build_index
from indexer.store import Index, open_index
from retrieval import ask, search
from retrieval.evidence import balanced
from retrieval.records import SearchResult, SearchSettings
from retrieval.rows import answer_row
from tests.encoders import HashEncoder
from tests.papers import AS_OF, PAPERS, write_jsonl

TEAM = ["Moss, A.", "Reed, J.", "Fern, K."]
SAME = (
    "We follow the rotation of warps in forty discs over five years and find that the warps precess by "
    "two degrees a year. Halos of dark matter that are flattened explain what is seen in most of them."
)
SERIES = {
    "I": "We present spectra of 300 warps in discs and describe how their rotation was measured at the telescope.",
    "II": "Models of halos are compared with the rotation of warps; those that are flattened fit best by far in discs.",
    "III": "Gas falls in along filaments and changes the rotation of warps. Two discs show it in their outer parts.",
    "IV": "Old stars in discs take no part in the rotation of warps, as colours and ages of 80 clusters tell us.",
}
ROWS = [
    {"arxiv_id": f"2401.1000{n}", "title": f"Warped discs {numeral}. Rotation of warps", "year": 2024, "abstract": text, "authors": TEAM}
    for n, (numeral, text) in enumerate(SERIES.items())
] + [
    {"arxiv_id": "2402.20001", "title": "Rotation of warps in forty discs", "abstract": SAME, "authors": ["Ode, P."], "year": 2024},
    {"arxiv_id": "2402.20002", "title": "The rotation of warps in forty discs: a summary for a meeting", "abstract": SAME.replace("over five years ", ""), "authors": ["Ode, P."], "year": 2024},
    {"bibcode": "2024ApJ...901....1N", "title": "Rotation of warps in the Galaxy", "abstract": "Warps of the Galaxy rotate, as Cepheids show.", "authors": ["Nim, S."], "year": 2024},
    {"bibcode": "2025ApJ...902....1N", "title": "Erratum: “Rotation of warps in the Galaxy”", "abstract": "A table of the paper on the rotation of warps had a wrong sign.", "authors": ["Nim, S."], "year": 2025},
    {"arxiv_id": "2403.30001", "title": "Rotation of warps in simulations of discs", "abstract": "Simulated warps in discs have a slow rotation.", "authors": ["Tarn, U."], "year": 2024},
]  # fmt: skip
QUERY = "rotation of warps in discs"


class AlikeEncoder(HashEncoder):
    """Gives all texts one vector, so that words alone say which are alike."""

    id = "alike"

    def encode(self, texts):  # type: ignore[no-untyped-def]
        return super().encode(["one"] * len(texts))


@pytest.fixture(scope="module")
def warps(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("warps")
    rows = [*ROWS, *PAPERS]
    source = write_jsonl(folder / "papers.jsonl", rows)
    build_index([str(source)], folder / "index", encoder=AlikeEncoder(), as_of=AS_OF)
    index = open_index(folder / "index")
    index.__dict__["encoder"] = AlikeEncoder()
    return index


def found_in(index: Index, query: str = QUERY, **options: object) -> SearchResult:
    settings = replace(SearchSettings(k=12, mode="lexical"), **options)  # type: ignore[arg-type]
    return search(index, query, settings)


def series(result: SearchResult) -> list[str]:
    return [h.paper.title for h in result.hits if h.paper.title.startswith("Warped")]


def test_a_series_makes_room_for_others_that_fit_as_well(warps: Index) -> None:
    found = found_in(warps)
    result = balanced(
        warps, replace(found, hits=tuple(replace(h, score=1.0) for h in found.hits)), 5
    )
    assert len(series(replace(found, hits=found.hits[:5]))) == 4
    assert len(series(result)) == 2
    assert [h.rank for h in result.hits] == sorted(h.rank for h in result.hits)
    because = {aside.hit.paper.title: aside.because for aside in result.set_aside}
    assert any(title.startswith("Warped") and why == "is by the team of" for title, why in because.items())  # fmt: skip


def test_a_series_is_read_where_nothing_else_comes_near(warps: Index) -> None:
    found = found_in(warps)
    hits = [
        replace(h, score=1.0 if h.paper.title.startswith("Warped") else 0.5) for h in found.hits
    ]
    ordered = tuple(sorted(hits, key=lambda h: -h.score))
    result = balanced(warps, replace(found, hits=ordered), 5)
    assert len(series(result)) == 4 and len(result.hits) == 5


def test_near_duplicates_and_errata_are_one_paper(warps: Index) -> None:
    result = balanced(warps, found_in(warps), 8)
    titles = [hit.paper.title for hit in result.hits]
    aside = {a.hit.paper.title: a for a in result.set_aside}
    warp_pair = {ROWS[4]["title"], ROWS[5]["title"]}
    galaxy_pair = {ROWS[6]["title"], ROWS[7]["title"]}
    for pair in (warp_pair, galaxy_pair):
        assert len(pair & set(titles)) == 1
        (left_out,) = pair & set(aside)
        assert aside[left_out].because == "says almost the same as"
        assert {warps.papers[aside[left_out].row].title, left_out} == pair


def test_who_asks_for_an_author_gets_the_author(warps: Index) -> None:
    result = balanced(warps, found_in(warps, f"{QUERY} by Moss"), 5)
    assert len(series(result)) == 4


def test_answers_are_balanced_unless_told_otherwise(warps: Index) -> None:
    settings = SearchSettings(mode="lexical")
    plain = ask(warps, QUERY, settings, offline=True, balance=False, n_papers=5)
    even = ask(warps, QUERY, settings, offline=True, n_papers=5)
    assert plain.search.set_aside == () and len(plain.papers) == len(even.papers) == 5
    assert even.search.settings.k == 5
    newest = ask(warps, QUERY, settings, offline=True, n_papers=5, kind="time-sensitive")
    for answer in (even, newest):  # numbers are those of the papers as they are read
        (twin,) = [row for row in answer_row(answer)["set_aside"] if "forty discs" in row["title"]]
        n = int(twin["because"].removeprefix("says almost the same as [").rstrip("]"))
        assert "forty discs" in answer.papers[n - 1].paper.title
