"""Powers and indices raised and lowered, as papers print them: `10^44 erg s^-1`, `H_0`, `M_BH`, `95^∘`.

The signs `^` and `_` stay in the page, seen by nobody and copied with the rest: a number that is marked and copied keeps its
power, and a quotation its letters. What could mean two things, such as `10^9-11`, stays as it is written.
"""

from __future__ import annotations

import html
import re

_LETTER = r"[^\W\d_]"
_SIGN = r"[+\-−‑]"
_STAR = r"[⊙☉⊕⋆∗*∙∞]"
_NUMBER = rf"(?:±|{_SIGN})?\d+(?:\.\d+)?(?:±\d+(?:\.\d+)?)?"
# Behind a number, a letter or a bracket: a number from which no range goes on, a symbol, or one letter; degrees; isotopes.
# What is behind is looked at from after the sign: so signs are found as fast as letters.
_ENDS = r"(?![\d.]*\d|[-–−‑]\d+(?:\.\d+)?(?![\d.]*(?:\^|[x×])))"
_BEHIND = rf"(?<=[\w)\]⊙☉]\^)(?:{_NUMBER}{_ENDS}|{_STAR}|{_SIGN}(?!\w)|[A-Za-z](?![A-Za-z_^]))"
_RAISED = rf"\^(?:{_BEHIND}|[∘○]|(?<![\w^]\^)\d{{1,3}}(?=[A-Z]))"
# Behind a quantity of a letter or two, or a number with errors: what says which one is meant.
_QUANTITY = rf"(?:(?<=\b{_LETTER}_)|(?<=\d{_LETTER}_)|(?<=\b[A-ZΔδ]{_LETTER}_)|(?<=[)\]]_))"
_INDEX = (
    rf"(?:{_SIGN}?\d+(?:\.\d+)?(?=[A-Z]|\b)|(?:[A-Z]+|[A-Z]?[^\W\d_A-Z]+)\d*\b|{_STAR}(?:,[a-z]+)?)"
)
_LOWERED = rf"_(?:{_QUANTITY}{_INDEX}(?!_)|(?<=\d_)[-−‑]\d+(?:\.\d+)?)"
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
