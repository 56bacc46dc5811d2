"""How an answer is made, chosen on the page: its kind, length, reader and language, and what is read for it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.page_parts import literal
from app.page_settings import Host, one_of, opened_by, slider, toggle, value_of, words, written
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
    """What these choices say; length, reader and language are usual where no language model can follow them."""
    offline = of.llm and value_of("quote")
    writes = of.llm and not offline
    return Asking(
        kind=value_of("kind"),
        offline=offline,
        n_papers=value_of("papers"),
        style=_style()[0] if writes else AnswerStyle(),
        drop=writes and value_of("drop"),
    )


def wording_box(of: Host) -> None:
    """A button that opens these choices."""
    opened_by("Answer", _NAMES, ":material/tune:", "wording", lambda: _choices(of), of)


def _choices(of: Host) -> None:
    one_of("kind", "Kind of question", _KINDS)
    slider("papers", "Papers to read", 1)
    if not of.llm or toggle("quote", "Quote only, no language model"):
        st.caption("Length, reader and language need a language model: without one the papers are quoted as they are.")  # fmt: skip
        return
    one_of("length", "Length", _LENGTHS)
    one_of("reader", "Written for", _READERS)
    words("language", "Language")
    toggle("drop", "Leave out sentences that fail their checks", help="Off: they are shown and marked, with the reason.")  # fmt: skip
    if problem := _style()[1]:
        st.warning(literal(problem))


def _style() -> tuple[AnswerStyle, str]:
    """Length, reader and language as chosen, in English where the language is none, and then why."""
    length, reader = value_of("length"), value_of("reader")
    language = written("language") or "English"
    try:
        return AnswerStyle(length, reader, language), ""
    except QueryError as error:
        return AnswerStyle(length, reader), str(error)
