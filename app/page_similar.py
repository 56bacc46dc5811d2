"""The page that finds papers like a pasted abstract or draft, or like papers named: `draw` draws it."""

from __future__ import annotations

import streamlit as st

from app import library_parts
from app.card_tools import CardTools
from app.page_parts import literal, paper_cards
from app.page_session import asked
from app.problems import told_visitor
from indexer.errors import WayfinderError
from indexer.store import Index
from retrieval.fields import identifiers_in
from retrieval.records import SearchFilters, SearchResult, SearchSettings
from retrieval.similar import MOST_CHARACTERS, MOST_PAPERS, Likeness, similar

_BY: dict[str, Likeness] = {
    "What they say": "meaning",
    "Shared references": "references",
    "Who cites whom": "citations",
}


def draw(index: Index) -> None:
    """Draw the page for an index."""
    # Streamlit forgets a box that another page does not show; what was pasted is kept for the visit.
    for name in ("text", "named"):
        st.session_state.setdefault(
            f"similar-{name}-box", st.session_state.get(f"similar-{name}", "")
        )
    with st.form("similar", border=False):
        text = st.text_area(
            "An abstract, a draft or a reference list", key="similar-text-box", height=190, max_chars=MOST_CHARACTERS,
            placeholder="Paste your abstract: what it cites by identifier counts as known and is not found again",
        )  # fmt: skip
        named = st.text_input(
            "And, or instead, papers", key="similar-named-box", max_chars=4_000,
            placeholder="2019ApJ...875L...1E, 1906.11238, 10.3847/…",
        )  # fmt: skip
        by, settings = _settings()
        if st.form_submit_button("Find similar papers", type="primary"):
            st.session_state["similar-text"], st.session_state["similar-named"] = text, named
            st.session_state["similar-asked"] = (by, settings)
    if "similar-asked" in st.session_state:
        _found(index)


def _settings() -> tuple[Likeness, tuple[int, int | None, int | None, bool]]:
    """Alike in what, and which papers: how many, from and to which year, reviews first or not."""
    first, second = st.columns([3, 2])
    by = first.segmented_control("Alike in", list(_BY), default="What they say", required=True)
    k = second.slider("How many", 5, 50, 10, 5)
    first, second, third = st.columns(3, vertical_alignment="bottom")
    since = first.number_input("From year", 1500, 2100, None, placeholder="any")
    until = second.number_input("To year", 1500, 2100, None, placeholder="any")
    reviews = third.toggle("Reviews first")
    return _BY[str(by)], (k, since, until, reviews)


def _found(index: Index) -> None:
    """What is similar: asked once, kept for this visitor until something changes."""
    text, named = st.session_state["similar-text"], st.session_state["similar-named"]
    by, (k, since, until, reviews) = st.session_state["similar-asked"]
    key = (index.manifest.snapshot, text, named, by, k, since, until, reviews)
    if st.session_state.get("similar-key") != key:
        st.session_state.pop("similar-result", None)
        try:
            settings = SearchSettings(k=k, filters=SearchFilters(since=since, until=until), reviews_first=reviews)  # fmt: skip
            papers, text = _given(named, text)
            with st.spinner(f"Comparing with {len(index.papers):,} papers"):
                st.session_state["similar-result"] = asked(
                    "similar", text or named, lambda: similar(index, papers, settings, text=text, by=by)
                )  # fmt: skip
        except WayfinderError as error:
            st.warning(literal(told_visitor(error)))
            return
        st.session_state["similar-key"] = key
    _shown(st.session_state["similar-result"])


def _given(named: str, text: str) -> tuple[tuple[str, ...], str]:
    """The papers named and the text to compare with; a text of hardly more than identifiers names papers too."""
    in_text = tuple(identifiers_in(text))
    if in_text and len(text.split()) <= 2 * len(in_text):
        named, text = f"{named} {text}", ""
    papers = tuple(dict.fromkeys(identifiers_in(named)))
    if not papers:  # what is no identifier is named by the error
        papers = tuple(named.replace(",", " ").split())[: MOST_PAPERS + 1]
    return papers, text


def _shown(result: SearchResult) -> None:
    for note in result.degraded:
        st.warning(literal(note))
    if result.given:
        titles = "; ".join(
            f"{p.author_label} ({p.year or 'year unknown'})" for p in result.given[:8]
        )
        more = f" and {len(result.given) - 8} more" if len(result.given) > 8 else ""
        st.caption(literal(f"Like {titles}{more}, which {'is' if len(result.given) == 1 else 'are'} left out."))  # fmt: skip
    if not result.hits:
        st.info("No paper is like these in that way: try “What they say”.")
        return
    st.subheader("Similar papers", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        found = [hit.paper for hit in result.hits]
        st.button("Add all to library", icon=":material/bookmark_add:", on_click=library_parts.add_papers, args=(found,))  # fmt: skip
        library_parts.search_files(result, "similar papers")
    paper_cards("", result.hits, (), result.settings, tools=CardTools())
