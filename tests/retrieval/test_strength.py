"""Sentences that claim more than their evidence. Run: pytest tests/retrieval/test_strength.py"""

from __future__ import annotations

import pytest

from retrieval.strength import strength_problems

PART = "Magnetar birth can explain only 30% of all bursts unless each repeats"


@pytest.mark.parametrize(
    ("text", "quote", "more"),
    [
        ("All fast radio bursts come from magnetars.", PART, True),
        ("Every burst comes from a magnetar.", "Magnetars are the favoured sources", True),
        ("Magnetars explain 30% of all bursts.", PART, False),
        ("All planets in the sample show water.", "Water is seen in all planets", False),
        ("Every planet shows water.", "Water is seen in all of the planets", False),
        ("First of all, some planets show water.", "Some planets show water", False),
        ("It is proven that Sgr A* spins.", "Flares suggest that Sgr A* spins", True),
        ("It is proven that Sgr A* spins.", "Flares establish that Sgr A* spins", False),
        ("Jets heat the halo.", "jets heat the halo", False),
    ],
)
def test_all_and_proven_must_stand_in_the_evidence(text: str, quote: str, more: bool) -> None:
    assert bool(list(strength_problems(text, [quote]))) is more
