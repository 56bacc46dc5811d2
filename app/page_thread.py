"""A visitor's thread of questions: what was asked and answered before in it, to be read again beside the latest answer."""

from __future__ import annotations

import streamlit as st

from app.answer_parts import paragraphs
from app.page_parts import escape
from retrieval.followup import Context, belongs, context_of
from retrieval.records import Answer

MOST_TURNS = 20


def thread_of(question: str) -> Context | None:
    """The visitor's thread, as long as the question is on its subject."""
    thread: Context | None = st.session_state.get("thread")
    return thread if thread is not None and belongs(question, thread) else None


def remember(answer: Answer) -> Context:
    """Put an answer behind the thread's earlier ones; return the context that it leaves."""
    turns: list[Answer] = st.session_state.get("turns", [])
    st.session_state.turns = [*turns, answer][-MOST_TURNS:]
    thread = context_of(answer)
    st.session_state.thread = thread
    return thread


def forget() -> None:
    """Begin anew: another question is no part of the thread."""
    st.session_state.thread = None
    st.session_state.turns = []


def earlier_turns(latest: Answer) -> None:
    """The thread's earlier questions and answers, folded; nothing where there are none."""
    turns: list[Answer] = [t for t in st.session_state.get("turns", []) if t is not latest]
    if not turns:
        return
    with st.expander(f"Earlier in this thread ({len(turns)})"):
        for number, turn in enumerate(turns):
            text = paragraphs(turn.sentences, turn.papers, by_paper=turn.mode == "extractive")
            st.html(f'<h3 class="wf-turn">{escape(turn.question)}</h3>{text}')
            st.button("Back to this question", key=f"turn-{number}", on_click=_back, args=(number,), type="tertiary")  # fmt: skip


def _back(number: int) -> None:
    """Ask an earlier question again, with what was asked before it as its thread."""
    turns: list[Answer] = st.session_state.turns
    question = turns[number].question
    st.session_state.turns = turns[:number]
    st.session_state.thread = context_of(turns[number - 1]) if number else None
    st.session_state.question = st.session_state.asked = question
