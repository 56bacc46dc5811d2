"""Titles and abstracts as people read them: HTML and LaTeX turned into plain Unicode.

pylatexenc knows the macros, but a whole abstract is not LaTeX: `~10` means "about ten" there and
`25%` starts no comment. So only the spans that are LaTeX (math, macros, accents) go through it,
and since the same few spans fill the literature (`$M_\\odot$`), each is converted once and cached.
"""

from __future__ import annotations

import html
import logging
import re
from functools import cache, lru_cache

from pylatexenc.latex2text import (
    LatexNodes2Text,
    MacroTextSpec,
    get_default_latex_context_db,
)

logging.getLogger("pylatexenc").setLevel(logging.ERROR)

# A lone dollar is money: what stands between two must not read like prose.
_MATH = re.compile(
    r"\$\$([^$]{1,500}?)\$\$|\$(?![^$]*\s[a-z]{2,}\s[a-z]{2,}\s)([^$]{1,500}?)\$|\\\((.{1,500}?)\\\)",
    re.DOTALL,
)
_ARGUMENT = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_MACRO = re.compile(
    rf"\{{?\\[\"'`^~=.]\s*(?:\{{\\?[A-Za-z]{{1,2}}\}}|\\?[A-Za-z])\}}?"  # accents: \"o, {\'e}, \^{\i}
    rf"|\\[cvuHkbdtr](?:\s*\{{[A-Za-z]\}}|\s+[A-Za-z]\b)"
    rf"|\\[A-Za-z]+\*?(?:\s*{_ARGUMENT})*"
)
_BROKEN_MACRO = re.compile(
    r"\\\s+(?=(?:alpha|beta|gamma|delta|epsilon|lambda|Lambda|mu|nu|rho|sigma|Sigma|tau|phi|chi|omega|Omega|"
    r"odot|star|sim|simeq|approx|times|pm|leq|geq|lesssim|gtrsim|log|in|rm)(?![a-z]))"
)
_ESCAPED = re.compile(r"\\([%&#~<>_$ ])")
_TAG_NAMES = (
    "a|b|br|div|em|i|li|ol|p|q|s|script|small|span|strong|style|sub|sup|tt|u|ul|inf|img|font|h[1-6]|table|tr|td|"
    "astrobj|object|pre|mml:[a-z]+|math|m[inorst]|mrow|mfrac|msub|msup|msubsup|mtext|mspace|msqrt|mover|munder|"
    "mstyle|mfenced|semantics|annotation|inline-formula|tex-math|jats:[a-z]+|iframe|svg|body|html|head|title"
)
_SUPERSCRIPT = re.compile(r"<\s*(sup|sub|inf)\s*>(.*?)<\s*/\s*\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(rf"</?(?:{_TAG_NAMES})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_FONT = re.compile(
    r"\\(?:rm|it|bf|sf|tt|sc|sl|em|cal|mathrm|mathit|mathbf|mathcal|text|textrm|textit|mbox|ensuremath)(?![A-Za-z])\s*"
)
_SPACING = re.compile(r"\\[,;:!> ]|\\q?quad(?![A-Za-z])|~")
_TIE = re.compile(r"(?<=[\w)])~(?=[A-Za-z(])|(?<=[A-Z]{2})~(?=\d)")
_DOUBLE_DASH = re.compile(r"(?<![-<!])--(?![->])")
_THIN_SPACE = re.compile(r"\\[,;:!]")
_SCRIPT_SPACE = re.compile(r"([\^_])\s+")


@cache
def _converter() -> LatexNodes2Text:
    known = get_default_latex_context_db()
    known.set_unknown_macro_spec(MacroTextSpec("", simplify_repl=lambda node: node.macroname))
    return LatexNodes2Text(
        math_mode="text", keep_comments=True, strict_latex_spaces=False, latex_context=known
    )


@lru_cache(maxsize=100_000)
def _latex_span(span: str) -> str:
    """One LaTeX span as Unicode; markup that does not parse keeps its letters and loses its signs."""
    prepared = (
        _ESCAPED.sub(r"\1", _SPACING.sub(" ", _FONT.sub("", span)))
        .replace("%", r"\%")
        .replace("&", r"\&")
    )
    try:
        converted = _converter().latex_to_text(prepared)
    except Exception:  # noqa: BLE001 - the parser raises many kinds on the markup that people write
        converted = prepared
    return re.sub(r"[\\{}]", "", _SCRIPT_SPACE.sub(r"\1", converted))


def plain_text(text: str) -> str:
    """Return `text` without HTML tags and entities and with LaTeX as Unicode, on one line.

    Never raises; text without markup comes back unchanged but for white space.
    """
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _SUPERSCRIPT.sub(
            lambda m: ("^" if m.group(1).lower() == "sup" else "_") + m.group(2), text
        )
        text = _TAG.sub(" ", text)
    if "$" in text:
        text = _MATH.sub(lambda m: _latex_span(next(filter(None, m.groups())).strip()), text)
    if "\\" in text:
        text = _THIN_SPACE.sub(" ", _BROKEN_MACRO.sub(r"\\", text))
        text = _MACRO.sub(lambda m: _latex_span(m.group(0)), text)
        text = _ESCAPED.sub(r"\1", text).replace("\\", "")
    if "{" in text:
        text = text.replace("{", "").replace("}", "")
    if "~" in text:
        text = _TIE.sub(" ", text)
    if "--" in text:
        text = _DOUBLE_DASH.sub("–", text)
    if "``" in text or "''" in text:
        text = text.replace("``", "“").replace("''", "”")
    return " ".join(text.replace("ˆ", "^").split())
