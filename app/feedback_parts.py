"""Votes on an answer, its sentences and its papers, drawn where the host keeps them; nothing is drawn where it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import streamlit as st

from app import feedback
from app.feedback import Feedback
from app.page_parts import literal
from indexer.errors import WayfinderError
from retrieval.records import Answer

MOST_COMMENT = 1_000  # characters
_KEPT = (
    "Votes are kept in a file on this host: the question, what you judge and your vote, with nothing that says who you are. "
    "They help to measure and mend the search."
)

Made = Callable[..., Feedback]  # the vote, from good (True, False, None) and the vote's name


@st.fragment
def answer_votes(answer: Answer) -> None:
    """Thumbs for the answer and for each of its sentences, and a word on what is wrong.

    A fragment: a vote leaves the page, and this box open, as they are.
    """
    if not feedback.enabled():
        return
    name = _name(answer)
    with st.expander("Was this right?"):
        st.caption(_KEPT)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**The whole answer**")
            _thumbs(f"{name}-answer", partial(feedback.on_answer, answer))
        for number, sentence in enumerate(answer.sentences, 1):
            said, judged = st.columns([7, 1], vertical_alignment="center")
            said.markdown(literal(sentence.text))
            with judged:
                vote = partial(feedback.on_sentence, answer, number)
                _thumbs(f"{name}-sentence-{number}", vote)
        with st.form(f"{name}-comment", border=False, clear_on_submit=True):
            comment = st.text_area(
                "What is wrong, or missing", key=f"{name}-said", max_chars=MOST_COMMENT, height=80
            )
            if st.form_submit_button("Send") and comment.strip():
                _keep(feedback.on_answer(answer, None, comment=comment.strip()))
    if problem := st.session_state.pop("feedback-problem", ""):
        st.warning(literal(problem))


def paper_votes(answer: Answer) -> dict[int, bool]:
    """This visitor's votes on the answer's papers, whether they are right for the question, by their numbers."""
    votes: dict[int, bool] = st.session_state.setdefault(f"{_name(answer)}-papers", {})
    return votes


def vote_on_paper(answer: Answer, n: int, *, good: bool) -> None:
    """Keep a vote on paper `n`; the same vote again takes it back."""
    votes = paper_votes(answer)
    chosen = None if votes.get(n) == good else good
    vote = st.session_state.setdefault(f"{_name(answer)}-paper-{n}-vote", feedback.new_vote())
    _keep(feedback.on_paper(answer, n, chosen, vote=vote))
    if chosen is None:
        del votes[n]
    else:
        votes[n] = chosen


def _thumbs(key: str, made: Made) -> None:
    st.feedback("thumbs", key=key, on_change=_voted, args=(key, made), persist_state="session")


def _voted(key: str, made: Made) -> None:
    """Keep a vote; one that is changed or taken back replaces the one before."""
    vote = st.session_state.setdefault(f"{key}-vote", feedback.new_vote())
    chosen = st.session_state[key]
    _keep(made(None if chosen is None else bool(chosen), vote=vote))


def _keep(one: Feedback) -> None:
    try:
        feedback.keep(one)
    except WayfinderError as error:
        st.session_state["feedback-problem"] = str(error)
    else:
        st.toast("Taken back." if one.good is None and not one.comment else "Kept, thank you.")


def _name(answer: Answer) -> str:
    """A name for this answer's controls: another answer has others."""
    told = f"{answer.search.snapshot} {answer.question} {answer.text}"
    return f"vote-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}"
