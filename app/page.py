"""The web app: its pages and what stands on all of them. Started by `wayfinder serve`.

One index per process is shared by all visitors; everything of one visitor is in st.session_state.
"""

from __future__ import annotations

import streamlit as st

from app import page_parts
from app.page_session import open_index, visitors_llm
from indexer.errors import WayfinderError

_ANSWERS = "Answers from the astronomical literature, every sentence with its paper."
_MOTTOS = {
    "map": "The papers of this index, near each other where they are near in meaning.",
    "similar": "Papers like your abstract, your draft, or papers you name.",
    "library": "Your own papers: ask only them, and take them away.",
    "about": "What this index holds, how answers are made and checked, and what becomes of your words.",
    "impact": "What facilities, methods and topics contributed, every number with its papers.",
}


def main() -> None:
    """Draw the page that is asked for; the only place where errors become words on it."""
    st.set_page_config(page_title="Wayfinder", page_icon="🧭", layout="centered")
    impact = st.Page(_impact, title="Impact", url_path="impact")

    def landscape() -> None:
        _map(impact)

    page = st.navigation(
        [
            st.Page("page_ask.py", title="Ask", default=True),
            st.Page("page_research.py", title="Deep research", url_path="research"),
            st.Page(landscape, title="Map", url_path="map"),
            impact,
            st.Page(_similar, title="Similar", url_path="similar"),
            st.Page(_library, title="Library", url_path="library"),
            st.Page(_about, title="About this index", url_path="about"),
        ],
        position="top",
    )
    page_parts.style()
    page_parts.masthead(_MOTTOS.get(page.url_path, _ANSWERS))
    try:
        page.run()
    except WayfinderError as error:
        st.error(page_parts.literal(str(error)))


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


if __name__ == "__main__":
    main()
