"""The page of the web app that asks: a question, its answer, and each sentence to check.

Streamlit runs this file where app/page.py shows it. Everything of one visitor is in st.session_state.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import feedback_parts, library_parts, page_files, page_parts, page_wording
from app.examples import examples_for
from app.page_session import open_index, visitors_llm
from indexer import config
from indexer.store import Index
from retrieval import ask
from retrieval.followup import Context, belongs, context_of, made_whole
from retrieval.records import Answer, Checking, Hit, SearchSettings
from retrieval.writing import AnswerEvent


@st.cache_data(show_spinner=False)
def example_questions(snapshot: str, _index: Index) -> list[str]:
    """Questions that this index can answer."""
    return examples_for(_index)


def main() -> None:
    """Draw the page."""
    index = open_index()
    settings, offline, n_papers = page_parts.sidebar(
        index,
        llm_enabled=config.llm_config().enabled,
        reranker=config.reranker_config().name is not None,
    )
    kind = page_parts.question_kind()
    style, drop = page_wording.wording(llm_enabled=config.llm_config().enabled, offline=offline)
    asking = page_wording.Asking(kind, offline, n_papers, style, drop)
    question = _question(index)
    page_files.take()
    settings = library_parts.narrowed(index, settings)
    if question:
        _answer(index, question, settings, asking)


def _question(index: Index) -> str:
    """The question asked: typed, picked from the examples, or in the address (?q=)."""
    if "question" not in st.session_state:
        # Streamlit forgets a box that another page does not show; what was asked is kept.
        before = st.session_state.get("asked", "")
        st.session_state.question = st.query_params.get("q", before)[:20_000]
        st.session_state.asked = st.session_state.question
    with st.form("ask", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Your question",
            key="question",
            placeholder="Ask in plain words, or paste an abstract",
            label_visibility="collapsed",
        )
        if st.form_submit_button("Ask", type="primary"):
            st.session_state.asked = st.session_state.question
            if not st.session_state.asked.strip():
                st.info("Type a question first: a few plain words are enough.")
    if not st.session_state.asked.strip():
        _examples(index)
    asked = str(st.session_state.asked).strip()
    if asked and len(asked) < 500:
        st.query_params["q"] = asked
    else:
        st.query_params.clear()
    return asked


def _examples(index: Index) -> None:
    st.caption("For example")
    with st.container(gap=None):
        for number, example in enumerate(example_questions(index.manifest.snapshot, index)):
            label = page_parts.literal(example)
            st.button(
                label, key=f"example-{number}", on_click=_pick, args=(example,), type="tertiary"
            )


def _pick(example: str) -> None:
    st.session_state.thread = None
    st.session_state.question = example
    st.session_state.asked = example


def _answer(
    index: Index,
    question: str,
    settings: SearchSettings,
    asking: page_wording.Asking,
) -> None:
    """Show the answer to these settings; asked once, kept for this visitor until something changes."""
    settings = replace(settings, ignored=page_parts.taken_away(question))
    files = page_files.names()
    balance = bool(st.session_state.get("balance", True))
    statement = page_parts.corrected_statement(question)
    asked_with = (asking, files, balance, statement, _thread(question))
    key = (index.manifest.snapshot, question, settings.key, asked_with)
    if st.session_state.get("answer_key") != key:
        st.session_state.answer = _ask_showing_stages(
            index,
            question,
            settings,
            asking,
            statement=statement,
        )
        st.session_state.answer_key = key
    answer: Answer = st.session_state.answer
    page_parts.understood(question, answer.search.understood)
    page_parts.statement(question, answer)
    page_parts.answer(answer)
    page_parts.moved(answer.search)
    library_parts.answer_files(answer)
    feedback_parts.answer_votes(answer)
    page_parts.papers(answer, tools=lambda n, hit: _tools(answer, n, hit))
    page_parts.set_aside(answer)
    if not answer.refused:
        with st.form("further", border=False, clear_on_submit=True):
            st.text_input("Ask further", key="further", placeholder="And at high redshift?")
            st.form_submit_button("Ask further", on_click=_follow, args=(answer, asking.offline))


def _tools(answer: Answer, n: int, hit: Hit) -> None:
    """What is offered for a paper: to keep it, to judge it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        library_parts.add_control(n, hit)
        feedback_parts.paper_vote(answer, n, hit)


def _thread(question: str) -> Context | None:
    """The visitor's thread, as long as the question is on its subject."""
    thread: Context | None = st.session_state.get("thread")
    return thread if thread is not None and belongs(question, thread) else None


def _follow(answer: Answer, offline: bool) -> None:
    """Make the further question whole and put it into the question's box, where it can be changed."""
    further = str(st.session_state.further).strip()
    if not further:
        return
    thread = context_of(answer)
    whole = made_whole(further, thread, None if offline else visitors_llm())
    st.session_state.thread = thread
    st.session_state.question = st.session_state.asked = whole


def _ask_showing_stages(
    index: Index,
    question: str,
    settings: SearchSettings,
    asking: page_wording.Asking,
    *,
    statement: str | None,
) -> Answer:
    """Ask, with the stages and the growing answer on the page."""
    place = st.empty()
    with place.container():
        status = st.status(f"Searching {len(index.papers):,} papers", expanded=False)
        growing = page_parts.GrowingAnswer()

        def on_event(event: AnswerEvent) -> None:
            if event.search is not None:
                status.update(
                    label=f"Reading the {len(event.search.hits)} best of {event.search.n_candidates:,} papers"
                )
                growing.papers = event.search.hits
            if event.words:
                growing.writing(event.words)
            if event.sentence is not None:
                status.update(label="Writing, and checking each sentence against its papers")
                growing.add(event.sentence)

        answer = ask(
            index,
            question,
            settings,
            llm=visitors_llm(),
            kind=asking.kind,
            style=asking.style,
            checking=Checking(drop=asking.drop),
            thread=_thread(question),
            full_texts=page_files.full_texts(),
            balance=bool(st.session_state.get("balance", True)),
            offline=asking.offline,
            n_papers=asking.n_papers,
            statement=statement,
            on_event=on_event,
        )
    place.empty()
    return answer


main()
