"""What the pages of the web app share: the index of this process, and a visitor's language model and set of papers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.default_index import default_index_dir
from indexer import config
from indexer.errors import WayfinderError
from indexer.snapshots import kept_snapshots, linked
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


def earlier_index(index: Index, snapshot: str) -> Index | None:
    """The earlier snapshot of this index whose id begins so, where it is still kept and can be opened."""
    for kept in kept_snapshots(linked(index.path)):
        if kept.snapshot.startswith(snapshot):
            try:
                return shared_index(str(kept.path), kept.snapshot)
            except WayfinderError:
                return None
    return None


def visitors_llm() -> LLM | None:
    """This visitor's session with the language model: its budget of tokens is the visitor's own."""
    configured = config.llm_config()
    known: LLM | None = st.session_state.get("llm")
    if known is None or known.config != configured:
        st.session_state.llm = LLM(configured) if configured.enabled else None
    llm: LLM | None = st.session_state.llm
    return llm


def keep_set(index: Index, rows: npt.NDArray[np.int64]) -> None:
    """Keep the papers at `rows`, taken from the map, for the other pages of this visitor."""
    st.session_state["set-from-map"] = (index.manifest.snapshot, rows)


def set_from_map(index: Index) -> npt.NDArray[np.int64] | None:
    """The papers that this visitor took from the map; None where there are none or they are of another snapshot."""
    kept = st.session_state.get("set-from-map")
    if kept is None or kept[0] != index.manifest.snapshot:
        return None
    rows: npt.NDArray[np.int64] = kept[1]
    return rows


def forget_set() -> None:
    """Let the papers taken from the map go."""
    st.session_state.pop("set-from-map", None)
