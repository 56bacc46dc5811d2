"""The web app: its pages and what stands on all of them. Started by `wayfinder serve`.

One index per process is shared by all visitors; everything of one visitor is in st.session_state.
"""

from __future__ import annotations

import streamlit as st

from app import page_parts
from app.page_session import open_index, visitors_llm
from indexer.errors import WayfinderError


def main() -> None:
    """Draw the page that is asked for; the only place where errors become words on it."""
    st.set_page_config(page_title="Wayfinder", page_icon="🧭", layout="centered")
    page = st.navigation(
        [
            st.Page("page_ask.py", title="Ask", default=True),
            st.Page("page_research.py", title="Deep research", url_path="research"),
            st.Page(_map, title="Map", url_path="map"),
            st.Page(_impact, title="Impact", url_path="impact"),
        ],
        position="top",
    )
    page_parts.style()
    page_parts.masthead()
    try:
        page.run()
    except WayfinderError as error:
        st.error(page_parts.literal(str(error)))


def _map() -> None:
    from app import map_page

    map_page.draw(open_index(), llm=visitors_llm())


def _impact() -> None:
    from app import impact_page

    impact_page.page(open_index())


if __name__ == "__main__":
    main()
