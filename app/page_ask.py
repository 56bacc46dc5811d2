"""The page of the web app that asks: a question, its answer, and each sentence to check.

Streamlit runs this file where app/page.py shows it. Everything of one visitor is in st.session_state.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import (
    answer_parts,
    feedback_parts,
    library_parts,
    page_actions,
    page_files,
    page_link,
    page_parts,
    page_settings,
)
from app.card_tools import CardTools
from app.page_question import examples, question_box
from app.page_session import asked, visitors_llm
from app.page_thread import earlier_turns, forget, remember, thread_of
from app.page_wording import Asking, asking, wording_box
from indexer.store import Index
from retrieval import ask
from retrieval.followup import made_whole
from retrieval.records import Answer, Checking, SearchSettings
from retrieval.writing import AnswerEvent

_MOTTO = "Answers from the astronomical literature, every sentence with its paper."


def main() -> None:
    """Draw the page: the question and its settings, then the answer, or examples where nothing is asked."""
    page_link.restore("question", "asked")
    first = not st.session_state.asked.strip()
    page_parts.masthead("Wayfinder", _MOTTO if first else "", first=first)
    nothing = question_box(
        "question",
        "asked",
        label="Your question",
        placeholder="Ask in plain words, or paste an abstract",
        button="Ask",
    )
    of = page_settings.host()
    settings = page_settings.settings_row(of, lambda: wording_box(of), page_files.take)
    chosen = asking(of)
    index = page_link.linked_index()
    settings = library_parts.narrowed(index, settings)
    question = str(st.session_state.asked).strip()
    place = st.empty()  # emptied at once when something is asked
    if question:
        _answered(index, question, settings, chosen)
    else:
        page_link.address("", index)
        if not nothing:
            with place:
                examples(index, "question", "asked")
    page_parts.foot(index)


def _answered(index: Index, question: str, settings: SearchSettings, chosen: Asking) -> None:
    """The answer to what is asked, its papers, and what can be done with both."""
    place = st.container()
    answer = _answer(index, question, settings, chosen)
    statement = page_settings.corrected_statement(question)
    with place:
        page_settings.understood(question, answer.search.understood)
        page_settings.statement(question, answer)
        earlier_turns(answer)
    query = page_link.address(question, index, statement=statement)
    answer_parts.answer(answer)
    with st.container(horizontal=True, vertical_alignment="center"):
        library_parts.answer_files(answer)
        if not answer.refused:
            page_actions.copy_row(answer, query)
    if not answer.refused:
        with st.container(
            key="further-row"
        ):  # not at the page's foot: Streamlit would scroll there
            st.chat_input("Ask further: and at high redshift?", key="further", max_chars=2_000, on_submit=_follow, args=(answer, chosen.offline))  # fmt: skip
    feedback_parts.answer_votes(answer)
    answer_parts.moved(answer.search)
    answer_parts.papers(answer, index=index, tools=CardTools(answer))
    answer_parts.set_aside(answer)
    st.button("All papers on this", icon=":material/search:", on_click=_search, args=(question,))
    if st.session_state.pop("to-search", False):
        st.switch_page("page_search.py")


def _answer(index: Index, question: str, settings: SearchSettings, chosen: Asking) -> Answer:
    """The answer to these settings; asked once, kept for this visitor until something changes."""
    settings = replace(settings, ignored=page_settings.taken_away(question))
    statement = page_settings.corrected_statement(question)
    asked_with = (chosen, page_files.names(), _balance(), statement, thread_of(question))
    key = (index.manifest.snapshot, question, settings.key, asked_with)
    if st.session_state.get("answer_key") != key:
        if thread_of(question) is None:
            forget()
        st.session_state.answer = asked(
            "ask",
            question,
            lambda: _ask_showing_stages(index, question, settings, chosen, statement=statement),
        )
        st.session_state.answer_key = key
    answer: Answer = st.session_state.answer
    return answer


def _balance() -> bool:
    return bool(st.session_state.get(page_settings.state_key("teams"), True))


def _search(question: str) -> None:
    """Take the question to the page that searches."""
    st.session_state.searched = question
    st.session_state.pop("search-question", None)
    st.session_state["to-search"] = True


def _follow(answer: Answer, offline: bool) -> None:
    """Make the further question whole and put it into the question's box, where it can be changed."""
    further = str(st.session_state.further).strip()
    if not further:
        return
    thread = remember(answer)
    whole = made_whole(further, thread, None if offline else visitors_llm())
    st.session_state.question = st.session_state.asked = whole


def _ask_showing_stages(
    index: Index,
    question: str,
    settings: SearchSettings,
    chosen: Asking,
    *,
    statement: str | None,
) -> Answer:
    """Ask, with the stages and the growing answer on the page."""
    place = st.empty()
    with place.container():
        status = st.status(f"Searching {len(index.papers):,} papers", expanded=False)
        growing = answer_parts.GrowingAnswer()

        def on_event(event: AnswerEvent) -> None:
            if event.search is not None:
                status.update(
                    label=f"Reading the {len(event.search.hits)} best of {event.search.n_candidates:,} papers"
                )
                growing.papers = event.search.hits
            if event.words:
                growing.writing(event.words)
            if event.sentence is not None:
                if not growing.sentences:
                    status.update(label="Writing, and checking each sentence against its papers")
                growing.add(event.sentence)

        answer = ask(
            index,
            question,
            settings,
            llm=visitors_llm(),
            kind=chosen.kind,
            style=chosen.style,
            checking=Checking(drop=chosen.drop),
            thread=thread_of(question),
            full_texts=page_files.full_texts(),
            balance=_balance(),
            offline=chosen.offline,
            n_papers=chosen.n_papers,
            statement=statement,
            on_event=on_event,
        )
    place.empty()
    return answer


main()
