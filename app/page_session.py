"""What the pages of the web app share: the index of this process, and a visitor's language model."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.default_index import default_index_dir
from indexer import config
from indexer.store import Index, read_manifest
from retrieval import load_index
from retrieval.llm import LLM


@st.cache_resource(show_spinner=False, max_entries=2)
def shared_index(directory: str, snapshot: str) -> Index:
    """The one index of this process, opened again when its snapshot changes."""
    return load_index(Path(directory))


def open_index() -> Index:
    """The index that all visitors share; the starter corpus is indexed first where it is needed."""
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


def visitors_llm() -> LLM | None:
    """This visitor's session with the language model: its budget of tokens is the visitor's own."""
    configured = config.llm_config()
    known: LLM | None = st.session_state.get("llm")
    if known is None or known.config != configured:
        st.session_state.llm = LLM(configured) if configured.enabled else None
    llm: LLM | None = st.session_state.llm
    return llm
