"""Checks of sentences against papers. Run: pytest tests/retrieval/test_verify.py"""

from __future__ import annotations

import pytest

from indexer.records import Paper
from indexer.sentences import split_sentences
from retrieval.notation import numbers_in
from retrieval.quantities import quantity_problems
from retrieval.verify import Draft, check_sentence, stands_in

PAPER = Paper(
    title="The H$\\alpha$ luminosity of NGC 1068",
    abstract="We measure a flux of $3.2\\times10^{-14}$ erg/s at 20-55 degrees. The mass is 1,204 M$_\\odot$ with a "
    "signal-\nto-noise of 5.0. No wind is seen in M31.",
    authors=("Muñoz, A.", "Li, B."),
    year=2021,
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("the mass is 1,204 M_⊙ with", True),
        ("The  mass is 1,204 M$_{\\odot}$ with a signal-to-noise", True),
        ("signal to noise of 5.0", True),
        ("a flux of 3.2×10^-14 erg/s", True),
        ("The Hα luminosity of NGC 1068", True),
        ("the mass is 1,205 M_⊙ with", False),
        ("a wind is seen in M31", False),
        ("The mass is 1,20", False),  # the beginning of a number is another number
        ("No wind is seen in M3", False),
        ("a flux of 3.2×10^14 erg/s", False),
        ("a flux of 3.2 × 10⁻¹⁴ erg/s", True),
        ("the hα luminosity of NGC 106", False),
        ("No wind", False),  # too short to be evidence
        ("", False),
    ],
)
def test_quotations_stand_in_the_paper_or_not(quote: str, found: bool) -> None:
    assert stands_in(quote, PAPER) is found


FINAL = (
    "We find H0=71+/-2 (random)+/-6 (systematic) km/s/Mpc from Type Ia supernovae, 71+/-3 (random)+/-7 (systematic) "
    "from the Tully-Fisher relation and 70+/-5 (random)+/-6 (systematic) from surface brightness fluctuations."
)


@pytest.mark.parametrize(
    ("text", "exchanged"),
    [
        (FINAL, False),
        (FINAL.replace("We find ", ""), False),
        ("The mass is 6 suns within the bulge and 7 suns within the halo.", True),
    ],
)
def test_a_verbatim_sentence_exchanges_no_numbers(text: str, exchanged: bool) -> None:
    quotes = [FINAL, "The mass is 7 suns within the bulge and 6 suns within the halo."]
    found = [p for p in quantity_problems(text, quotes) if "changed places" in p]
    assert bool(found) is exchanged


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("67.8 ± 0.7 km/s/Mpc", {"67.8", "0.7"}),
        ("1,204 galaxies at z = 10", {"1204", "10"}),
        ("between 20-55 degrees", {"20", "55"}),
        ("5.0 and 5", {"5"}),
        ("M31, NGC 1068, GW170817, K2-18b, 3C 273", set()),
        ("about 30% of redshift 10 galaxies", {"30", "10"}),
        ("[Fe/H] = −2.5 from −20 to -10", {"-2.5", "-20", "-10"}),
        ("3 x 10^6, 3e6 and 3 million are 3,000,000", {"3000000"}),
        ("10^-33 and 1e-33 but not 10^33", {"1E-33", "1E+33"}),
        ("0.55 +/- 0.08 erg s^-1 cm-2", {"0.55", "0.08"}),
    ],
)
def test_numbers_are_found_and_designations_are_not(text: str, numbers: set[str]) -> None:
    assert numbers_in(text) == numbers


def checked(text: str, quote: str) -> tuple[str, ...]:
    return check_sentence(Draft(text, (1,), ((1, quote),)), [PAPER]).problems


def test_a_sentence_with_true_quotation_and_numbers_is_supported() -> None:
    quote = "The mass is 1,204 M$_\\odot$ with a signal-to-noise of 5.0"
    sentence = check_sentence(
        Draft("Muñoz and Li (2021) weigh NGC 1068 at 1204 suns.", (1, 1), ((1, quote),)), [PAPER]
    )
    assert sentence.supported
    assert sentence.citations == (1,)
    assert sentence.text_with_citations().endswith("suns. [1]")


def test_numbers_names_and_objects_must_agree() -> None:
    quote = "The mass is 1,204 M$_\\odot$ with"
    assert checked("It weighs 1205 suns.", quote) == (
        "the number 1205 is not in the quoted evidence",
    )
    assert checked("Smith & Li (2021) weigh it.", quote) == (
        "Smith 2021 is not among the papers it cites",
    )
    assert checked("Muñoz et al. (2019) weigh it.", quote) == (
        "Muñoz 2019 is not among the papers it cites",
    )
    assert checked("NGC 1069 is heavy.", quote) == ("NGC 1069 is not in the papers it cites",)
    assert checked("M31 is heavy.", quote) == ()


METALS = Paper(
    title="Metals",
    abstract="The mean [Fe/H] is -2.5 dex in two fields of M 31. It has 10^-33 g cm^-3 as Doe et al. (2003) say.",
    authors=("Roe, R.",),
    year=2024,
)


@pytest.mark.parametrize(
    ("text", "quote", "problems"),
    [
        ("It is -2.5 dex in 2 fields of M31.", "[Fe/H] is -2.5 dex in two fields", ()),
        (
            "It is 2.5 dex.",
            "[Fe/H] is 2.5 dex in",
            (
                "the quotation is not in paper [1]",
                "the number 2.5 is not in the quoted evidence",
            ),
        ),
        (
            "It is 2.5 dex.",
            "[Fe/H] is -2.5 dex in",
            ("the number 2.5 is not in the quoted evidence",),
        ),
        ("It is 1e-33 g cm-3.", "It has 10^-33 g cm^-3", ()),
        (
            "It is 10^33 g.",
            "It has 10^-33 g cm^-3",
            ("the number 10^33 is not in the quoted evidence",),
        ),
        ("M3 is poor.", "The mean [Fe/H] is", ("M3 is not in the papers it cites",)),
        (
            "Moe et al. say so.",
            "The mean [Fe/H] is",
            ("Moe et al. is not among the papers it cites",),
        ),
        ("So say Doe et al. (2003).", "as Doe et al. (2003) say", ()),
        ("Roe (2024) writes: “as Doe et al. (2003) say”", "as Doe et al. (2003) say", ()),
        ("An unknown author (2024) weighs it.", "The mean [Fe/H] is", ()),
    ],
)
def test_signs_exponents_and_names_are_held_to(
    text: str, quote: str, problems: tuple[str, ...]
) -> None:
    assert check_sentence(Draft(text, (1,), ((1, quote),)), [METALS]).problems == problems


def test_quotations_of_papers_that_are_not_cited_are_problems() -> None:
    quotes = ((1, "The mean [Fe/H] is"), (2, "whatever it may say"), (7, "nothing at all here"))
    sentence = check_sentence(Draft("Metals are few.", (1,), quotes), [METALS, PAPER])
    assert sentence.problems == (
        "it quotes paper [2] without citing it",
        "it quotes [7], but there are 2 papers",
        "the quotation is not in paper [2]",
    )
    assert [(e.n, e.found) for e in sentence.evidence] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "We follow Smith et al. 2020 here. It works.",
            ["We follow Smith et al. 2020 here.", "It works."],
        ),
        ("See Fig. 3 and Sect. 4. Done.", ["See Fig. 3 and Sect. 4.", "Done."]),
        (
            "This holds, e.g. NGC 1068, i.e. a Seyfert. Good.",
            ["This holds, e.g. NGC 1068, i.e. a Seyfert.", "Good."],
        ),
        (
            "At z ~ 6.5 galaxies are small. They grow.",
            ["At z ~ 6.5 galaxies are small.", "They grow."],
        ),
        ("J. Smith saw it. So did M. Li.", ["J. Smith saw it.", "So did M. Li."]),
        ("H0 = 73.0 km/s/Mpc. The tension stays.", ["H0 = 73.0 km/s/Mpc.", "The tension stays."]),
        ("Disc vs. halo: approx. 3 kpc. End.", ["Disc vs. halo: approx. 3 kpc.", "End."]),
        ("", []),
        ("No full stop", ["No full stop"]),
    ],
)
def test_sentences_are_split_as_astronomers_read_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences
