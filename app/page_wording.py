"""How an answer is worded, chosen on the page: its length, its reader, its language, and what fails its checks."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.page_parts import literal
from indexer.errors import QueryError
from retrieval.synthesis import MAX_LANGUAGE_CHARACTERS, STYLES, AnswerStyle

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


def wording(*, llm_enabled: bool, offline: bool) -> tuple[AnswerStyle, bool]:
    """The style chosen in the sidebar, and whether sentences that fail are left out; usual ones without a model."""
    with st.sidebar, st.expander("How to answer"):
        if not llm_enabled or offline:
            st.caption("Length, reader and language need a language model: without one the papers are quoted as they are.")  # fmt: skip
            return AnswerStyle(), False
        length = st.selectbox("Length", list(STYLES), 1, format_func=_LENGTHS.__getitem__)
        reader = st.selectbox("Written for", list(_READERS), format_func=_READERS.__getitem__)
        language = st.text_input("Language", "English", max_chars=MAX_LANGUAGE_CHARACTERS).strip()
        drop = st.toggle(
            "Leave out sentences that fail their checks",
            help="Off: they are shown and marked, with the reason.",
        )
        try:
            return AnswerStyle(length, reader, language or "English"), drop
        except QueryError as error:
            st.warning(literal(str(error)))
            return AnswerStyle(length, reader), drop
