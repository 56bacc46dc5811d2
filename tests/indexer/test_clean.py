"""Markup to readable text. Run: pytest tests/indexer/test_clean.py"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.clean import plain_text
from indexer.tokens import tokens


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        (r"$27.02_{-0.03}^{\,+0.03}$ days", "27.02_-0.03^+0.03 days"),
        (r"about ~25\% at $z\sim10$ and z~10", "about ~25% at z∼10 and z~10"),
        (r"H$\alpha$ of 3.2 $M_{\odot}$ by \textit{Gaia}", "Hα of 3.2 M_⊙ by Gaia"),
        (r"M\"uller, Poincar\'e, Paczy{\'n}ski", "Müller, Poincaré, Paczyński"),
        ("<SUP>13</SUP>CO &lt;b&gt;bold&lt;/b&gt; &amp; R&amp;D", "^13CO bold & R&D"),
        ("x<y and y>3, p < 0.05", "x<y and y>3, p < 0.05"),
        ("<ASTROBJ>M 31</ASTROBJ> is near", "M 31 is near"),
        ("costs $5 a day and a night", "costs $5 a day and a night"),
        (r"[O\,{\sc iii}] at 100~MeV, PKS~0346-27", "[O iii] at 100 MeV, PKS 0346-27"),
        ("``Little Red Dots'' X-ray--torus", "“Little Red Dots” X-ray–torus"),
        (r"at z \ensuremath{\sim} 4.53", "at z ∼ 4.53"),
        ("two\n  lines", "two lines"),
        (r"$\sim$$10\%$ higher, $$E = mc^2$$ and \(a\)", "∼10% higher, E = mc^2 and a"),
        (r"$\undefinedmacro{x}$ \broken{", "undefinedmacrox broken"),
        ("<script>alert(1)</script> title", "alert(1) title"),
        ("", ""),
    ],
)
def test_markup_becomes_readable(given_: str, plain: str) -> None:
    assert plain_text(given_) == plain


@given(
    st.text(alphabet=st.characters(exclude_characters="\\${}&<~ˆ`'-", exclude_categories=["Cs"]))
)
def test_text_without_markup_is_unchanged(text: str) -> None:
    assert plain_text(text) == " ".join(text.split())


@given(
    st.lists(
        st.sampled_from(
            [
                "$",
                "\\",
                "{",
                "}",
                "<",
                ">",
                "&",
                "^",
                "_",
                "~",
                "%",
                "\\alpha",
                "\\frac",
                "$x$",
                "<b>",
                "word",
                "é",
                " ",
            ]
        )
    )
)
def test_any_markup_is_taken_and_words_survive(pieces: list[str]) -> None:
    assert plain_text("".join(pieces)).count("word") <= pieces.count("word")
    surrounded = f"alpha {''.join(pieces)} omega"
    assert plain_text(surrounded).startswith("alpha")


WORDS = st.text("abcdefghkmpqvwxyz", min_size=5, max_size=9)
WRAPPINGS = (
    "{}", "<SUP>{}</SUP>", "<SUB>{}</SUB>", "<sup>{}</sup>", "<ASTROBJ>{}</ASTROBJ>", "<i>{}</i>", "<A href='x'>{}</A>",
    "<mml:math><mml:mrow><mml:mi>{}</mml:mi></mml:mrow></mml:math>", "<mml:msup><mml:mi>{}</mml:mi><mml:mn>2</mml:mn></mml:msup>",
    "<inline-formula><tex-math>{}</tex-math></inline-formula>", "<math><mi>{}</mi></math>", "<jats:italic>{}</jats:italic>",
    "$\\mathrm{{{}}}$", "$x_{{\\rm {}}}$", "$\\text{{{}}}^2$", "\\textit{{{}}}", "\\emph{{{}}}", "{{\\it {}}}", "\\textbf{{{}}}",
    "``{}''", "({})", "{}~", "{},", "&quot;{}&quot;", "&lt;{}&gt;", "[{}]", "$\\sim$ {}", "\\(\\mathit{{{}}}\\)",
)  # fmt: skip
BETWEEN = (
    " ",
    " &amp; ",
    " $\\alpha$ ",
    ' \\"o ',
    " 25\\% ",
    " ~10 ",
    " -- ",
    " < 3 ",
    " &#945; ",
    " \\& ",
    "\n",
)


@given(st.data())
def test_no_word_is_lost_whatever_it_is_wrapped_in(data: st.DataObject) -> None:
    words = data.draw(st.lists(WORDS, min_size=1, max_size=6))
    text = ""
    for word in words:
        wrapped = word
        for wrapping in data.draw(st.lists(st.sampled_from(WRAPPINGS), max_size=2)):
            wrapped = wrapping.format(wrapped)
        text += data.draw(st.sampled_from(BETWEEN)) + wrapped
    plain = plain_text(text)
    for word in words:
        assert word in plain, (text, plain)
    assert "<mml" not in plain
    assert "ASTROBJ" not in plain
    assert tokens(plain)
