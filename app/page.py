"""The web page: ask a question, read an answer, check each sentence. Started by `wayfinder serve`.

One index per process is shared by all visitors; everything of one visitor is in st.session_state.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import map_page, page_parts
from app.default_index import default_index_dir
from app.examples import examples_for
from indexer import config
from indexer.errors import WayfinderError
from indexer.store import Index, read_manifest
from retrieval import ask, load_index
from retrieval.followup import Context, belongs, context_of, made_whole
from retrieval.llm import LLM
from retrieval.records import Answer, SearchSettings
from retrieval.writing import AnswerEvent


@st.cache_resource(show_spinner=False, max_entries=2)
def shared_index(directory: str, snapshot: str) -> Index:
    """The one index of this process, opened again when its snapshot changes."""
    return load_index(Path(directory))


@st.cache_data(show_spinner=False)
def example_questions(snapshot: str, _index: Index) -> list[str]:
    """Questions that this index can answer."""
    return examples_for(_index)


def main() -> None:
    """Draw the page; the only place where errors become words on it."""
    st.set_page_config(page_title="Wayfinder", page_icon="🧭", layout="centered")
    page_parts.style()
    page_parts.masthead()
    try:
        index = _open_index()
        if _on_map():
            map_page.draw(index, llm=_visitors_llm())
            return
        settings, offline, n_papers = page_parts.sidebar(
            index,
            llm_enabled=config.llm_config().enabled,
            reranker=config.reranker_config().name is not None,
        )
        kind = page_parts.question_kind()
        question = _question(index)
        if question:
            _answer(index, question, settings, kind=kind, offline=offline, n_papers=n_papers)
    except WayfinderError as error:
        st.error(page_parts.literal(str(error)))


def _on_map() -> bool:
    """Whether the visitor looks at the map (?map in the address) and not at the question's page."""
    st.session_state.setdefault("on-map", "map" in st.query_params)
    on_map = bool(st.session_state["on-map"])
    label = "← Back to the question" if on_map else "Map of all papers"
    if st.sidebar.button(label, key="to-map", type="tertiary"):
        st.session_state["on-map"] = not on_map
        st.rerun()
    return on_map


def _open_index() -> Index:
    bar = st.empty()

    def progress(stage: str, done: int, total: int | None) -> None:
        share = min(1.0, done / total) if total else 0.0
        bar.progress(
            share,
            f"First start: indexing the starter corpus · {stage} {done:,}"
            + (f" of {total:,}" if total else ""),
        )

    directory = default_index_dir(None, progress)
    bar.empty()
    return shared_index(str(directory), read_manifest(directory).snapshot)


def _question(index: Index) -> str:
    """The question asked: typed, picked from the examples, or in the address (?q=)."""
    if "question" not in st.session_state:
        st.session_state.question = st.query_params.get("q", "")[:20_000]
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
    *,
    kind: str | None,
    offline: bool,
    n_papers: int,
) -> None:
    """Show the answer to these settings; asked once, kept for this visitor until something changes."""
    settings = replace(settings, ignored=page_parts.taken_away(question))
    key = (index.manifest.snapshot, question, settings.key, kind, offline, n_papers)
    if st.session_state.get("answer_key") != key:
        st.session_state.answer = _ask_showing_stages(
            index, question, settings, kind=kind, offline=offline, n_papers=n_papers
        )
        st.session_state.answer_key = key
    answer: Answer = st.session_state.answer
    page_parts.understood(question, answer.search.understood)
    page_parts.answer(answer)
    page_parts.moved(answer.search)
    page_parts.papers(answer)
    if not answer.refused:
        with st.form("further", border=False, clear_on_submit=True):
            st.text_input("Ask further", key="further", placeholder="And at high redshift?")
            st.form_submit_button("Ask further", on_click=_follow, args=(answer, offline))


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
    whole = made_whole(further, thread, None if offline else _visitors_llm())
    st.session_state.thread = thread
    st.session_state.question = st.session_state.asked = whole


def _ask_showing_stages(
    index: Index,
    question: str,
    settings: SearchSettings,
    *,
    kind: str | None,
    offline: bool,
    n_papers: int,
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
            if event.sentence is not None:
                status.update(label="Writing, and checking each sentence against its papers")
                growing.add(event.sentence)

        answer = ask(
            index,
            question,
            settings,
            llm=_visitors_llm(),
            kind=kind,
            thread=_thread(question),
            offline=offline,
            n_papers=n_papers,
            on_event=on_event,
        )
    place.empty()
    return answer


def _visitors_llm() -> LLM | None:
    """This visitor's session with the language model: its budget of tokens is the visitor's own."""
    configured = config.llm_config()
    known: LLM | None = st.session_state.get("llm")
    if known is None or known.config != configured:
        st.session_state.llm = LLM(configured) if configured.enabled else None
    llm: LLM | None = st.session_state.llm
    return llm


if __name__ == "__main__":
    main()
