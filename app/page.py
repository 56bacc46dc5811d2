"""The web app: its pages and what stands on all of them. Started by `wayfinder serve`.

One index per process is shared by all visitors; everything of one visitor is in st.session_state.
"""

from __future__ import annotations

import streamlit as st

from app import page_parts
from app.page_session import open_index, visitors_llm
from app.problems import told_visitor
from indexer.errors import WayfinderError

# What stands under the name of a page that does not draw its own head.
_MOTTOS = {
    "research": "For questions with several parts: each is searched, read and followed to references and similar papers.",
    "similar": "Papers like your abstract, your draft, or papers you name.",
    "library": "Your own papers: ask only them, and take them away.",
    "about": "What this index holds, how answers are made and checked, and what becomes of your words.",
    "privacy": "What becomes of your words on this host, made of the settings in force.",
    "map": "The papers of this index, near each other where they are near in meaning.",
    "impact": "What facilities, methods and topics contributed, every number with its papers.",
}


def main() -> None:
    """Draw the page that is asked for; the only place where errors become words on it."""
    st.set_page_config(page_title="Wayfinder", page_icon="🧭", layout="centered")
    pages = _pages()
    page = st.navigation(pages, position="top")
    page_parts.style()
    if page.url_path in _MOTTOS:
        page_parts.masthead(page.title, _MOTTOS[page.url_path])
    try:
        page.run()
    except WayfinderError as error:
        st.error(page_parts.literal(told_visitor(error)))
    with st.container(key="page-foot"):
        st.page_link(pages[-1], label="Privacy on this host")


def _pages() -> list[st.Page]:
    """The pages in the order of the navigation: what asks, what looks around, what is one's own, what this is."""
    impact = st.Page(_impact, title="Impact", url_path="impact")

    def landscape() -> None:
        _map(impact)

    return [
        st.Page("page_ask.py", title="Ask", default=True),
        st.Page("page_search.py", title="Search", url_path="search"),
        st.Page("page_research.py", title="Deep research", url_path="research"),
        st.Page(landscape, title="Map", url_path="map"),
        impact,
        st.Page(_similar, title="Similar", url_path="similar"),
        st.Page(_library, title="Library", url_path="library"),
        st.Page(_about, title="About this index", url_path="about"),
        st.Page(_privacy, title="Privacy", url_path="privacy", visibility="hidden"),
    ]


def _map(impact: object) -> None:
    from app import page_map

    page_map.draw(open_index(), llm=visitors_llm(), impact_page=impact)


def _impact() -> None:
    from app import page_impact

    page_impact.draw(open_index())


def _similar() -> None:
    from app import page_similar

    page_similar.draw(open_index())


def _library() -> None:
    from app import page_library

    page_library.draw(open_index())


def _about() -> None:
    from app import page_about

    page_about.draw(open_index())


def _privacy() -> None:
    from app import page_about

    page_about.privacy(open_index())


if __name__ == "__main__":
    main()
