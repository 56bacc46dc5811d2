"""The address of a page as a link: read once when a visit begins, checked, and kept in step with what is asked."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from app import page_settings
from app.page_parts import literal
from app.page_session import earlier_index, open_index
from app.share_link import (
    MOST_CHARACTERS,
    SNAPSHOT_CHARACTERS,
    SharedQuestion,
    link_parameters,
    read_link,
)
from indexer.errors import QueryError
from indexer.store import Index

_SNAPSHOT, _REFUSED = "link-snapshot", "link-refused"


def restore(box: str, asked: str) -> None:
    """Take question and settings from the address, once a visit of a page.

    `box` and `asked` name where the page keeps what stands in its box and what was asked. A link that is
    refused leaves its question in the box, unasked.
    """
    if box in st.session_state:
        return
    # Streamlit forgets a box that another page does not show; what was asked is kept.
    st.session_state.setdefault(asked, "")
    st.session_state[box] = st.session_state[asked]
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    if "q" not in given:
        return
    try:
        shared = read_link(given)
    except QueryError as error:
        st.session_state[_REFUSED] = str(error)
        st.session_state[box] = given["q"][0][:MOST_CHARACTERS]
        st.session_state[asked] = ""
        return
    st.session_state[box] = st.session_state[asked] = shared.question
    if len(given) > 1:
        page_settings.restore(shared.settings)
    page_settings.take_away(shared.question, shared.taken_away)
    if shared.statement:
        st.session_state[page_settings.statement_key(shared.question)] = shared.statement
    st.session_state[_SNAPSHOT] = shared.snapshot


def linked_index() -> Index:
    """The index to ask: the snapshot that the link was made on where it is still kept here, else the one in use.

    Says on the page which of the two it is where they differ, and why a link was refused.
    """
    if refused := st.session_state.pop(_REFUSED, ""):
        st.warning(literal(refused))
    current = open_index()
    wanted = st.session_state.get(_SNAPSHOT, "")
    if not wanted or current.manifest.snapshot.startswith(wanted):
        return current
    earlier = earlier_index(current, wanted)
    in_use = f"{current.manifest.snapshot[:8]} as of {current.manifest.as_of}"
    if earlier is None:
        st.info(
            f"This link was made on snapshot {wanted[:8]}, which is not kept here: what follows is from snapshot "
            f"{in_use} and may differ."
        )
        return current
    st.info(
        f"This link was made on the earlier snapshot {wanted[:8]}, and it is searched here. The one in use is {in_use}."
    )
    st.button("Ask the one in use", key="link-present", on_click=_present)
    return earlier


def _present() -> None:
    st.session_state.pop(_SNAPSHOT, None)


def address(question: str, index: Index, *, statement: str | None = None) -> str:
    """Put the link of what is asked into the address bar and return its query; empty where there can be none."""
    shared = SharedQuestion(
        question,
        page_settings.changed(),
        page_settings.taken_away(question),
        statement or "",
        index.manifest.snapshot[:SNAPSHOT_CHARACTERS],
    )
    parameters = link_parameters(shared)
    if parameters is None:
        if len(st.query_params):
            st.query_params.clear()
        return ""
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    wanted = {n: list(v) if isinstance(v, list) else [v] for n, v in parameters.items()}
    if given != wanted:
        st.query_params.from_dict(parameters)
    return urlencode(parameters, doseq=True)
