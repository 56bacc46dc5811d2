"""The box that a question is typed into, the same on the page that asks and the page that searches."""

from __future__ import annotations

import streamlit as st

from app.examples import examples_for
from app.page_parts import literal
from indexer.store import Index


def question_box(box: str, asked: str, *, label: str, placeholder: str, button: str) -> bool:
    """Draw the box and its button; keep what is sent in the session as `asked`. Return whether nothing was typed."""

    def send() -> None:
        st.session_state[asked] = st.session_state[box]
        st.session_state[f"{box}-empty"] = not st.session_state[box].strip()

    with (
        st.form(f"form-{box}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        # With its value, so that a browser that draws it late has it too.
        st.text_input(label, st.session_state[box], key=box, placeholder=placeholder, label_visibility="collapsed")  # fmt: skip
        st.form_submit_button(button, type="primary", on_click=send)
    nothing: bool = st.session_state.pop(f"{box}-empty", False)
    if nothing:
        st.info("Type a question first: a few plain words are enough.")
    return nothing


def examples(index: Index, box: str, asked: str) -> None:
    """Questions that this index can answer, each asked by a click."""

    def pick(example: str) -> None:
        st.session_state.thread = None
        st.session_state[box] = st.session_state[asked] = example

    with st.container(gap=None, key="examples"):
        st.caption("For example")
        for number, example in enumerate(_known(index.manifest.snapshot, index)):
            st.button(
                literal(example),
                key=f"example-{number}",
                on_click=pick,
                args=(example,),
                type="tertiary",
            )


@st.cache_data(show_spinner=False)
def _known(snapshot: str, _index: Index) -> list[str]:
    return examples_for(_index)
