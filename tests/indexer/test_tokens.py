"""Notations astronomers write become one token. Run: pytest tests/indexer/test_tokens.py"""

from __future__ import annotations

import pytest

from indexer.clean import plain_text
from indexer.tokens import tokens


@pytest.mark.parametrize(
    "forms",
    [
        ["M31", "M 31", "Messier 31"], ["NGC1068", "NGC 1068", "ngc-1068"], ["[Fe II]", "[FeII]", "Fe II"],
        ["Hα", "H-alpha", "Halpha", "H$\\alpha$", "H alpha"], ["Lyα", "Lyman-alpha", "Ly$\\alpha$", "Lyman α"],
        ["z~10", "z = 10", "$z\\sim10$", "z > 10"], ["SN 2023ixf", "SN2023ixf"], ["AT 2019qiz", "AT2019qiz", "AT-2019qiz"], ["3C 273", "3C273"],
        ["PSR J0437-4715", "PSR J0437–4715", "PSR J0437$-$4715"], ["Sgr A*", "Sagittarius A*", "Sgr A$^{*}$", "Sgr A star"],
        ["21 cm", "21-cm", "21cm"], ["km/s", "km s^-1", "km s$^{-1}$", "km s-1"], ["f_NL", "$f_{\\rm NL}$", "fNL"],
        ["σ_8", "$\\sigma_8$", "sigma8"], ["M_⊙", "$M_\\odot$", "Msun"], ["x-ray", "X-ray", "X ray", "X-rays"],
        ["[O III]", "[OIII]", "[O\\,{\\sc iii}]"], ["GW170817", "GW 170817"], ["H_0", "H0", "$H_0$"],
    ],
)  # fmt: skip
def test_all_notations_of_one_thing_are_one_token(forms: list[str]) -> None:
    found = {tuple(tokens(plain_text(form))) for form in forms}
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The black-holes of galaxies", ["black", "hole", "galaxi"]),
        ("seen at 10 GHz in a 5 kpc region", ["seen", "10ghz", "5", "kpc", "region"]),
        ("what is the of and", []),
        ("Poincaré’s", ["poincar"]),
        ("黒い穴 и дыра", ["黒い穴", "и", "дыра"]),
        ("", []),
    ],
)
def test_words_are_stemmed_and_stop_words_left_out(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected
