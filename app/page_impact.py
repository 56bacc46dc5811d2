"""The page on impact: what facilities, methods and topics contributed; all numbers come from retrieval.impact.

`draw` draws it; a set taken from the map restricts it until its visitor takes that away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import streamlit as st

from app import charts
from app.cli_impact import as_csv
from app.impact_report import moved, moved_head, moved_words, numbers, report, terms
from app.page_parts import literal, table
from app.page_session import asked, forget_set, set_from_map
from app.problems import told_visitor
from indexer.errors import WayfinderError
from indexer.store import Index
from retrieval.impact import (
    MOST_COMPARED,
    Impact,
    Kind,
    Rows,
    Scope,
    compare,
    counted,
    known_names,
)
from retrieval.impact_rows import DEFINITIONS, impact_row, top_rows

SHOWN_OF_A_SET = 3  # names chosen at first where a set came from the map
_KINDS: dict[str, Kind] = {"Facility": "facility", "Method": "method", "Topic": "topic"}


def draw(index: Index) -> None:
    """Draw the page for an index."""
    if index.uses is None:
        st.info(f"This index lacks facilities and methods. `wayfinder index facilities {literal(index.path.name)}` adds them in a minute or so; topics need none.")  # fmt: skip
    kinds = [name for name, kind in _KINDS.items() if kind == "topic" or index.uses is not None]
    rows = set_from_map(index)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = _KINDS[str(st.segmented_control("Of a", kinds, default=kinds[0], required=True))]  # fmt: skip
        if rows is not None:
            st.button(f"Among {counted(len(rows))} from the map", icon=":material/close:", key="impact-set", on_click=forget_set, help="Click to look at all papers again.")  # fmt: skip
    names = _names(index, kind, rows)
    scope = _scope(index, rows)
    if not names:
        st.caption("Choose one or several to see what they contributed.")
        return
    try:
        found = _found(index, names, kind, scope)
    except WayfinderError as error:
        st.warning(literal(told_visitor(error)))
        return
    _draw(index, found)


def _found(index: Index, names: Sequence[str], kind: Kind, scope: Scope) -> list[Impact]:
    """What each name contributed: asked once, kept for this visitor until something changes."""
    key = (index.manifest.snapshot, tuple(names), kind, scope)
    if st.session_state.get("impact-key") != key:
        st.session_state["impact-found"] = asked(
            "impact", ", ".join(names), lambda: compare(index, names, kind, scope)
        )
        st.session_state["impact-key"] = key
    found: list[Impact] = st.session_state["impact-found"]
    return found


def _names(index: Index, kind: Kind, rows: Rows | None) -> list[str]:
    if kind == "topic":
        words = st.text_input("Topics, separated by ;", placeholder="little red dots; dark energy", max_chars=300)  # fmt: skip
        return [word.strip() for word in words.split(";") if word.strip()][:MOST_COMPARED]
    known = known_names(index, kind)
    first = known[:1]
    what = "facilities" if kind == "facility" else "methods"
    if rows is not None:
        of_set = known_names(index, kind, rows)
        first = of_set[:SHOWN_OF_A_SET]
        known = list(dict.fromkeys([*of_set, *known]))
        if not of_set:
            st.info(f"None of {counted(len(rows))} from the map used one of the {what} that are known.")  # fmt: skip
    if not known:
        return []
    return st.multiselect(f"{what.capitalize()}, most used first", known, default=first, max_selections=MOST_COMPARED)  # fmt: skip


def _scope(index: Index, rows: Rows | None) -> Scope:
    among = None if rows is None else tuple(rows.tolist())
    with st.expander("Restrict to words or years"):
        query = st.text_input("Only papers on", placeholder="little red dots", max_chars=200).strip()  # fmt: skip
        known = index.year[index.year > 0]
        first, last = (int(known.min()), int(known.max())) if len(known) else (2000, 2000)
        if first == last:
            return Scope(query, rows=among)
        since, until = st.slider("Years", first, last, (first, last))
    return Scope(query, None if since == first else since, None if until == last else until, rows=among)  # fmt: skip


def _draw(index: Index, found: Sequence[Impact]) -> None:
    first = found[0]
    restricted = f", {literal(first.scope.label)}" if first.scope.label else ""
    st.caption(
        f"{counted(first.n_scope)} looked at{restricted}, as of {first.as_of}. "
        "Counts are of this index, not of the whole literature."
    )
    if any(one.years for one in found):
        _chart(charts.share_chart(found))
    _downloads(index, found)
    tabs = st.tabs([literal(one.name) for one in found]) if len(found) > 1 else [st.container()]
    for tab, one in zip(tabs, found, strict=True):
        with tab:
            _one(index, one)
    with st.expander("What the numbers mean"):
        st.html(table(("number", "definition"), list(DEFINITIONS.items())))


def _one(index: Index, found: Impact) -> None:
    if not len(found.used):
        st.caption("No paper here is on it." if found.kind == "topic" else f"No paper here used it; {len(found.mentioned):,} mention it.")  # fmt: skip
        return
    st.html(table(("", ""), numbers(found)))
    _chart(charts.papers_chart(found))
    _on_map(index, found)
    if found.together:
        _chart(charts.company_chart(found))
    changed = terms(found)
    if changed:
        _heading("Terms of titles gained and lost")
        st.html(table(("term", f"before {found.terms.split_year}", "since", "z"), changed))
    if found.top:
        _heading("Most cited papers")
        rows = [(f"{p['authors']}: {p['title']}", str(p["year"] or "unknown"), f"{p['citation_count']:,}", p["id"]) for p in top_rows(index, found)]  # fmt: skip
        st.html(table(("paper", "year", "citations", "identifier"), rows))


def _on_map(index: Index, found: Impact) -> None:
    """Its papers on the map, and in words which clusters it gained and lost."""
    places = found.places
    if places is None:
        st.caption(f"Where its papers lie, and how they moved, needs a map of this index: `wayfinder index map {literal(index.path.name)}` makes one.")  # fmt: skip
        return
    if not places.clusters:
        st.caption("None of its papers has a place on the map and a year.")
        return
    _chart(charts.map_chart(index, found, dark=st.context.theme.type == "dark"))
    st.caption(f"Grey: all papers of the index. {moved_words(places)} Click a period in the legend to see it alone.")  # fmt: skip
    st.html(table(moved_head(places), moved(places)))


def _heading(text: str) -> None:
    st.markdown(f"##### {literal(text)}")


def _chart(spec: charts.Spec) -> None:
    _heading(spec["title"]["text"])
    st.vega_lite_chart(charts.untitled(spec), width="stretch")


def _downloads(index: Index, found: Sequence[Impact]) -> None:
    spec = charts.share_chart(found)
    lines = "".join(json.dumps(impact_row(index, one), ensure_ascii=False) + "\n" for one in found)
    files: tuple[tuple[str, str, str, Callable[[], str | bytes]], ...] = (
        ("CSV", "impact.csv", "text/csv", lambda: as_csv(index, list(found))),
        ("JSON", "impact.jsonl", "application/json", lambda: lines),
        ("SVG", "impact.svg", "image/svg+xml", lambda: charts.svg(spec)),
        ("PNG", "impact.png", "image/png", lambda: charts.png(spec)),
        ("Report", "impact.html", "text/html", lambda: report(index, list(found))),
    )
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(label, make, name, mime, on_click="ignore")
