"""The page on impact: what facilities, methods and topics contributed; all numbers come from retrieval.impact.

`page(index)` draws it. The papers it shows can be drawn on a map: `retrieval.impact.on_map`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import streamlit as st

from app import charts
from app.cli_impact import as_csv
from app.impact_report import numbers, report, terms
from app.page_parts import escape, literal
from indexer.errors import WayfinderError
from indexer.store import Index
from retrieval.impact import MOST_COMPARED, Impact, Kind, Scope, compare, known_names
from retrieval.impact_rows import DEFINITIONS, impact_row, top_rows

_KINDS: dict[str, Kind] = {"Facility": "facility", "Method": "method", "Topic": "topic"}


def page(index: Index) -> None:
    """Draw the page for an index."""
    st.title("Impact")
    if index.uses is None:
        st.info(f"This index lacks facilities and methods. `wayfinder index facilities {index.path}` adds them in a minute or so.")  # fmt: skip
        return
    kind = _KINDS[st.segmented_control("Of a", list(_KINDS), default="Facility") or "Facility"]
    names = _names(index, kind)
    scope = _scope(index)
    if not names:
        st.caption("Choose one or several to see what they contributed.")
        return
    try:
        found = compare(index, names, kind, scope)
    except WayfinderError as error:
        st.warning(literal(str(error)))
        return
    _draw(index, found)


def _names(index: Index, kind: Kind) -> list[str]:
    if kind == "topic":
        words = st.text_input("Topics, separated by ;", placeholder="little red dots; dark energy", max_chars=300)  # fmt: skip
        return [word.strip() for word in words.split(";") if word.strip()][:MOST_COMPARED]
    known = known_names(index, kind)
    label = "Facilities" if kind == "facility" else "Methods"
    return st.multiselect(f"{label}, most used first", known, default=known[:1], max_selections=MOST_COMPARED)  # fmt: skip


def _scope(index: Index) -> Scope:
    with st.expander("Restrict"):
        query = st.text_input("Only papers on", placeholder="little red dots", max_chars=200).strip()  # fmt: skip
        known = index.year[index.year > 0]
        first, last = (int(known.min()), int(known.max())) if len(known) else (2000, 2000)
        if first == last:
            return Scope(query)
        since, until = st.slider("Years", first, last, (first, last))
    return Scope(query, None if since == first else since, None if until == last else until)


def _draw(index: Index, found: Sequence[Impact]) -> None:
    first = found[0]
    st.caption(
        f"{first.n_scope:,} papers looked at{' ' + literal(first.scope.label) if first.scope.label else ''}, as of {first.as_of}. "
        "Counts are of this index, not of the whole literature."
    )
    if any(one.years for one in found):
        st.vega_lite_chart(charts.share_chart(found), width="stretch")
    _downloads(index, found)
    tabs = st.tabs([literal(one.name) for one in found]) if len(found) > 1 else [st.container()]
    for tab, one in zip(tabs, found, strict=True):
        with tab:
            _one(index, one)
    with st.expander("What the numbers mean"):
        st.html(_table(("number", "definition"), list(DEFINITIONS.items())))


def _one(index: Index, found: Impact) -> None:
    if not len(found.used):
        st.caption(f"No paper here used it; {len(found.mentioned):,} mention it.")
        return
    st.html(_table(("", ""), numbers(found)))
    st.vega_lite_chart(charts.papers_chart(found), width="stretch")
    if found.together:
        st.vega_lite_chart(charts.company_chart(found), width="stretch")
    changed = terms(found)
    if changed:
        st.subheader("Terms of titles gained and lost")
        st.html(_table(("term", f"before {found.terms.split_year}", "since", "z"), changed))
    if found.top:
        st.subheader("Most cited papers")
        rows = [(f"{p['authors']}: {p['title']}", str(p["year"] or "unknown"), f"{p['citation_count']:,}", p["id"]) for p in top_rows(index, found)]  # fmt: skip
        st.html(_table(("paper", "year", "citations", "identifier"), rows))


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
    for column, (label, name, mime, make) in zip(st.columns(len(files)), files, strict=True):
        column.download_button(label, make, name, mime, on_click="ignore", width="stretch")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<table class="wf-facts"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
