"""Values with errors and units in abstracts. Run: pytest tests/retrieval/test_values.py"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.show import POINTS_WIDTH, _points
from indexer.records import Paper
from indexer.store import Index
from retrieval import ask, search
from retrieval.records import Table
from retrieval.values import QUANTITIES, asked_quantity, values_in, values_table

BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What is the Hubble constant?", "H0"),
        ("Is there an S_8 tension?", "S8"),
        ("How massive is it, what is the mass of M87's black hole?", "mass"),
        ("What is the distance to the LMC?", "distance"),
        ("Why do jets form?", None),
        ("images of galaxies", None),
    ],
)
def test_questions_for_values_are_known(question: str, name: str | None) -> None:
    found = asked_quantity(question)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("H0", "We find $H_0 = 73.04 \\pm 1.04$ km s$^{-1}$ Mpc$^{-1}$.", [(73.04, 1.04, 1.04, "km")]),
        ("H0", "We find $H_0=73.2^{+1.3}_{-1.2}$ km/s/Mpc.", [(73.2, 1.2, 1.3, "km")]),
        ("H0", "The Hubble constant is 67.8 +/- 0.7 km/s/Mpc.", [(67.8, 0.7, 0.7, "km")]),
        ("H0", "We fit H0 with 1048 supernovae.", []),
        ("H0", "The tension in H0 is 5 sigma.", []),
        ("S8", "This gives $S_8 = 0.776 \\pm 0.017$.", [(0.776, 0.017, 0.017, "")]),
        ("S8", "We measure S8 from 1,000 square degrees.", []),
        ("S8", "S8 is lower than 0.9.", []),
        ("mass", "A black hole mass of 6.5 x 10^9 M$_\\odot$ is found.", [(6.5e9, None, None, "Msun")]),
        ("mass", "Masses of 10-20 solar masses are common.", []),
        ("distance", "It lies at a distance of 49.59 +/- 0.09 kpc.", [(49.59, 0.09, 0.09, "kpc")]),
        ("metallicity", "The metallicity is [Fe/H] = -1.06 +/- 0.10.", [(-1.06, 0.1, 0.1, "")]),
    ],
)  # fmt: skip
def test_values_are_read_with_errors_and_units(
    name: str, text: str, values: list[tuple[float, float | None, float | None, str]]
) -> None:
    found = values_in(Paper(title="T", abstract=text), BY_NAME[name])
    assert [(v.value, v.minus, v.plus, v.unit) for v in found] == [
        (v, m and pytest.approx(m), p and pytest.approx(p), u) for v, m, p, u in values
    ]
    assert all(v.quote for v in found)


def test_an_answer_to_a_question_for_values_has_their_table(small_index: Index) -> None:
    answer = ask(small_index, "What is the Hubble constant from the distance scale?", offline=True)
    (table,) = answer.tables
    assert {row[table.columns.index("whose")] for row in table.rows} == {"own"}
    assert [row[:6] for row in table.rows] == [
        (2005.5, "Lopez", 72.0, None, None, "km/s/Mpc"),
        (2025.44, "Müller & Novak", 67.8, 0.7, 0.7, "km/s/Mpc"),
    ]
    assert table.plot == ("date", "value")
    assert ask(small_index, "Why do jets form?", offline=True).tables == ()


@pytest.mark.parametrize(
    "question",
    ["What is metallicity?", "How does the mass of a star set its age?", "What is spin?"],
)
def test_values_of_whatever_papers_are_on_make_no_table(question: str, small_index: Index) -> None:
    texts = (
        "The mass is 5 Msun, the spin is 0.3.",
        "We find a mass of 7 Msun and a spin of 0.9; metallicity = -1.",
    )
    hits = tuple(
        replace(hit, paper=Paper(title="T", abstract=texts[i % 2]))
        for i, hit in enumerate(search(small_index, "jets").hits)
    )
    assert values_table(question, replace(search(small_index, question), hits=hits)) is None
    named = replace(search(small_index, "What is the mass of Sgr A*?"), hits=hits)
    in_title = tuple(replace(h, paper=replace(h.paper, title="Sgr A*")) for h in hits)
    assert values_table("What is the mass of Sgr A*?", replace(named, hits=in_title)) is not None


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("We find H0 = 73.04 +/- 1.04 km/s/Mpc.", [False]),
        ("This is in tension with Planck's H0 = 67.4 +/- 0.5 km/s/Mpc.", [True]),
        ("Planck Collaboration (2020) give H0 = 67.4 +/- 0.5 km/s/Mpc.", [True]),
        ("Compared with the Planck value, we obtain H0 = 73.2 km/s/Mpc.", [False]),
        ("We obtain H0 = 73.2 km/s/Mpc, in conflict with the Planck result of H0 = 67.4 km/s/Mpc.", [False, True]),
        ("Riess et al. reported H0 = 73.0 km/s/Mpc.", [True]),
        ("The Hubble constant is 67.8 +/- 0.7 km/s/Mpc.", [False]),
        ("We adopt H0 = 70 km/s/Mpc.", [True]),
    ],
)  # fmt: skip
def test_values_of_other_works_are_marked(text: str, repeated: list[bool]) -> None:
    found = values_in(Paper(title="T", abstract=text), BY_NAME["H0"])
    assert [value.repeated for value in found] == repeated


def test_the_command_line_draws_values_by_date_with_their_errors_on_one_scale() -> None:
    rows = ((2005.5, 72.0, None, None), (2025.4, 67.0, 1.0, 0.5), (None, 77.0, 1.0, None))
    table = Table("H0", ("date", "value", "minus", "plus"), rows, ("date", "value"), ("minus", "plus"))  # fmt: skip
    marks = _points(table, "value", "minus", "plus")
    assert [mark.index("●") for mark in marks] == [20, 0, POINTS_WIDTH - 1]
    assert [mark.count("─") for mark in marks] == [0, 2, 4]
