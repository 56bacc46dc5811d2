"""The page on the index itself: what it holds and from where, how answers are made and checked, privacy. `draw` draws it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
import streamlit as st

from app.page_parts import escape, literal, table
from app.privacy import model_place, privacy_parts
from indexer import config
from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR

MOST_FACILITIES = 10
HEADING = (
    "font-size: 1.15rem; font-weight: 600; margin: .6rem 0 0; padding: 0;"  # below the page's name
)
_PATH_SCHEMES = ("arxiv-snapshot", "astro-ph-kg")
_HOW = (
    "Your question is taken apart: years, objects, facilities and authors are recognised, shown, and yours to take away.",
    "Papers are searched by their words (BM25) and by meaning (vectors of title and abstract), under the same filters; "
    "age and citations count only as far as you ask for it.",
    "A question too far from every paper is not answered, and the nearest papers are shown instead.",
    "Every sentence cites papers. Code, not the model, checks that the cited paper exists, that the quotation stands in it, that "
    "numbers, units, names and negations agree with it, and that it speaks of what the sentence says.",
    "What fails is written once more; what fails again stays visible with the reason, or is left out if you choose so.",
    "Only titles and abstracts are searched; full texts are read where you add them. What is missing from this index cannot be cited.",
)  # fmt: skip


def draw(index: Index) -> None:
    """Draw the page for an index."""
    manifest = index.manifest
    if "starter" in manifest.sources:
        st.info(
            "The starter corpus holds summaries written for Wayfinder, not the authors' own abstracts."
        )
    st.html(table(("", ""), _facts(index)))
    _by_year(index)
    _heading("Sources")
    st.html(table(("source", "read on", "records", "taken", "left out, and why"), _sources(index)))
    _facilities(index)
    _heading("How answers are made and checked")
    st.html("<ol>" + "".join(f"<li>{escape(step)}</li>" for step in (*_HOW, _writer())) + "</ol>")
    _heading("Privacy")
    privacy(index)


def privacy(index: Index) -> None:
    """What becomes of a visitor's words, under headings."""
    for heading, said in privacy_parts(index).items():
        lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
        st.html(f'<h3 class="wf-turn">{escape(heading)}</h3><ul>{lines}</ul>')


def _facts(index: Index) -> list[tuple[str, str]]:
    """What the index is, in numbers."""
    manifest, n = index.manifest, len(index.papers)
    years = index.year[index.year != UNKNOWN_YEAR]
    cited = int((index.citations != UNKNOWN_CITATIONS).sum())
    name = "Starter corpus" if manifest.sources == ("starter",) else index.path.name
    landscape = index.landscape
    facts = [
        ("Index", name),
        ("Papers", f"{n:,}"),
        ("Published", f"{int(years.min())} to {int(years.max())}" if len(years) else "years unknown"),
        ("Year unknown", f"{n - len(years):,}"),
        ("Citation counts known", f"{cited:,} of {n:,}; an unknown count is never taken for zero"),
        ("Reference lists", "known for some or all papers" if index.graph else "none: nothing is found by references"),
        ("As of", f"{manifest.as_of}: ages are counted from this day"),
        ("Made", manifest.created),
        ("Snapshot", f"{manifest.snapshot}: equal for equal content"),
        ("Encoder", f"{manifest.encoder}, {manifest.dimension} dimensions"),
        ("Map", f"laid out, {landscape.n_placed:,} papers placed since" if landscape is not None else "none"),
    ]  # fmt: skip
    return [fact for fact in facts if fact != ("Year unknown", "0")]


def _by_year(index: Index) -> None:
    """Papers of each year as a chart, in a sentence for who does not see it, and as a table."""
    counts = papers_by_year(index)
    if not counts:
        return
    _heading("Papers by year")
    said = coverage_words(counts)
    st.vega_lite_chart(coverage_chart(counts), width="stretch", alt=said)
    st.caption(said)
    with st.expander("As a table"):
        rows = [(str(year), f"{n:,}") for year, n in sorted(counts.items(), reverse=True)]
        st.html(table(("year", "papers"), rows))


def papers_by_year(index: Index) -> dict[int, int]:
    """How many papers each year has, by year; unknown years are left out."""
    years, counts = np.unique(index.year[index.year != UNKNOWN_YEAR], return_counts=True)
    return {int(year): int(n) for year, n in zip(years, counts, strict=True)}


def coverage_words(counts: dict[int, int]) -> str:
    """The years in a sentence: span, fullest year, median."""
    total = sum(counts.values())
    fullest = max(counts, key=lambda year: (counts[year], year))
    median = int(np.median(np.repeat(list(counts), list(counts.values()))))
    return (
        f"{total:,} paper{'' if total == 1 else 's'} of {min(counts)} to {max(counts)}; most are of {fullest} "
        f"({counts[fullest]:,}), the median year is {median}."
    )


def coverage_chart(counts: dict[int, int]) -> dict[str, Any]:
    """A Vega-Lite chart of papers by year."""
    values = [{"year": y, "from": y - 0.45, "to": y + 0.45, "papers": n} for y, n in counts.items()]
    across = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": False},
        "axis": {"format": "d", "title": "year", "tickMinStep": 1},
    }
    return {
        "data": {"values": values},
        "height": 170,
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "from", **across},
            "x2": {"field": "to"},
            "y": {"field": "papers", "type": "quantitative", "title": "papers", "axis": {"tickMinStep": 1}},
            "y2": {"datum": 0},
            "tooltip": [{"field": "year", "type": "quantitative", "format": "d"}, {"field": "papers", "type": "quantitative"}],
        },
    }  # fmt: skip


def _sources(index: Index) -> list[tuple[str, ...]]:
    """Each harvest: its source without folders of the host, its day, and what became of its records."""
    rows: list[tuple[str, ...]] = []
    for harvest in index.manifest.harvests:
        skipped = sum(harvest["skipped"].values())
        why = "; ".join(f"{reason}: {n:,}" for reason, n in sorted(harvest["skipped"].items()))
        rows.append(
            (source_name(harvest["source"]), harvest["harvested"], f"{harvest['read']:,}", f"{harvest['read'] - skipped:,}", why or "none")
        )  # fmt: skip
    return rows


def source_name(source: str) -> str:
    """A source as visitors may know it: a query or a category whole, of a path its last part."""
    scheme, colon, rest = source.partition(":")
    if colon and scheme in _PATH_SCHEMES:
        return f"{scheme}:{PurePath(rest).name}"
    if colon and scheme in ("ads", "arxiv"):
        return source
    return PurePath(source).name


def _facilities(index: Index) -> None:
    """What is known of who used what."""
    _heading("Observatories and methods")
    if index.uses is None:
        st.markdown("Not detected in this index: the filter by facility looks for its name among each paper's words.")  # fmt: skip
        return
    used = index.uses.facilities.counts(used=True)
    pairs = index.uses.facilities.pairs
    n_papers = len(np.unique(pairs["row"][pairs["used"]]))
    most = sorted(used, key=lambda name: (-used[name], name))[:MOST_FACILITIES]
    listed = ", ".join(f"{name} ({used[name]:,})" for name in most)
    st.markdown(
        literal(
            f"Title and abstract of every paper were read for what it used and what it only mentions. {n_papers:,} papers used one of "
            f"{len(used):,} facilities that are known{f', most often {listed}' if listed else ''}. "
            f"{len(index.uses.methods.counts(used=True)):,} methods are known in the same way. A facility that only the full text names is missed."
        )
    )  # fmt: skip


def _writer() -> str:
    """Who writes here."""
    if place := model_place():
        return f"Here the language model {config.llm_config().model} at {place} writes; without it, or when it fails, papers are quoted word for word."
    return "Here no language model is configured: answers are quoted word for word from the papers."


def _heading(text: str) -> None:
    st.html(f'<h2 style="{HEADING}">{escape(text)}</h2>')
