"""How well an index covers a question. Run: pytest tests/retrieval/test_coverage.py"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import commands
from indexer.encoder import ASTRO_ID
from indexer.store import Index, open_index
from retrieval import ask, search
from retrieval.coverage import CALIBRATION, Nearness, coverage
from retrieval.records import SearchSettings
from retrieval.rows import coverage_row

ENCODER = ASTRO_ID


def judged(meaning: float, words: float = 0.8, **changes: object) -> str | None:
    given = {
        "encoder": ENCODER,
        "n_papers": 5000,
        "named": {},
        "by_authors": False,
        "last_year": 2026,
        "since": None,
    }
    result = coverage(Nearness(meaning, words), **(given | changes))  # type: ignore[arg-type]
    return result.level if result else None


@pytest.mark.parametrize("encoder", sorted(CALIBRATION))
def test_the_level_rises_with_meaning_and_never_falls_with_words(encoder: str) -> None:
    of_meaning, of_words, constant = CALIBRATION[encoder]
    even = -(constant + 0.8 * of_words) / of_meaning
    levels = ("not", "thinly", "well", "well")
    for step, level in zip((-0.3, -0.02, 0.01, 0.3), levels, strict=True):
        assert judged(even + step, encoder=encoder) == level
    few, many = (judged(even - 0.01, words, encoder=encoder) for words in (0.0, 1.0))
    assert (few, many) == (("not", "well") if of_words else ("thinly", "thinly"))
    result = coverage(
        Nearness(even + 0.01, 0.8), encoder=encoder, n_papers=5000, named={}, by_authors=False, last_year=2026, since=None
    )  # fmt: skip
    assert result is not None
    assert result.probability == pytest.approx(1 / (1 + math.exp(-0.01 * of_meaning)))


def test_names_that_no_paper_bears_and_years_to_come_are_not_covered() -> None:
    assert judged(0.9, named={"NGC 88888": None}) == "not"
    assert judged(0.9, since=2027) == "not"
    assert judged(0.9, since=2026) == "well"


def test_what_names_its_object_or_author_is_covered_however_short() -> None:
    assert judged(0.3, 0.5) == "not"
    assert judged(0.3, 0.5, named={"Vesta": 0.8}) == "well"
    assert judged(0.3, 0.2, named={"Mars": 0.8}) == "not", "the other words are in no paper"
    assert judged(0.3, 0.5, named={"Vesta": 0.1}) == "thinly"
    assert judged(0.3, 0.5, named={"JWST": 0.0}) == "not"
    assert judged(0.3, 0.5, named={"NGC 88888": None, "NGC 1068": 0.8}) == "well"
    assert judged(0.3, 0.1, by_authors=True) == "well"


def test_a_term_alone_is_covered_where_several_of_the_best_papers_hold_it(
    starter_index: Path, small_index: Index
) -> None:
    index = open_index(starter_index)

    def term(text: str) -> bool:
        found = search(index, text).nearness
        assert found is not None
        return found.term

    assert term("black holes") and not term("black bread") and not term("zzzz")
    assert not term("what is the time?"), "a sentence, though one word of it counts"
    alone = search(small_index, "magnetar").nearness
    assert alone is not None and not alone.term, "one paper of twelve"
    assert judged(0.3, 0.9) == "not"
    result = coverage(
        Nearness(0.3, 1.0, term=True), encoder=ENCODER, n_papers=5000, named={}, by_authors=False, last_year=2026, since=None
    )  # fmt: skip
    assert result is not None and result.level == "well"


def test_it_is_not_judged_without_meaning_or_calibration(small_index: Index) -> None:
    assert judged(0.9, encoder="another") is None
    result = search(small_index, "jets and star formation", SearchSettings(mode="lexical"))
    assert (result.nearness, result.coverage) == (None, None)


def test_nearness_is_that_of_the_nearest_papers(small_index: Index) -> None:
    question = "jets and star formation in zzzz"
    result = search(small_index, question)
    assert result.nearness is not None
    cosines = small_index.vectors.astype(np.float32) @ small_index.encoder.encode([question])[0]
    assert result.nearness.meaning == pytest.approx(float(cosines.max()), abs=1e-5)
    n = len(small_index.papers)
    idf = {df: math.log(1 + (n - df + 0.5) / (df + 0.5)) for df in (0, 3)}
    held = small_index.lexical.words_held("jets zzzz", np.array([0, 5]))
    assert held == pytest.approx([idf[3] / (idf[3] + idf[0]), 0.0], abs=1e-6)


def test_answers_refuse_what_is_not_covered_and_say_why(small_index: Index) -> None:
    for question, reason in (
        ("sourdough bread recipe", "outside astronomy or outside this index"),
        ("star formation in NGC 88888", "names NGC 88888"),
        ("jets and star formation since 2040", "No paper passes the condition"),
    ):
        answer = ask(small_index, question)
        assert answer.refused
        assert reason in answer.reason
        assert answer.usage.calls == 0
    assert not ask(small_index, "jets and star formation").refused


def test_the_command_line_gives_it_as_json(small_index_dir: Path, small_index: Index) -> None:
    words = ["search", "sourdough bread recipe", "--index", str(small_index_dir), "--json", "-q"]
    done = CliRunner().invoke(commands(), words)
    row = json.loads(done.stdout.splitlines()[0])
    assert row["coverage"] == coverage_row(search(small_index, "sourdough bread recipe"))
    assert row["coverage"]["level"] == "not"
    assert "outside astronomy" in done.stderr
