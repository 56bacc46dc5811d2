"""Powers and indices on the page. Run: pytest tests/app/test_typeset.py"""

from __future__ import annotations

import html
import re

import pytest

from app.typeset import typeset

_SCRIPT = re.compile(r'<(su[pb])><span class="wf-sign">([\^_])</span>([^<>]*)</\1>')


def drawn(text: str) -> str:
    """What is raised in {braces}, what is lowered in [brackets]."""
    return html.unescape(
        _SCRIPT.sub(
            lambda m: f"{{{m[3]}}}" if (m[1], m[2]) == ("sup", "^") else f"[{m[3]}]", typeset(text)
        )
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10^44 erg s^-1, 10^44-10^46", "10{44} erg s{-1}, 10{44}-10{46}"),
        ("Z∼10^-5-10^-4 and 10^5-7x10^5", "Z∼10{-5}-10{-4} and 10{5}-7x10{5}"),
        ("10^4. At 10^4.5 K", "10{4}. At 10{4.5} K"),
        ("1.30^+0.02_-0.03, 2.3_-0.7^+1.1", "1.30{+0.02}[-0.03], 2.3[-0.7]{+1.1}"),
        ("M_BH∝v_max^10.62±1.37", "M[BH]∝v[max]{10.62±1.37}"),
        ("10^13M_⊙, M_*,tot, H_0, Δz_BAO", "10{13}M[⊙], M[*,tot], H[0], Δz[BAO]"),
        ("H_2O, CH_3OH, HI+H_2)", "H[2]O, CH[3]OH, HI+H[2])"),
        ("^13CO, C^18O, ^56Ni", "{13}CO, C{18}O, {56}Ni"),
        ("<30^∘ and e^-", "<30{∘} and e{-}"),
        ("7^h44^m", "7{h}44{m}"),
        ("M_⋆^-0.29, 32^∘^+14_-13", "M[⋆]{-0.29}, 32{∘}{+14}[-13]"),
        ("Ω_mh^2", "Ω_mh{2}"),
        ("M_2/M_1, z_1-z_2, v^2/c^2", "M[2]/M[1], z[1]-z[2], v{2}/c{2}"),
    ],
)  # fmt: skip
def test_powers_and_indices_are_in_their_places(text: str, wanted: str) -> None:
    assert drawn(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["10^9-11", "10^10.5-11.2", "∼10^2-4", "21^st", "my_package", "GALFIT_M", "nudec_BSM_v2", "M_B_1", "w_aCDM", "^", "_", "a ^ b", "z_{eff}", "t^-5/3", "α^5/3", "(x)^1/2", "t^-11/15", "L_2-10 keV", "CO_2-1", "r_1/2", "E_B-V", "U(1)_B-L", "T_c,core", "S_8,0", "He^2+ and", "σ_1D"],
)  # fmt: skip
def test_what_could_mean_two_things_or_is_a_name_stays_as_it_is(text: str) -> None:
    assert typeset(text) == text


@pytest.mark.parametrize("text", ["<b onclick='x'>10^4</b> & \"M_BH\"", "<sup>^2</sup>", "x^<script>", "R_<i>", "10^44" * 20_000, f"x^{'1' * 100_000}-1", f"x^1-{'1' * 100_000}^", f"M_{'a' * 100_000}_"])  # fmt: skip
def test_nothing_is_markup_and_every_letter_is_kept(text: str) -> None:
    bare = re.sub(r'</?su[pb]>|<span class="wf-sign">|</span>', "", typeset(text))
    assert "<" not in bare
    assert html.unescape(bare) == text
