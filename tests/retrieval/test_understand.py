"""What a question says besides its words. Run: pytest tests/retrieval/test_understand.py"""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import QueryError, SourceError
from indexer.store import Index
from retrieval import ask, search
from retrieval.ranking import KEYWORD_WEIGHTS
from retrieval.records import SearchFilters, SearchSettings
from retrieval.search import NAMED_WEIGHTS, RECENT_WEIGHT
from retrieval.tables import Named, NameTable, facilities, objects
from retrieval.understand import understand

AUTHORS = {"Riess", "Adam Riess", "Greene", "Weinberg"}


def items(query: str) -> list[str]:
    return [
        i.label for i in understand(query, this_year=2026, is_author=AUTHORS.__contains__).items
    ]


@pytest.mark.parametrize(
    ("query", "labels", "text"),
    [
        ("little red dots since 2022", ["since 2022"], "little red dots"),
        ("high-redshift galaxies before JWST", ["before JWST (2022)"], "high-redshift galaxies"),
        (
            "post-Planck constraints on inflation",
            ["since Planck (2009)"],
            "constraints on inflation",
        ),
        ("exoplanet atmospheres in the last five years", ["since 2021"], "exoplanet atmospheres"),
        ("papers from 2018 to 2020 on FRBs", ["2018 to 2020"], "on FRBs"),
        ("papers in the 1990s on MACHOs", ["1990 to 1999"], "on MACHOs"),
        ("author:Riess year:2016-2022 Cepheids", ["author Riess", "2016 to 2022"], "Cepheids"),
        ("year:2020- quasars", ["since 2020"], "quasars"),
        ("^Weinberg dark energy", ["first author Weinberg"], "dark energy"),
        ('title:"little red dots" galaxies', ["title little red dots"], "galaxies"),
        ("Hubble constant by Riess", ["author Riess"], "Hubble constant"),
        ("what did Greene et al. 2024 find", ["author Greene", "2024"], "what did find"),
        ("SH0ES papers by Adam Riess", ["author Adam Riess"], "SH0ES"),
        ("supernovae in the last couple of years", ["since 2024"], "supernovae"),
        ("the cold spot, articles from 2013 or later", ["since 2013"], "the cold spot, articles"),
        ("MACHOs since the 1990s", ["since 1990"], "MACHOs"),
        ("FRBs since 2020 or so", ["since 2020"], "FRBs"),
        ("a 2021 study of magnetars", ["2021"], "of magnetars"),
        ("arXiv:2401.00001v2", ["paper 2401.00001"], ""),
        ("arxiv.org/abs/2401.00001v2", ["paper 2401.00001"], ""),
        ("https://arxiv.org/abs/astro-ph/0612345 more", ["paper astro-ph/0612345"], "more"),
        (
            "https://ui.adsabs.harvard.edu/abs/2019ApJ...875L...1E/abstract",
            ["paper 2019ApJ...875L...1E"],
            "",
        ),
        ("doi:10.3847/2041-8213/ab0ec7", ["paper 10.3847/2041-8213/ab0ec7"], ""),
    ],
)
def test_conditions_are_taken_out_of_the_words(query: str, labels: list[str], text: str) -> None:
    meant = understand(query, this_year=2026, is_author=AUTHORS.__contains__)
    assert [i.label for i in meant.items] == labels
    assert meant.text == text


@pytest.mark.parametrize(
    "query",
    [
        "radiative transfer in discs", "evolution of the Sun in the last billion years", "galaxies at z = 2020", "star formation in the last 5 Gyr",
        "light curve from 2010 to 2015", "variability over the last 11 years of data", "ionised by Lyman photons", "a fast survey with swift results",
        "Keplerian discs", "the Hubble tension", "scattering by Compton electrons", "flare on 2017 September 6", "a 2020 km/s wind",
        "clusters before the second data release",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_condition_is_left_alone(query: str) -> None:
    assert items(query) == []


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("black hole mass in M31", ["M 31 (NGC 224)"]), ("the Andromeda galaxy's halo", ["M 31 (NGC 224)"]), ("NGC224 dust", ["M 31 (Andromeda galaxy)"]),
        ("the Galactic centre black hole", ["Sgr A* (Sagittarius A*)"]), ("flares of Sgr A*", ["Sgr A* (Galactic centre black hole)"]),
        ("James Webb spectra of TRAPPIST-1 e", ["TRAPPIST-1 e", "JWST"]), ("FAST discovers pulsars", ["FAST"]),
        ("VLT/MUSE maps", ["VLT", "MUSE"]), ("XTE J1550-564", ["XTE J1550-564"]), ("parallaxes before Gaia DR2", ["Gaia"]),
        ("winds of Vulcan-7b", ["Vulcan-7 b"]), ("dust in NGC 9999", ["NGC 9999"]), ("SN 2020abc light curve", ["SN 2020abc"]),
    ],
)  # fmt: skip
def test_objects_and_facilities_by_any_name(query: str, labels: list[str]) -> None:
    assert items(query) == labels


def test_what_was_taken_away_is_a_plain_word_again() -> None:
    meant = understand(
        "dots since 2022 in M31",
        this_year=2026,
        ignored=frozenset({"years:since 2022", "object:M 31 (NGC 224)"}),
    )
    assert (meant.text, meant.items) == ("dots since 2022 in M31", ())


def test_unknown_fields_and_years_that_are_none_are_noted() -> None:
    meant = understand("foo:bar galaxies year:soon", this_year=2026)
    assert "galaxies" in meant.text
    assert [("foo:" in n, "year:soon" in n) for n in meant.notes].count((True, False)) == 1
    assert any("year:soon is not a year" in n for n in meant.notes)


@pytest.mark.parametrize(
    "query",
    [
        'title:"unbalanced',
        "author: year: abs:",
        "a" * 20_000,
        "word " * 5000,
        "^",
        "((((",
        "since 9999",
        "什么是黑洞 since 2020",
        "NGC",
        "https://arxiv.org/abs/",
    ],
)
def test_odd_questions_are_taken_as_they_come(query: str) -> None:
    understand(query, this_year=2026)


def test_the_tables_hold_together() -> None:
    assert len(objects().entries) > 400
    assert len(facilities().entries) > 100
    for a, b in (
        ("M31", "NGC 224"),
        ("Messier 87", "Virgo A"),
        ("Crab Nebula", "M 1"),
        ("3C 84", "Perseus A"),
        ("30 Dor", "Tarantula Nebula"),
    ):
        assert objects().get(a) is objects().get(b) is not None
    own = NameTable([Named("Nessie", "cloud", ("Loch Ness filament",))])
    assert [m.entry.name for m in own.find("the Loch Ness filament, and Nessie")] == [
        "Nessie",
        "Nessie",
    ]


def test_the_users_own_objects_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mine.csv"
    monkeypatch.setenv("WAYFINDER_OBJECTS", str(table))

    def read(content: str) -> list[str]:
        table.write_text(content)
        objects.cache_clear()
        return items("mass of the Loch Ness filament")

    try:
        for mark in ("", "\ufeff"):  # a spreadsheet's mark of byte order
            assert read(f"{mark}name,kind,aliases\nNessie,cloud,Loch Ness filament\n") == ["Nessie"]
        for wrong in ("wrong,columns\n1,2\n", '{"a": 1}'):
            with pytest.raises(SourceError, match="needs the columns"):
                read(wrong)
    finally:
        objects.cache_clear()


def test_a_pasted_text_is_narrowed_by_fields_alone() -> None:
    text = (
        "Over the last five years surveys have changed the field, as reviewed by Riess in papers since 2019. "
        "We follow Greene et al. 2018 and model outflows before JWST, after 2401.00001, in forty more words "
        "about the halo and its gas and the stars that form in it when it cools again and again. author:Weinberg"
    )
    meant = understand(text, this_year=2026, is_author=AUTHORS.__contains__)
    assert [i.label for i in meant.items if i.effect != "boosts"] == ["author Weinberg"]
    assert "Greene et al. 2018" in meant.text


def test_references_are_no_conditions_and_unknown_authors_are_noted() -> None:
    assert items("winds of Greene et al. 2018 and Weinberg et al. 2017") == []
    assert items("H0 by Riess et al. (2016)") == ["author Riess", "2016"]
    assert items("Riess+2016 Cepheids") == ["author Riess", "2016"]
    assert items("Planck Collaboration et al. 2020 parameters") == ["Planck"]
    meant = understand("Nobody et al. 2020 lithium", this_year=2026)
    assert meant.items == ()
    assert "is by Nobody" in meant.notes[0]
    van = understand(
        "dust by van der Marel", this_year=2026, is_author={"van der Marel"}.__contains__
    )
    assert [i.label for i in van.items] == ["author van der Marel"]


@pytest.mark.parametrize(
    "query",
    [
        "period of 1187.2345 s", "JD 2450.1234 ephemeris", "wavelength 5006.8433 Angstrom", "flux 1234.56789 Jy",
        "SN 2 sigma", "GW 5 sigma", "ERIS imaging", "CERES survey", "which TOI 2024 planets",
    ],
)  # fmt: skip
def test_numbers_and_namesakes_are_no_identifiers(query: str) -> None:
    assert items(query) == []


@pytest.mark.parametrize(
    ("query", "note", "text"),
    [
        ("NOT author:Riess Cepheids", "was left out", "Cepheids"),
        ("-author:Riess Cepheids", "was left out", "Cepheids"),
        ("author:Riess OR author:Greene", "OR is not understood", ""),
        ("author:Riess AND Cepheids", None, "Cepheids"),
        ('author:"Riess Cepheids', "has no value", "Riess Cepheids"),
        ('title:"" Cepheids', "has no value", "Cepheids"),
        ("Object:M31 halo", "The field object:", "M31 halo"),
        ("year:2020-2010 Cepheids", "the first is after the last", "Cepheids"),
    ],
)
def test_what_cannot_be_read_is_noted(query: str, note: str | None, text: str) -> None:
    meant = understand(query, this_year=2026)
    assert meant.text == text
    assert (note is None and not meant.notes) or (note is not None and note in meant.notes[0])


def test_misspelt_names_are_put_right_and_can_be_left() -> None:
    def is_word(word: str) -> bool:
        return word in ("satellites", "galaxy", "dimming")

    meant = understand("Andromeada galaxy satellites", this_year=2026, is_word=is_word)
    assert (meant.text, [i.label for i in meant.items]) == (
        "Andromeda galaxy satellites",
        ["M 31 (for Andromeada)"],
    )
    left = understand(
        "Andromeada galaxy",
        this_year=2026,
        is_word=is_word,
        ignored=frozenset({meant.items[0].key}),
    )
    assert (left.text, left.items) == ("Andromeada galaxy", ())
    assert understand("Betelguese " * 1200, this_year=2026, is_word=is_word).items == ()


def found(index: Index, query: str, **settings: object) -> list[str]:
    return [hit.paper.id for hit in search(index, query, SearchSettings(k=12, **settings)).hits]  # type: ignore[arg-type]


def test_conditions_narrow_and_can_be_taken_away(small_index: Index) -> None:
    assert found(small_index, "Hubble constant before 2010")[0] == "2005ApJ...620..200L"
    assert set(found(small_index, "Hubble constant before 2010")) <= {
        "1871AN.....77..100P",
        "2005ApJ...620..200L",
    }
    assert set(found(small_index, "galaxies author:Almeida")) == {
        "2024ApJ...900....1A",
        "2023A&A...670...10G",
    }
    assert found(small_index, "^Gupta")[:1] == ["2023A&A...670...10G"]
    assert found(small_index, "^Almeida jets") == ["2024ApJ...900....1A"]
    assert found(small_index, "author:Almeida year:2023") == ["2023A&A...670...10G"]
    titled = {"2005ApJ...620..200L", "2506.00009"}
    assert set(found(small_index, 'title:"Hubble constant"')) == titled
    assert found(small_index, "title:stan") == [], "whole words, not pieces of them"
    assert found(small_index, "bibstem:Natur bursts") == ["2021Natur.590...50J"]
    assert set(found(small_index, "abs:magnetar bursts")) == {"2021Natur.590...50J", "2504.00007"}
    result = search(small_index, "Hubble constant before 2010", SearchSettings(k=12))
    (item,) = result.understood
    assert len(found(small_index, "Hubble constant before 2010", ignored=(item.key,))) > 2
    assert len(found(small_index, "Hubble constant before 2010", understand=False)) > 2


def test_a_paper_pointed_at_comes_first(small_index: Index) -> None:
    for pointer in (
        "arXiv:2504.00007",
        "https://arxiv.org/abs/2504.00007v3",
        "2504.00007 water on a warm Neptune",
    ):
        assert found(small_index, pointer, impact=1.0)[0] == "2504.00007"
    assert found(small_index, "10.1000/six")[:2] == ["2021Natur.590...50J", "2504.00007"]
    result = search(small_index, "arXiv:9901.00001 water on a warm Neptune")
    assert "9901.00001 is not in this index" in result.degraded[0]
    assert result.hits[0].paper.id == "2023A&A...670...10G"


def test_naming_the_object_counts(small_index: Index) -> None:
    settings = SearchSettings(rerank=False)
    hits = search(small_index, "distance of the Andromeda galaxy", settings).hits
    assert hits[0].paper.id == "2005ApJ...620..200L"
    assert hits[0].parts.named == 1.0
    assert {h.parts.named for h in hits[1:]} == {0.0}
    _, words = KEYWORD_WEIGHTS[small_index.manifest.encoder]
    for hit in hits:
        plain = (1 - words) * hit.parts.dense + words * hit.parts.lexical
        named = NAMED_WEIGHTS["object"] * hit.parts.named
        assert hit.score == pytest.approx((plain + named) / (1 + NAMED_WEIGHTS["object"]), abs=1e-6)


def test_a_paper_scores_for_any_name_of_the_object(small_index: Index) -> None:
    def words(name: str) -> list[float]:
        result = search(small_index, f"Cepheids in {name}", SearchSettings(k=12, mode="lexical"))
        return [hit.parts.lexical for hit in result.hits if hit.paper.id == "2005ApJ...620..200L"]

    assert words("NGC 224") == words("M31") == [1.0]
    scores = {
        name: search(small_index, f"distance of {name}", SearchSettings(mode="lexical"))
        .hits[0]
        .paper.id
        for name in ("NGC 224", "the Andromeda galaxy", "M 31")
    }
    assert set(scores.values()) == {"2005ApJ...620..200L"}


def test_asking_for_the_latest_moves_recent_papers_up(small_index: Index) -> None:
    latest = search(small_index, "latest measurements of the Hubble constant")
    assert [i.kind for i in latest.understood] == ["recent"]
    for hit in latest.hits:
        assert hit.score == pytest.approx(
            hit.parts.relevance + RECENT_WEIGHT * hit.parts.recency, abs=1e-6
        )


def test_conditions_without_words_list_the_newest_and_answers_ask_for_a_subject(
    small_index: Index,
) -> None:
    result = search(small_index, "since 2020", SearchSettings(k=12))
    dates = [hit.paper.decimal_year for hit in result.hits]
    assert dates == sorted(dates, reverse=True)
    assert "the newest papers come first" in result.degraded[0]
    answer = ask(small_index, "since 2020")
    assert answer.refused
    assert "no subject" in answer.reason


def test_a_paper_pointed_at_must_pass_the_filters_and_keeps_its_place(small_index: Index) -> None:
    old = SearchSettings(filters=SearchFilters(since=2020))
    result = search(small_index, "2005ApJ...620..200L", old)
    assert "2005ApJ...620..200L" not in {hit.paper.id for hit in result.hits}
    assert "does not pass the conditions" in result.degraded[0]
    named = ["2504.00007", "2023A&A...670...10G", "2402.00002"]
    assert found(small_index, " ".join(named))[:3] == named


def test_what_was_asked_for_and_not_done_is_said(small_index: Index) -> None:
    result = search(small_index, "fast bursts", SearchSettings(hyde=True, mode="lexical"))
    assert "HyDE was not done" in result.degraded[0]
    result = search(small_index, "bursts since 2020", SearchSettings(ignored=("years:nope",)))
    assert "years:nope cannot be taken away: understood are years:since 2020" in result.degraded[0]
    assert "9901.00001 is not in this index." in ask(small_index, "arXiv:9901.00001").reason
    with pytest.raises(QueryError, match="author is empty"):
        SearchFilters(author=" ")


def test_conditions_that_leave_nothing_say_which_to_drop(small_index: Index) -> None:
    result = search(
        small_index,
        "bursts since 2024 author:Lopez",
        SearchSettings(filters=SearchFilters(min_citations=1)),
    )
    assert result.hits == ()
    note = next(n for n in result.degraded if n.startswith("No paper passes"))
    assert "without “since 2024” 1 would" in note
    assert "without “author Lopez” 5 would" in note
    assert ask(small_index, "bursts since 2024 author:Lopez").reason.startswith("No paper passes")
