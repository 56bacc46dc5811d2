"""Powers and indices raised and lowered, as papers print them: `10^44 erg s^-1`, `H_0`, `M_BH`, `95^∘`.

The signs `^` and `_` stay in the page, seen by nobody and copied with the rest: a number that is marked and copied keeps its
power, and a quotation its letters. What may mean two things, such as `10^9-11`, `t^-5/3` or `r_1/2`, stays as it is written.
"""

from __future__ import annotations

import html
import re

# Quantifiers that give nothing back: a text made to be slow is not.
_LETTER = r"[^\W\d_]"
_SIGN = r"[+\-−‑]"
_STAR = r"[⊙☉⊕⋆∗*∙∞]"
_DIGITS = r"\d++(?:\.\d++)?+"
_NUMBER = rf"(?:±|{_SIGN})?+{_DIGITS}(?:±{_DIGITS})?+"
# A number is no power where a fraction, a range or a charge goes on from it.
_GOES_ON = rf"/\d|[-–−‑]{_DIGITS}(?!\^|[x×])|[+\-−](?![\w(])"
# Signs are looked for first, and what stands before them then: so they are found as fast as letters.
_BEHIND = rf"(?<=[\w)\]⊙☉⋆∗*∘○]\^)(?:{_NUMBER}(?!{_GOES_ON})|{_STAR}|{_SIGN}(?!\w)|[A-Za-z](?![^\W\d]|\^))"
_RAISED = rf"\^(?:{_BEHIND}|[∘○]|(?<![\w^]\^)\d{{1,3}}(?=[A-Z]))"  # powers, degrees, isotopes
# Behind a quantity of a letter or two, or a number with errors: what says which one is meant.
_QUANTITY = rf"(?:(?<=\b{_LETTER}_)|(?<=\d{_LETTER}_)|(?<=\b[A-ZΔδ]{_LETTER}_)|(?<=[)\]]_))"
_ORDINAL = rf"{_SIGN}?+{_DIGITS}(?![-–/]\d|D\b)(?=[A-Z]|\b)"
_NAME = r"(?:[A-Z]+|[A-Z]?[^\W\d_A-Z]+)\d*\b(?!(?<=h)\^)"  # Omega_mh^2 is not of index mh
_INDEX = rf"(?:{_ORDINAL}|{_NAME}|{_STAR}(?:,[a-z]+)?)(?!_|,(?:{_LETTER}+|\d)(?![\w.])|-[A-Z]\b)"
_LOWERED = rf"_(?:{_QUANTITY}{_INDEX}|(?<=\d_)[-−‑]{_DIGITS})"
_SCRIPT = re.compile(rf"{_RAISED}|{_LOWERED}")


def typeset(text: str) -> str:
    """The text as HTML text, with powers and indices in their places: nothing in it is markup."""
    shown, at = [], 0
    for found in _SCRIPT.finditer(text):
        script = found[0]
        name = "sup" if script[0] == "^" else "sub"
        shown.append(html.escape(text[at : found.start()]))
        shown.append(f'<{name}><span class="wf-sign">{script[0]}</span>{script[1:]}</{name}>')
        at = found.end()
    return "".join([*shown, html.escape(text[at:])])
