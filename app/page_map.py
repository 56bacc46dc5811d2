"""The map page: all papers of the index, and what a reader does with a part of them. `draw` draws it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import library_parts, map_parts, page_parts
from app.map_data import pack
from app.problems import told_visitor
from indexer import config
from indexer.build import map_index
from indexer.errors import WayfinderError
from indexer.landscape import Landscape
from indexer.store import Index
from retrieval.landscape import gaps, opened_landscape, rows_inside
from retrieval.llm import LLM
from retrieval.paper_sets import Rows
from retrieval.records import Answer

ASSETS = Path(__file__).with_name("map")
MOST_MARKS = 3_000  # marks over the points


def draw(index: Index, *, llm: LLM | None = None, impact_page: Any = None) -> None:
    """Draw the page for an opened index.

    `llm` writes answers from a set, without it they are quoted; `impact_page` (an st.Page) shows a set's impact.
    """
    try:
        if index.landscape is None:
            _offer(index)
            return
        _whole(index, opened_landscape(index), llm, impact_page)
    except WayfinderError as error:
        st.error(page_parts.literal(told_visitor(error)))


def _offer(index: Index) -> None:
    """Say that the index has no map, and make it on a click; where others visit too its host alone makes one."""
    n = len(index.papers)
    if config.web_config().hosted:
        st.info(f"This index of {n:,} papers has no map. Whoever hosts it makes one with `wayfinder index map`.")  # fmt: skip
        return
    minutes = max(1, round(n / 20_000))
    st.info(
        f"This index of {n:,} papers has no map. Making it takes about {minutes} minute{'s' if minutes > 1 else ''} on two cores; "
        "searches go on meanwhile. `wayfinder index map` does the same."
    )
    if st.button("Make the map", type="primary"):
        bar = st.progress(0.0)

        def progress(stage: str, done: int, total: int | None) -> None:
            bar.progress(min(1.0, done / total) if total else 0.0, f"{stage} {done:,}")

        map_index(index.path, progress=progress)
        st.rerun()


def _whole(index: Index, landscape: Landscape, llm: LLM | None, impact_page: Any) -> None:
    lost = int((~np.isfinite(landscape.places).all(axis=1)).sum())
    facts = [f"{len(index.papers):,} papers"]
    if landscape.n_placed:
        facts.append(f"{landscape.n_placed:,} placed since it was laid out")
    if lost:
        facts.append(f"{lost:,} have no place and are left out")
    st.caption(page_parts.literal("; ".join(facts) + ". Drag to move, scroll to zoom, Lasso or Box to take a set."))  # fmt: skip
    above = st.container()
    library = _library(index)
    with above:
        _drawn(index, landscape, library, llm, impact_page)
    map_parts.growth_table(index, landscape)
    map_parts.gaps_list(index, landscape)
    map_parts.clusters_table(index, landscape)


def _library(index: Index) -> Rows | None:
    """The rows of the visitor's library, which a BibTeX file can be added to here; None without one."""
    with st.expander("Your library on the map"):
        library_parts.file_taken(index, "map-library-file")
        library_parts.file_told()
    rows = library_parts.visitors_library().row_numbers(index)
    return rows if len(rows) else None


@st.fragment
def _drawn(
    index: Index, landscape: Landscape, library: Rows | None, llm: LLM | None, impact_page: Any
) -> None:
    """The map, its marks and the set taken from it: what runs again at each lasso."""
    with st.container(horizontal=True):
        show_answer = st.toggle("● Papers of my question", value=True, key="map-answer")
        show_library = library is not None and st.toggle("◆ My library", value=True, key="map-mine")
        show_gaps = st.toggle("◌ Sparse regions", key="map-gaps")
    answer: Answer | None = st.session_state.get("answer")
    marks = [
        *(_library_marks(library) if library is not None and show_library else ()),
        *(_answer_marks(index, answer) if answer is not None and show_answer else ()),
    ]
    _component("map-marks", css="", html="")(
        key="map-marks", data={"marks": marks, "gaps": _gap_rings(index, landscape) if show_gaps else []}, height=1
    )  # fmt: skip
    state = _component("map", css=_asset("map.css"), html=_asset("map.html"))(
        key="map",
        data=_packed(index.manifest.snapshot, index),
        on_selection_change=_nothing,
        on_picked_change=_nothing,
    )
    picked = state.get("picked")
    if isinstance(picked, int) and 0 <= picked < len(index.papers):
        map_parts.paper_card(index, picked)
    selection = state.get("selection")
    if selection:
        rows = selected(index, landscape, selection)
        map_parts.paper_set(index, landscape, rows, llm=llm, impact_page=impact_page)


def selected(index: Index, landscape: Landscape, selection: dict[str, Any]) -> Rows:
    """The rows of a selection as the browser tells it: a polygon and, where not all are shown, years."""
    among = None
    years = selection.get("years")
    if years:
        among = np.asarray((index.year >= int(years[0])) & (index.year <= int(years[1])))
    return rows_inside(landscape, selection.get("polygon") or (), among)


def _answer_marks(index: Index, answer: Answer) -> list[dict[str, Any]]:
    """The papers of the last answer, by their numbers there; none where it is of another snapshot."""
    if answer.search.snapshot != index.manifest.snapshot:
        return []
    return [
        {"row": hit.row, "label": str(number), "kind": "question"}
        for number, hit in enumerate(answer.papers, 1)
    ]


def _library_marks(library: Rows) -> list[dict[str, Any]]:
    return [{"row": int(row), "label": "", "kind": "library"} for row in library[:MOST_MARKS]]


def _gap_rings(index: Index, landscape: Landscape) -> list[dict[str, Any]]:
    return [
        {"x": gap.x, "y": gap.y, "radius": gap.radius, "label": str(number)}
        for number, gap in enumerate(gaps(landscape), 1)
    ]


@st.cache_data(show_spinner="Preparing the map", max_entries=2)
def _packed(snapshot: str, _index: Index) -> bytes:
    return pack(_index)


@cache
def _component(name: str, *, css: str, html: str) -> Any:
    """A mounting of the map's code: with the papers it draws them, with marks it hands them over."""
    return st.components.v2.component(
        f"wayfinder_{name}", js=_asset("map.bundle.js"), css=css, html=html, isolate_styles=False
    )


@cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _nothing() -> None:
    """The component's state is read where it is mounted."""
