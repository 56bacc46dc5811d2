"""What all pages show alike: look, head and foot, tables, papers as cards.

All text of papers, models and visitors passes through `escape`, `typeset` or `literal`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import streamlit as st

from app.typeset import typeset
from indexer.facilities import detect
from indexer.records import Paper
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.passages import Passage, in_full, passages_of
from retrieval.records import Evidence, Hit, SearchSettings, Sentence

_STYLE = Path(__file__).with_name("page.css")
_LOGO = Path(__file__).with_name("wayfinder.svg")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~$<>:^=&-])")
MOST_FACILITIES = 8


class Tools(Protocol):
    """What a page offers on each card."""

    def html(self, n: int, hit: Hit) -> str:
        """Its buttons on the card of paper `n`."""
        ...

    def listen(self, hits: Sequence[Hit], first: int) -> None:
        """Do what the buttons say, on the cards of `hits`, numbered from `first`."""
        ...


def escape(text: str) -> str:
    """Text as HTML text: nothing in it is markup."""
    return html.escape(text, quote=True)


def literal(text: str) -> str:
    """Text as Streamlit Markdown that shows exactly that text: no markup, LaTeX, icon or colour."""
    return _MARKDOWN.sub(r"\\\1", text.replace("\n", " "))


def style() -> None:
    """The pages' mark and style sheet; colours follow Streamlit's light or dark theme."""
    st.logo(_LOGO.read_text(encoding="utf-8"), size="large")
    st.html(_STYLE)


def masthead(name: str, motto: str = "", *, first: bool = False) -> None:
    """A page's name, and in one line what it is for; large at a first visit, without a line only read aloud."""
    if not motto:
        st.html(f'<h1 class="wf-sr">{escape(name)}</h1>')
        return
    of = "wf-head wf-first" if first else "wf-head"
    st.html(f'<div class="{of}"><h1>{escape(name)}</h1><p>{escape(motto)}</p></div>')


def foot(index: Index) -> None:
    """What was searched: the index, its years, its date and its snapshot."""
    manifest = index.manifest
    years = index.year[index.year != UNKNOWN_YEAR]
    span = f"{int(years.min())} to {int(years.max())}" if len(years) else "years unknown"
    starter = manifest.sources == ("starter",)
    name = "Starter corpus" if starter else index.path.name
    lines = [
        f"<strong>{escape(name)}</strong> · {manifest.n_papers:,} papers, {span} · as of {escape(manifest.as_of)} · "
        f"{escape(manifest.encoder)} · snapshot {escape(manifest.snapshot[:8])}"
    ]
    if "starter" in manifest.sources:
        lines.append("The starter corpus holds summaries written for Wayfinder, not the authors' own abstracts.")  # fmt: skip
    st.html(f'<p class="wf-foot">{"<br>".join(lines)}</p>')


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; without a head where all its titles are empty."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    return f'<div class="wf-wide" tabindex="0"><table class="wf-table">{top}<tbody>{body}</tbody></table></div>'


def paper_cards(
    heading: str,
    hits: Sequence[Hit],
    sentences: Sequence[Sentence],
    settings: SearchSettings,
    *,
    index: Index | None = None,
    first: int = 1,
    tools: Tools | None = None,
) -> None:
    """A card per paper with what `sentences` quote from it; hit i is cited as `first` + i.

    With an `index` facilities come from it, else from the paper's words. All cards are one element.
    """
    if not hits:
        return
    if heading:
        st.subheader(heading, anchor=False)
    quotes: dict[int, list[Evidence]] = {}
    for sentence in sentences:
        for item in sentence.evidence:
            if item.found and item not in quotes.setdefault(item.n, []):
                quotes[item.n].append(item)
    st.html(
        "".join(
            card(n, hit, quotes.get(n, []), settings, index, tools.html(n, hit) if tools else "")
            for n, hit in enumerate(hits, first)
        )
    )
    if tools is not None:
        tools.listen(hits, first)


def card(
    n: int,
    hit: Hit,
    quotes: Sequence[Evidence],
    settings: SearchSettings,
    index: Index | None,
    buttons: str = "",
) -> str:
    """One paper as HTML: title, facts, links, facilities, quotations, abstract, why it is here, and `buttons`, HTML."""
    paper = hit.paper
    links = " · ".join(paper_links(paper))
    facts = escape(" · ".join(fact for fact in _facts(hit) if fact))
    used = ", ".join(_used(hit, index)[:MOST_FACILITIES])
    return (
        f'<article class="wf-paper wf-card" id="paper-{n}" aria-label="{escape(f"Paper {n}: {paper.plain_title}")}">'
        f'<h3><span class="n">{n}</span>{typeset(paper.plain_title)}</h3>'
        f'<p class="wf-facts">{facts}{" · " if links else ""}{links}</p>'
        + (f'<p class="wf-facts">Uses {escape(used)}</p>' if used else "")
        + "".join(map(_quoted, quotes))
        + _folded("Abstract", typeset(paper.plain_abstract))
        + _folded("What was read of its full text", "".join(map(_passage, passages_of(paper))))
        + f"{_why_here(hit, settings)}{buttons}</article>"
    )


def paper_links(paper: Paper) -> list[str]:
    """Links to a paper at ADS, at arXiv and by its DOI, as HTML."""
    doi = f"https://doi.org/{paper.doi}" if paper.doi else None
    return [
        f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'
        for name, url in (("ADS", paper.ads_url), ("arXiv", paper.arxiv_url), ("DOI", doi))
        if url
    ]


def _facts(hit: Hit) -> list[str]:
    paper = hit.paper
    more = len(paper.authors) - 4
    names = "; ".join(paper.authors[:4]) + (f" and {more} more" if more > 0 else "")
    count = paper.citation_count
    citations = "citations unknown" if count is None else f"{count:,} citation{'' if count == 1 else 's'}"  # fmt: skip
    file = "".join(f"{'your file' if f.own else 'full text'} {f.file}" for f in in_full([paper]))
    return [
        names or "authors unknown",
        paper.journal or "",
        str(paper.year or "year unknown"),
        citations if hit.row >= 0 else "",
        file,
    ]


def _used(hit: Hit, index: Index | None) -> list[str]:
    """The facilities that a paper used, as the index has them, else as its words say."""
    if index is not None and index.uses is not None and hit.row >= 0:
        return [name for name, used in index.uses.facilities.of(hit.row) if used]
    return _detected(hit.paper)


@lru_cache(maxsize=1_000)
def _detected(paper: Paper) -> list[str]:
    return detect(paper).used


def _folded(name: str, body: str) -> str:
    """A part that opens on a click, by the browser alone."""
    if not body:
        return ""
    return f'<details class="wf-abstract"><summary>{escape(name)}</summary><p>{body}</p></details>'


def _passage(passage: Passage) -> str:
    name = f"<strong>{escape(passage.section)}</strong><br>" if passage.section else ""
    return f"{name}{typeset(passage.text)}<br>"


def _quoted(item: Evidence) -> str:
    """A quotation, and whether it stands in the abstract or in which section of the full text."""
    return f'<div class="wf-quote">{typeset(item.quote)} <small class="wf-where">{escape(where(item))}</small></div>'


def where(item: Evidence) -> str:
    """In which part of its paper a quotation stands."""
    return f"{item.source}, {item.section}" if item.section else item.source


def _why_here(hit: Hit, settings: SearchSettings) -> str:
    """The parts of the score as small bars with their numbers."""
    parts = [
        ("meaning", hit.parts.dense, settings.mode != "lexical"),
        ("words", hit.parts.lexical, settings.mode != "dense"),
        ("read again", hit.parts.reread, hit.parts.reread > 0),
        ("names it", hit.parts.named, hit.parts.named > 0),
        ("recent", hit.parts.recency, settings.recency > 0),
        ("cited", hit.parts.impact, settings.impact > 0),
        ("shared references", hit.parts.shared_references, hit.parts.shared_references > 0),
        ("citations", hit.parts.citations, hit.parts.citations > 0),
    ]
    bars = "".join(
        f'<span>{name} {value:.2f}<span class="wf-bar" aria-hidden="true"><i style="width:{100 * min(1.0, value):.0f}%"></i></span></span>'
        for name, value, shown in parts
        if shown
    )
    return f'<p class="wf-why-here"><span>Why it is here: score {hit.score:.2f}</span>{bars}</p>'
