"""Units, names and negations of sentences against evidence. Run: pytest tests/retrieval/test_agreement.py"""

from __future__ import annotations

import pytest

from indexer.encoder import load_encoder
from indexer.records import Paper
from retrieval.agreement import name_problems
from retrieval.entailment import SUPPORTED, entailment
from retrieval.notation import measured
from retrieval.polarity import polarity_problems
from retrieval.quantities import quantity_problems
from retrieval.tables import objects
from retrieval.verify import Draft, check_sentence

PAPER = (
    "Two planets of TOI-8801. TOI-8801 b is hot and TOI-8801 c is cold. Spectra of the Crab and of M 31 "
    "were taken with JWST. Active galactic nuclei were left out."
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("770 kpc away", [("770", "kpc")]),
        ("67.8 +/- 0.7 km/s/Mpc", [("67.8", "km"), ("0.7", "km")]),
        ("20 to 30 G", [("20", "G"), ("30", "G")]),
        ("(3.8 ± 0.2) × 10^7 solar masses", [("38000000", "Msun"), ("2000000", "Msun")]),
        ("5e-6 M$_\\odot$", [("0.000005", "Msun")]),
        ("in 4 days", [("4", "day")]),
        ("a factor of 12", [("12", "")]),
    ],
)
def test_numbers_come_with_their_units(text: str, found: list[tuple[str, str]]) -> None:
    assert [(value, unit) for value, unit, _ in measured(text)] == found


@pytest.mark.parametrize(
    ("text", "quote", "wrong"),
    [
        ("It lies at 770 kpc.", "a distance of 770 kpc", False),
        ("It lies at 770 Mpc.", "a distance of 770 kpc", True),
        ("It lies at 770 kiloparsecs.", "a distance of 770 kpc", False),
        ("It took 10 min.", "within 10 s", True),
        ("It is 4 times larger.", "a factor of 4", False),
        ("It weighs 9 solar masses.", "a mass of 9 M_sun", False),
        ("It lies at 0.77 Mpc.", "a distance of 770 kpc", False),
        ("It took 0.5 Gyr.", "within 500 Myr", False),
        ("H0 is 72.6 km s^-1 Mpc^-1.", "H0 = 72.6 km/s/Mpc", False),
        ("H0 is 72.6 km/s/kpc.", "H0 = 72.6 km/s/Mpc", True),
        ("It weighs 9.6 ± 0.2 Msun.", "a mass of 9.62 +/- 0.18 solar masses", False),
        ("It weighs 9.6 ± 0.8 Msun.", "a mass of 9.62 +/- 0.18 solar masses", True),
        ("The rate is 3.2 +0.6/-0.8.", "a rate of 3.2 (+0.8, -0.6)", True),
        ("H0 is about 73 km/s/Mpc.", "H0 = 72.6 km/s/Mpc", False),
        ("It is tenfold.", "a factor of ten", False),
        ("It is a hundredfold.", "a factor of ten", True),
        ("Half of it is gas.", "50 per cent of it is gas", False),
        ("A third of it is gas.", "a quarter of it is gas", True),
        ("Three cores are seen.", "two cores are seen", True),
        ("It takes more than 500 Myr.", "less than 500 Myr", True),
        ("It takes less than 500 Myr.", "less than 500 Myr", False),
        (
            "It moves at 9 km/s in the south and 5 km/s in the north.",
            "5 km/s in the south and 9 km/s in the north",
            True,
        ),
        (
            "It moves at 9 km/s in the north and 5 km/s in the south.",
            "5 km/s in the south and 9 km/s in the north",
            False,
        ),
        ("4 per cent are discs at z = 4-6.", "at z = 4-6, 40 per cent are discs", True),
    ],
)
def test_units_must_agree(text: str, quote: str, wrong: bool) -> None:
    assert bool(list(quantity_problems(text, [quote]))) is wrong


@pytest.mark.parametrize(
    ("text", "quote", "problem"),
    [
        ("TOI-8801 b is hot.", "TOI-8801 b is hot", None),
        ("TOI-8801 c is hot.", "TOI-8801 b is hot", "about TOI-8801 b, not TOI-8801 c"),
        ("TOI-8801 d is hot.", "TOI-8801 b is hot", "TOI-8801 d is not in the papers"),
        ("The planet is hot.", "TOI-8801 b is hot", None),
        ("Spectra of the Andromeda galaxy were taken.", "Spectra of the Crab and of M 31", None),
        ("Spectra of Fornax were taken.", "Spectra of the Crab", "Fornax is not in the papers"),
        ("AGN were left out.", "Active galactic nuclei were left out", None),
        ("The spectra are from HST.", "were taken with JWST", "HST is not in the papers"),
        ("Radio spectra exist.", "X-ray spectra exist", "about X-ray, not Radio"),
    ],
)
def test_names_must_be_those_of_the_evidence(text: str, quote: str, problem: str | None) -> None:
    found = list(name_problems(text, [quote], (PAPER,), english=True))
    assert (problem is None and not found) or (problem is not None and problem in found[0]), found


@pytest.mark.parametrize(
    ("text", "quote", "wrong"),
    [
        ("Jets suppress star formation.", "jets suppress star formation", False),
        ("Jets do not suppress star formation.", "jets suppress star formation", True),
        (
            "Jets suppress star formation.",
            "we find no sign that jets suppress star formation",
            True,
        ),
        (
            "Jets do not suppress star formation.",
            "no sign that jets suppress star formation",
            False,
        ),
        ("The gap is inconsistent with a subhalo.", "the gap is consistent with a subhalo", True),
        (
            "The gap is not inconsistent with a subhalo.",
            "the gap is consistent with a subhalo",
            False,
        ),
        ("The star is brighter than the planet.", "the star is fainter than the planet", True),
        ("The planet is fainter than the star.", "the star is brighter than the planet", False),
        ("The source is undetected in X-rays.", "the source has no X-ray detection", False),
        ("Its rate is high.", "water was seen. Clouds were not seen.", False),
        ("The soft state has the weaker jet.", "the jet is stronger in the hard state", False),
        ("The jet is weaker in the hard state.", "the jet is stronger in the hard state", True),
        (
            "Metal-poor clusters formed before metal-rich ones.",
            "metal-rich clusters formed later than metal-poor ones",
            False,
        ),
        (
            "Metal-rich clusters formed before metal-poor ones.",
            "metal-rich clusters formed later than metal-poor ones",
            True,
        ),
        (
            "Spots are more common in T dwarfs than in L dwarfs.",
            "spots are more common in L dwarfs than in T dwarfs",
            True,
        ),
        (
            "Magnetic fields rather than companions break discs.",
            "companions rather than magnetic fields break discs",
            True,
        ),
        ("The orbit of the planet is prograde.", "the planet is on a retrograde orbit", True),
        (
            "Opaque bodies cannot cause the dips.",
            "opaque bodies are ruled out as the cause of the dips",
            False,
        ),
        (
            "Turbulence is likely to prevent cooling.",
            "turbulence is unlikely to prevent cooling",
            True,
        ),
        (
            "Hot Jupiters around hot stars are aligned.",
            "hot Jupiters around cool stars are aligned",
            True,
        ),
    ],
)
def test_negations_and_directions_must_agree(text: str, quote: str, wrong: bool) -> None:
    assert bool(list(polarity_problems(text, [quote]))) is wrong


def test_a_sentence_on_something_else_is_not_carried() -> None:
    encoder = load_encoder("astro")
    quote = "Water absorption is detected in the transmission spectrum at 8.2 sigma"
    near = entailment("Water is detected in the planet's transmission spectrum.", [quote], encoder)
    far = entailment("Stars form in cold molecular clouds.", [quote], encoder)
    assert near is not None
    assert far is not None
    assert near > SUPPORTED > far
    assert entailment(quote, [quote], encoder) == 1.0
    assert entailment("Anything.", [], encoder) is None
    paper = Paper(title="Water", abstract=f"{quote}.")
    sentence = check_sentence(
        Draft("Stars form in cold molecular clouds.", (1,), ((1, quote),)), [paper], encoder
    )
    assert sentence.problems == ("the quoted evidence does not speak of what it says",)
    assert sentence.entailment == far


def test_names_written_with_another_catalogue_word_are_found() -> None:
    found = objects().find("The black hole of Messier 87 and Messier 101.", case_matters=True)
    assert [mention.words for mention in found] == ["Messier 87", "Messier 101"]
