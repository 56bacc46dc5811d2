"""How an answer is made, chosen on the page: its kind, length, reader and language, and what is read for it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.page_parts import literal
from app.page_settings import Host, named_count, one_of, slider, toggle, words
from indexer.errors import QueryError
from retrieval.synthesis import AnswerStyle

_NAMES = ("kind", "papers", "quote", "length", "reader", "language", "drop")
_KINDS = {
    None: "Found out from the question",
    "fact": "A fact",
    "papers": "Papers on a subject",
    "consensus": "A debate: what papers hold",
    "bibliometric": "A count of papers",
}
_LENGTHS = {"brief": "Brief", "standard": "As the question needs", "detailed": "Detailed"}
_READERS = {
    "astronomer": "Astronomers",
    "other field": "Physicists of other fields",
    "student": "Students",
    "press": "Press officers",
    "public": "Everyone",
    "child": "Children",
}


@dataclass(frozen=True)
class Asking:
    """What else than words and search settings makes an answer what it is.

    Not in page_ask: Streamlit runs that file anew each time, and a class made anew equals no earlier one.
    """

    kind: str | None
    offline: bool
    n_papers: int
    style: AnswerStyle
    drop: bool  # sentences that fail their checks, instead of marking them


def asking(of: Host) -> Asking:
    """A button that opens these choices; usual ones where no language model can follow them."""
    with st.popover(named_count("Answer", _NAMES), icon=":material/tune:", key="wording"):
        kind = one_of("kind", "Kind of question", _KINDS)
        n_papers = slider("papers", "Papers to read", 1)
        offline = of.llm and toggle("quote", "Quote only, no language model")
        style, drop = _wording(writes=of.llm and not offline)
    return Asking(kind, offline, n_papers, style, drop)


def _wording(*, writes: bool) -> tuple[AnswerStyle, bool]:
    """The style, and whether sentences that fail their checks are left out."""
    if not writes:
        st.caption("Length, reader and language need a language model: without one the papers are quoted as they are.")  # fmt: skip
        return AnswerStyle(), False
    length = one_of("length", "Length", _LENGTHS)
    reader = one_of("reader", "Written for", _READERS)
    language = words("language", "Language")
    drop = toggle("drop", "Leave out sentences that fail their checks", help="Off: they are shown and marked, with the reason.")  # fmt: skip
    try:
        return AnswerStyle(length, reader, language or "English"), drop
    except QueryError as error:
        st.warning(literal(str(error)))
        return AnswerStyle(length, reader), drop
