"""The page with a visitor's own papers: added from search, map or a BibTeX file, asked alone, taken away. `draw` draws it.

It lives in the memory of the visit; where the host keeps libraries the page says so, and deletes what is kept.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import library_parts
from app.page_about import HEADING
from app.page_parts import literal
from app.privacy import library_words
from indexer.errors import PaperNotFound
from indexer.records import Paper
from indexer.store import Index
from retrieval.fields import identifiers_in

ASK_PAGE = "page_ask.py"  # as app/page.py names it
LISTED = 500  # papers shown in the table; the files have all
MOST_PASTED = 50_000  # characters
_ADDING = "library-adding"  # of the session: whether the box that adds is unfolded
_TAKE_AWAY = "Take them away as BibTeX, and add that file when you come back."


def draw(index: Index) -> None:
    """Draw the page for an index; a question to the library is answered on the page that asks."""
    library = library_parts.visitors_library()
    library.refresh()
    st.caption(library_words() if library.kept else f"{library_words()} {_TAKE_AWAY}")
    if library.kept is not None and library.kept.problem:
        st.warning(literal(library.kept.problem))
    _added(index, len(library))
    library_parts.file_told()
    if not library:
        if library.kept is not None and library.kept.problem:
            _deletion()
        st.info("Your library is empty: add a BibTeX file here, papers from the cards of an answer, or a set from the map.")  # fmt: skip
        return
    among = library.among(index)
    n, lacking = len(library), len(library) - len(among)
    st.html(f'<h2 style="{HEADING}">{n:,} paper{"" if n == 1 else "s"}</h2>')
    if lacking:
        st.caption(f"{lacking:,} of them {'is' if lacking == 1 else 'are'} not in this index: listed and in the files, but no question can read {'it' if lacking == 1 else 'them'}.")  # fmt: skip
    if among:
        _asked(len(among))
    with st.container(horizontal=True):
        library_parts.paper_files(lambda: library.papers(index), "library", "library")
        if library.kept is None:
            st.button("Empty the library", on_click=library_parts.emptied)
        else:
            _deletion()
    shown = library.papers(index, LISTED)
    library_parts.ads_links(shown, n)
    _listed(index, shown)


def _deletion() -> None:
    """What the host keeps, deleted by a second click."""
    with st.popover("Delete my library", icon=":material/delete:"):
        st.write("The file with your library is deleted from this host, and the list here is emptied. This cannot be undone.")  # fmt: skip
        st.button("Delete it now", on_click=library_parts.emptied, type="primary")


def _added(index: Index, n: int) -> None:
    """Where papers come from: a file, or identifiers; folded once the library's `n` papers are others than before."""
    if st.session_state.get("library-drawn") != n:
        st.session_state["library-drawn"], st.session_state[_ADDING] = n, not n
    with st.expander("Add papers", expanded=not n, key=_ADDING, on_change="rerun"):
        library_parts.file_taken(index, "library-file")
        with st.form("library-identifiers", border=False, clear_on_submit=True):
            pasted = st.text_area(
                "Or bibcodes, arXiv ids, DOIs, links", max_chars=MOST_PASTED, height=90
            )
            if st.form_submit_button("Add these"):
                _add_named(index, pasted)


def _add_named(index: Index, pasted: str) -> None:
    """Add the papers that a text names; say which the index lacks."""
    found, missing = [], []
    for name in dict.fromkeys(identifiers_in(pasted)):
        try:
            found.append(index.papers[index.row_of(name)])
        except PaperNotFound:
            missing.append(name)
    lacking = f"Not in this index: {', '.join(missing[:20])}{' …' if len(missing) > 20 else ''}."
    if found:
        n, full = library_parts.visitors_library().add(found)
        library_parts.tell_later(
            f"{library_parts.added_words(n, full)} {lacking if missing else ''}"
        )
        st.rerun()
    elif missing:
        st.warning(literal(lacking))
    else:
        st.warning("No identifier was found: write a bibcode, an arXiv id or a DOI, such as 2019ApJ...875L...1E or 1906.11238.")  # fmt: skip


def _asked(n: int) -> None:
    """A question that is answered from these papers alone, on the page that asks."""
    with (
        st.form("library-ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        question = st.text_input(
            "Question to your library", key="library-question", placeholder="What do these papers find?",
        )  # fmt: skip
        asked = st.form_submit_button(
            f"Ask only {'this paper' if n == 1 else f'these {n:,}'}", type="primary"
        )
    if asked and question.strip():
        st.session_state[library_parts.ONLY] = True
        st.session_state.pop(f"{library_parts.ONLY}-switch", None)
        st.session_state.thread = None
        st.session_state.question = st.session_state.asked = question.strip()
        st.switch_page(ASK_PAGE)
    elif asked:
        st.info("Type a question first: a few plain words are enough.")


def _listed(index: Index, papers: list[Paper]) -> None:
    """The papers as a table, where some can be chosen and taken out."""
    library = library_parts.visitors_library()
    ids = list(library.entries)[:LISTED]
    held = library.rows(index)
    rows = [
        {
            "title": paper.plain_title or identifier,
            "authors": paper.author_label,
            "year": paper.year,
            "citations": paper.citation_count,
            "in this index": identifier in held,
            "ADS": paper.ads_url,
        }
        for identifier, paper in zip(ids, papers, strict=True)
    ]
    chosen = st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="multi-row", key=f"library-table-{len(library)}",
        column_config={
            "ADS": st.column_config.LinkColumn("ADS", display_text="ADS"),
            "year": st.column_config.NumberColumn("year", format="%d"),
            "title": st.column_config.TextColumn("title", width="medium"),
        },
    )  # fmt: skip
    if len(library) > LISTED:
        st.caption(f"The first {LISTED:,} of {len(library):,}; the files have all.")
    picked = [ids[row] for row in chosen["selection"]["rows"] if row < len(ids)]
    if picked:
        st.button(f"Take {len(picked):,} out of the library", on_click=library.remove, args=(picked,))  # fmt: skip
