"""Pieces of the map page below the map: a set of papers and two of them compared, growth, gaps, clusters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import answer_parts, page_parts
from app.library_file import MOST_PAPERS
from app.library_parts import add_papers
from app.page_session import asked, keep_set
from app.typeset import typeset
from indexer.landscape import Landscape
from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS
from retrieval import ask
from retrieval.bibliography import bibtex
from retrieval.landscape import gaps, growth, named, spans
from retrieval.llm import LLM
from retrieval.paper_sets import Rows, compare
from retrieval.records import SearchFilters, SearchSettings
from retrieval.spreadsheet import csv_text

LISTED = 100  # papers of a set shown on the page; the files have all


def paper_card(index: Index, row: int) -> None:
    """The paper that was clicked."""
    paper = index.papers[row]
    link = f' · <a href="{page_parts.escape(paper.ads_url)}">ADS</a>' if paper.ads_url else ""
    st.html(
        f'<div class="wf-paper"><h3>{typeset(paper.plain_title)}</h3><p class="wf-facts">'
        f"{page_parts.escape(paper.author_label)} · {paper.year or 'year unknown'} · {page_parts.escape(paper.id)}{link}</p></div>"
    )


def paper_set(
    index: Index, landscape: Landscape, rows: Rows, *, llm: LLM | None, impact_page: Any = None
) -> None:
    """A set taken from the map: list it, export it, see its impact, ask it alone, keep it and compare."""
    if not len(rows):
        st.info("Nothing lies inside: draw around some papers.")
        return
    everything = " (the whole map)" if len(rows) == len(index.papers) else ""
    st.subheader(
        f"{len(rows):,} paper{'s' if len(rows) > 1 else ''} taken{everything}", anchor=False
    )
    with st.container(horizontal=True):
        if impact_page is not None and st.button("Impact of these papers", type="primary"):
            keep_set(index, rows)
            st.switch_page(impact_page)
        st.button("Add to library", on_click=_add, args=(index, rows))
        _exports(index, rows)
    listed, asked, compared = st.tabs(["List", "Ask this set", "Compare"])
    with listed:
        _list(index, landscape, rows)
    with asked:
        _ask(index, rows, llm)
    with compared:
        _compare(index, rows)


def _add(index: Index, rows: Rows) -> None:
    """Add a set to the visitor's library."""
    add_papers([index.papers[int(row)] for row in rows[: MOST_PAPERS + 1]])


def set_rows(index: Index, rows: Rows) -> list[dict[str, str | int | None]]:
    """The papers of a set as plain rows."""
    found: list[dict[str, str | int | None]] = []
    for row in rows:
        paper = index.papers[int(row)]
        found.append(
            {
                "bibcode": paper.bibcode,
                "arxiv_id": paper.arxiv_id,
                "title": paper.plain_title,
                "first_author": paper.authors[0] if paper.authors else None,
                "year": paper.year,
                "citation_count": paper.citation_count,
            }
        )
    return found


def _exports(index: Index, rows: Rows) -> None:
    def as_csv() -> str:
        found = set_rows(index, rows)
        return csv_text(list(found[0]), (list(row.values()) for row in found))

    def as_json() -> str:
        return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in set_rows(index, rows))

    def as_ids() -> str:
        return "".join(index.papers[int(row)].id + "\n" for row in rows)

    def as_bibtex() -> str:
        return bibtex(index.papers[int(row)] for row in rows)

    st.download_button("BibTeX", as_bibtex, "papers.bib", "application/x-bibtex", on_click="ignore")
    st.download_button("CSV", as_csv, "papers.csv", "text/csv", on_click="ignore")
    st.download_button("JSON lines", as_json, "papers.jsonl", "application/json", on_click="ignore")
    st.download_button("Identifiers", as_ids, "papers.txt", "text/plain", on_click="ignore")


def _list(index: Index, landscape: Landscape, rows: Rows) -> None:
    cited = np.where(index.citations[rows] == UNKNOWN_CITATIONS, -1, index.citations[rows])
    first = rows[np.lexsort((rows, -index.year[rows].astype(int), -cited))[:LISTED]]
    table = pd.DataFrame(set_rows(index, first))
    table["subject"] = [named(path[-1]) if (path := landscape.path(int(r))) else "" for r in first]
    st.dataframe(
        table,
        hide_index=True,
        column_order=("title", "first_author", "year", "citation_count", "subject", "bibcode", "arxiv_id"),
        column_config={
            "title": st.column_config.TextColumn("title", width="large"),
            "first_author": "first author",
            "year": st.column_config.NumberColumn("year", format="%d"),
            "citation_count": "citations",
            "arxiv_id": "arXiv id",
        },
    )  # fmt: skip
    if len(rows) > LISTED:
        st.caption(f"The {LISTED} most cited of {len(rows):,}; the files have all.")


def _ask(index: Index, rows: Rows, llm: LLM | None) -> None:
    with (
        st.form("map-ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        question = st.text_input("Question", key="map-question", placeholder="What do these papers find?")  # fmt: skip
        pressed = st.form_submit_button("Ask")
    if pressed and question.strip():
        ids = tuple(index.papers[int(row)].id for row in rows)
        settings = SearchSettings(filters=SearchFilters(among=ids))
        with st.spinner(f"Reading {len(rows):,} papers"):
            answer = asked("ask", question, lambda: ask(index, question.strip(), settings, llm=llm))
        answer_parts.answer(answer)
        answer_parts.papers(answer, index=index)


def _compare(index: Index, rows: Rows) -> None:
    kept: tuple[str, Rows] | None = st.session_state.get("map-kept")
    if st.button("Keep this set as the first one"):
        st.session_state["map-kept"] = kept = (index.manifest.snapshot, rows)
    if kept is None or kept[0] != index.manifest.snapshot:
        st.caption("Keep a set, draw another one, and see here what they differ in.")
        return
    if np.array_equal(kept[1], rows):
        st.caption(f"Kept: {len(rows):,} papers. Draw another set to compare.")
        return
    found = compare(index, kept[1], rows)
    st.write(
        f"{found.n_papers[0]:,} papers kept and {found.n_papers[1]:,} now, {found.n_both:,} in both"
    )
    for column, name, place in zip(st.columns(2), ("Kept", "Now"), (0, 1), strict=True):
        with column:
            st.markdown(f"**{name}**")
            st.write(page_parts.literal("Terms: " + (", ".join(found.terms[place]) or "none of its own")))  # fmt: skip
            for facility, here, there in found.facilities[place]:
                st.caption(page_parts.literal(f"{facility}: {here:.0%} against {there:.0%}"))
    years = pd.DataFrame({"kept": pd.Series(found.years[0]), "now": pd.Series(found.years[1])})
    shares = (years.fillna(0) / years.sum()).sort_index()
    shares.index = shares.index.map(str)
    st.bar_chart(shares, stack=False, y_label="share of the set", color=["#0072b2", "#e69f00"])


def growth_table(index: Index, landscape: Landscape) -> None:
    """Where the field moves: the clusters whose share of all papers has grown or shrunk."""
    with st.expander("Where is the field moving?"):
        levels = list(range(landscape.n_levels))
        level = st.segmented_control("Detail", levels, default=levels[-1] if len(levels) < 3 else 1, required=True, format_func=lambda n: f"{len(landscape.level(n))} subjects", key="map-growth")  # fmt: skip
        compared = spans(index)
        st.caption(page_parts.literal(f"Ratio of the {compared.words}, with 95 % intervals; blank where a span has none."))  # fmt: skip
        rows = [
            {"subject": named(g.cluster), "now": g.n_now, "before": g.n_before, "ratio": g.ratio, "low": g.low,
             "high": g.high, "median year": g.median_year}
            for g in growth(index, landscape, int(level))
        ]  # fmt: skip
        st.dataframe(pd.DataFrame(rows).round(2), hide_index=True)


def gaps_list(index: Index, landscape: Landscape) -> None:
    """The sparse regions between dense ones, with the papers on their rim."""
    with st.expander("Sparse regions between dense ones"):
        found = gaps(landscape)
        if not found:
            st.caption("None: the map is too small, or has no hole.")
        for number, gap in enumerate(found, 1):
            between = " | ".join(named(cluster, words=2) for cluster in gap.clusters)
            st.markdown(f"**{number}.** between {page_parts.literal(between)}")
            titles = [index.papers[int(row)] for row in gap.rim]
            st.html("<ul>" + "".join(f"<li>{typeset(p.plain_title)} ({p.year or 'year unknown'})</li>" for p in titles) + "</ul>")  # fmt: skip


def clusters_table(index: Index, landscape: Landscape) -> None:
    """The map in words: every cluster with its papers."""
    with st.expander("The map as a table"):
        rows = []
        for region in landscape.regions:
            parent = landscape.level(region.level - 1)[region.parent] if region.level else None
            rows.append(
                {
                    "level": region.level + 1,
                    "subject": named(region),
                    "within": named(parent) if parent else "",
                    "papers": region.n_papers,
                }
            )
        st.dataframe(pd.DataFrame(rows), hide_index=True)
