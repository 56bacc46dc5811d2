"""The page of the web app that searches: papers as cards, best first, without an answer.

Streamlit runs this file where app/page.py shows it.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import answer_parts, library_parts, page_actions, page_link, page_parts, page_settings
from app.card_tools import CardTools
from app.page_question import examples, question_box
from app.page_session import asked, visitors_llm
from indexer.store import Index
from retrieval import search
from retrieval.ads_link import ads_search_url
from retrieval.records import SearchResult, SearchSettings

FOUND = 100  # papers looked at for one search
SHOWN = 10  # on a page of results
_WRITTEN = """
| written | finds |
| --- | --- |
| `since 2022`, `before JWST`, `in the last five years` | papers of these years |
| `by Riess`, `Riess et al. 2022` | papers by this author |
| `author:Riess ^Riess year:2016-2022 abs:Cepheid title:"distance ladder" bibstem:ApJ` | fields, as ADS writes them |
| `2019ApJ...875L...1E`, `arXiv:1906.11238`, a DOI, a pasted link | this paper first |
| `M31`, `NGC 224`, `JWST` | papers that use any of its names first |
"""


def main() -> None:
    """Draw the page."""
    page_link.restore("search-question", "searched")
    page_parts.masthead("Search", "Papers by meaning and by words, best first.")
    nothing = question_box(
        "search-question",
        "searched",
        label="What to search for",
        placeholder="Words, a question, an abstract, an author, a bibcode or an arXiv id",
        button="Search",
    )
    settings = page_settings.settings_row(page_settings.host(), _what_can_be_written)
    index = page_link.linked_index()
    settings = library_parts.narrowed(index, settings)
    words = str(st.session_state.searched).strip()
    place = st.empty()  # emptied at once when something is searched
    if words:
        _results(index, words, settings)
    else:
        page_link.address("", index)
        if not nothing:
            with place:
                examples(index, "search-question", "searched")
    page_parts.foot(index)


def _results(index: Index, words: str, settings: SearchSettings) -> None:
    """What was understood, what was found, a page of it at a time."""
    result = _searched(index, words, settings)
    page_settings.understood(words, result.understood)
    query = page_link.address(words, index)
    for note in result.degraded:
        st.warning(page_parts.literal(note))
    if result.coverage is not None and result.coverage.level != "well" and result.hits:
        st.info(page_parts.literal(result.coverage.reason))
    st.html(f'<p class="wf-kind" role="status">{page_parts.escape(_found(result))}</p>')
    if result.hits:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Answer from these papers", icon=":material/chat:", on_click=_ask, args=(words,))  # fmt: skip
            library_parts.search_files(result)
            page_actions.copy_link(query)
        answer_parts.moved(result)
        _cards(index, words, result)
    if st.session_state.pop("to-ask", False):
        st.switch_page("page_ask.py")
    url = page_parts.escape(ads_search_url(words))
    st.html(f'<p class="wf-facts"><a href="{url}" target="_blank" rel="noopener">Search ADS for the same words</a></p>')  # fmt: skip


def _searched(index: Index, words: str, settings: SearchSettings) -> SearchResult:
    """The result of these settings; searched once, kept for this visitor until something changes."""
    settings = replace(settings, k=FOUND, ignored=page_settings.taken_away(words))
    key = (index.manifest.snapshot, words, settings.key)
    if st.session_state.get("search-key") != key:
        st.session_state["search-result"] = asked(
            "search", words, lambda: search(index, words, settings, llm=visitors_llm())
        )
        st.session_state["search-key"] = key
    result: SearchResult = st.session_state["search-result"]
    return result


def _found(result: SearchResult) -> str:
    n, of = len(result.hits), result.n_candidates
    if not n:
        return f"Nothing found among {of:,} papers: try other words or fewer filters."
    among = f"{of:,} papers" if of == result.n_papers else f"the {of:,} of {result.n_papers:,} papers that pass the conditions"  # fmt: skip
    return f"The {n:,} best of {among}" if n < of else f"All {n:,} papers that were searched"


def _cards(index: Index, words: str, result: SearchResult) -> None:
    n_pages = -(-len(result.hits) // SHOWN)
    place = f"search-page-{hash(st.session_state['search-key'])}"
    page = int(st.session_state.get(place) or 1)
    first = SHOWN * (page - 1)
    page_parts.paper_cards(
        "",
        result.hits[first : first + SHOWN],
        (),
        result.settings,
        index=index,
        first=first + 1,
        tools=CardTools(),
    )
    if n_pages > 1:
        st.pagination(n_pages, key=place)


def _what_can_be_written() -> None:
    with st.popover("What can be written", icon=":material/help:"):
        st.markdown(_WRITTEN)


def _ask(words: str) -> None:
    """Take the words to the page that answers."""
    st.session_state.asked = words
    st.session_state.pop("question", None)
    st.session_state["to-ask"] = True


main()
