"""What the pages of the web app share: the index of this process, a visitor, and what is that visitor's alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.default_index import default_index_dir
from app.limits import NOBODY
from app.model_session import model_session
from app.questions import Asked, What, queue
from app.served_index import served
from app.web_visitor import NAMED, VISITOR
from indexer import config
from indexer.errors import QueryError, WayfinderError
from indexer.snapshots import kept_snapshots, linked
from indexer.store import Index
from retrieval import load_index
from retrieval.llm import LLM

T = TypeVar("T")


@st.cache_resource(show_spinner=False, max_entries=2)
def _earlier(directory: str, snapshot: str) -> Index:
    """A snapshot that is not in use, opened for whoever follows a link to it."""
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
    return served(directory.resolve()).current()


def earlier_index(index: Index, snapshot: str) -> Index | None:
    """The earlier snapshot of this index whose id begins so, where it is still kept and can be opened."""
    for kept in kept_snapshots(linked(index.path)):
        if kept.snapshot.startswith(snapshot):
            try:
                return _earlier(str(kept.path), kept.snapshot)
            except WayfinderError:
                return None
    return None


def visitor() -> str:
    """Who is at this page: a name or an address, as app/web_visitor.py found it."""
    return str(st.context.headers.get(VISITOR) or NOBODY)


def user_name() -> str:
    """The name by which the visitor logged in at the host's proxy; empty where there is no such login."""
    who = visitor()
    named = config.web_config().login_header and who.startswith(NAMED)
    return who.removeprefix(NAMED).encode().decode("unicode_escape") if named else ""


def visitors_llm() -> LLM | None:
    """This visit's session with the language model, within what its visitor may use in a day."""
    known: LLM | None = st.session_state.get("llm")
    if known is None or known.config != config.llm_config():
        st.session_state.llm = model_session(visitor())
    llm: LLM | None = st.session_state.llm
    return llm


def asked(what: What, question: str, work: Callable[[], T]) -> T:
    """Do the work of this visitor's question: within the limits, when it is its turn, counted and logged.

    Raises:
        TooOften, TooBusy: not now.
    """
    place = st.empty()

    def waiting(ahead: int) -> None:
        before = "Yours is the next" if not ahead else f"{ahead} {'is' if ahead == 1 else 'are'} before yours"  # fmt: skip
        place.info(f"Many questions are being worked on. {before}; it begins by itself.", icon=":material/hourglass_top:")  # fmt: skip

    def begun() -> T:
        place.empty()
        return work()

    return queue().ask(Asked("page", what, question, visitor()), begun, waiting)


def asked_in_background(
    what: What, question: str, cancel: threading.Event
) -> Callable[[Callable[[], T]], T]:
    """The same for work in a thread of its own, made ready on the page: call the result there with the work.

    Raises:
        QueryError: it was cancelled before it began.
    """
    of = Asked("page", what, question, visitor())

    def waiting(ahead: int) -> None:
        if cancel.is_set():
            raise QueryError("It was cancelled before its turn came.")

    return lambda work: queue().ask(of, work, waiting)


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
