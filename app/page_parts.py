"""Pieces of the page. All text of papers, models and visitors passes through `escape` or `literal`."""

from __future__ import annotations

import hashlib
import html
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import streamlit as st

from indexer.facilities import detect
from indexer.records import Paper
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.basis import basis
from retrieval.consensus import level_in
from retrieval.passages import Passage, in_full, passages_of
from retrieval.question_type import TYPES
from retrieval.records import (
    Answer,
    Evidence,
    Hit,
    Mode,
    SearchFilters,
    SearchResult,
    SearchSettings,
    Sentence,
    Table,
)
from retrieval.understood import Understood

_STYLE = """
<style>
.block-container { max-width: 46rem; padding-top: 3.6rem; }
.wf-name { font: 600 1.9rem/1.2 Georgia, 'Times New Roman', serif; letter-spacing: -.01em; margin: 0; }
.wf-motto { opacity: .75; margin: .1rem 0 .6rem; }
.wf-answer { font: 1.08rem/1.65 Georgia, 'Times New Roman', serif; margin: .4rem 0 .8rem; overflow-wrap: anywhere; }
.wf-answer p { margin: 0 0 .7rem; }
.wf-answer h3 { font: 600 1rem/1.4 'Source Sans', sans-serif; margin: 1.1rem 0 .35rem; padding: 0; }
.wf-kind { font-size: .82rem; opacity: .78; margin: 0 0 .2rem; }
.wf-cite { font: 600 .76rem/1 'Source Sans', sans-serif; text-decoration: none !important; padding: .12rem .36rem; margin-left: .15rem;
  border-radius: .5rem; vertical-align: .12em; color: inherit !important;
  background: color-mix(in srgb, currentColor 13%, transparent); }
.wf-cite:hover, .wf-cite:focus { background: color-mix(in srgb, currentColor 28%, transparent); outline: 2px solid currentColor; }
.wf-doubt { text-decoration: underline dotted color-mix(in srgb, currentColor 40%, #c2410c) .12em; text-underline-offset: .22em; }
.wf-why { font: .84rem/1.4 'Source Sans', sans-serif; color: color-mix(in srgb, currentColor 45%, #c2410c); margin-left: .3rem; }
.wf-unchecked { opacity: .5; }
.wf-unchecked small { font: .78rem/1 'Source Sans', sans-serif; margin-left: .4rem; }
.wf-paper { overflow-wrap: anywhere; scroll-margin-top: 4rem; }
.wf-paper h3 { font-size: 1.08rem; font-weight: 600; line-height: 1.35; margin: 0; padding: 0; }
.wf-paper .n { opacity: .7; margin-right: .45rem; font-variant-numeric: tabular-nums; }
.wf-facts { font-size: .86rem; opacity: .82; margin: .2rem 0; }
.wf-facts a { color: inherit; text-decoration: underline; text-underline-offset: .15em; }
.wf-quote { border-left: 3px solid color-mix(in srgb, currentColor 30%, transparent); padding: .1rem 0 .1rem .7rem; margin: .5rem 0;
  font: .95rem/1.5 Georgia, 'Times New Roman', serif; }
.wf-where { font: .76rem/1 'Source Sans', sans-serif; opacity: .75; white-space: nowrap; }
.wf-why-here { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .76rem; opacity: .85; margin-top: .35rem; }
.wf-moved { font-size: .9rem; line-height: 1.45; overflow-wrap: anywhere; }
.wf-bar { display: inline-block; width: 3.4rem; height: .42rem; border-radius: .3rem; margin-left: .35rem; vertical-align: .06em;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.wf-table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
.wf-wide { overflow-x: auto; }
.wf-table th { text-align: left; font-weight: 600; opacity: .78; }
.wf-table th, .wf-table td { padding: .22rem .8rem .22rem 0; vertical-align: top; border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.wf-bar i { display: block; height: 100%; border-radius: .3rem; background: color-mix(in srgb, currentColor 62%, transparent); }
</style>
"""

SECONDS_BETWEEN_WORDS = 0.1
Tools = Callable[[int, Hit], None]  # draws what a page offers for the paper with that number
_CHIP = {"narrows": "only {}", "boosts": "prefer {}", "first": "first {}"}
_MODES: dict[Mode, str] = {"hybrid": "Both", "dense": "Meaning", "lexical": "Words"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~$<>:^=&-])")


def escape(text: str) -> str:
    """Text as HTML text: nothing in it is markup."""
    return html.escape(text, quote=True)


def literal(text: str) -> str:
    """Text as Streamlit Markdown that shows exactly that text: no markup, LaTeX, icon or colour."""
    return _MARKDOWN.sub(r"\\\1", text.replace("\n", " "))


def style() -> None:
    """The page's style sheet; colours follow Streamlit's light or dark theme."""
    st.html(_STYLE)


def masthead(motto: str) -> None:
    """Name, and in one line what this page is for."""
    st.html(f'<h1 class="wf-name">Wayfinder</h1><p class="wf-motto">{escape(motto)}</p>')


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; without a head where all its titles are empty."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    return f'<div class="wf-wide"><table class="wf-table">{top}<tbody>{body}</tbody></table></div>'


def sidebar(
    index: Index, *, llm_enabled: bool, reranker: bool, asks_how_many: bool = True
) -> tuple[SearchSettings, bool, int]:
    """Filters, weights and facts about the index; return the settings, offline or not, papers to read."""
    with st.sidebar:
        st.subheader("Which papers")
        filters = _filters()
        st.subheader("Which first")
        recency = st.slider(
            "Prefer recent papers",
            0.0,
            1.0,
            0.0,
            0.05,
            help="0 ignores the date. At 1, a paper of today outweighs the best match of long ago.",
        )
        half_life = st.slider(
            "Recent means",
            0.5,
            20.0,
            5.0,
            0.5,
            format="%g years",
            help="After this time a paper's bonus has halved.",
            disabled=not recency,
        )
        impact = st.slider(
            "Prefer cited papers",
            0.0,
            1.0,
            0.0,
            0.05,
            help="Compares a paper with papers of its own year; unknown counts are neutral.",
        )
        n_papers = st.slider("Papers to read", 3, 20, 8) if asks_how_many else 8
        offline = llm_enabled and st.toggle("Quote only, no language model")
        with st.expander("How to search"):
            settings = _how_to_search(llm_enabled=llm_enabled, reranker=reranker)
        _about(index)
    settings = replace(
        settings, filters=filters, recency=recency, impact=impact, half_life_years=half_life
    )
    return settings, offline, n_papers


def question_kind() -> str | None:
    """The kind of question that the visitor says, or None to find out."""
    with st.sidebar:
        chosen = st.selectbox("Kind of question", ["found out", *TYPES])
    return None if chosen == "found out" else str(chosen)


def _filters() -> SearchFilters:
    first, second = st.columns(2)
    since = first.number_input("From year", 1500, 2100, None, placeholder="any")
    until = second.number_input("To year", 1500, 2100, None, placeholder="any")
    min_citations = st.number_input(
        "Citations at least",
        0,
        None,
        None,
        placeholder="any",
        help="Papers whose count is unknown are left out.",
    )
    author = st.text_input("Author", placeholder="Riess, or Riess, A", max_chars=100).strip()
    facility = st.text_input("Names the facility", placeholder="JWST", max_chars=100).strip()
    return SearchFilters(
        since=since,
        until=until,
        min_citations=min_citations or None,
        author=author or None,
        facility=facility or None,
    )


def _how_to_search(*, llm_enabled: bool, reranker: bool) -> SearchSettings:
    """What few people change: words against meaning, diversity, reviews, models."""
    mode = st.segmented_control(
        "Search by words and meaning",
        list(_MODES),
        default="hybrid",
        required=True,
        format_func=_MODES.__getitem__,
    )
    keyword_weight = st.select_slider(
        "Words against meaning",
        [None, *(tenth / 10 for tenth in range(11))],
        format_func=lambda weight: "automatic" if weight is None else f"{weight:.1f}",
        help="1 counts the question's words alone, 0 its meaning alone. "
        "Automatic: half and half for questions, a little more for search words.",
        disabled=mode != "hybrid",
    )
    diversity = st.slider(
        "Different papers",
        0.0,
        1.0,
        0.0,
        0.05,
        help="Above 0, a paper that says what one before it says comes later.",
    )
    reviews_first = st.toggle("Reviews first")
    st.toggle(
        "Hear different teams",
        value=True,
        key="balance",
        help="Near-duplicates and further papers of one team make room for others that fit as well.",
    )
    understand = st.toggle(
        "Understand years, objects and names",
        value=True,
        help="Off: the question is taken as plain words.",
    )
    hyde = llm_enabled and st.toggle(
        "Also search for an imagined abstract",
        help="The language model writes the abstract that would answer; the search looks for papers like it too.",
    )
    rerank = reranker and st.toggle("Read the first papers again with the reranker", value=True)
    return SearchSettings(
        mode=mode,
        keyword_weight=keyword_weight,
        diversity=diversity,
        reviews_first=reviews_first,
        understand=understand,
        hyde=hyde,
        rerank=rerank if reranker else None,
    )


def taken_away(question: str) -> tuple[str, ...]:
    """The keys of what was understood of this question and its reader took away."""
    known = st.session_state.get("understood", {}).get(question, {})
    kept = st.session_state.get(_chips_key(question), list(known))
    return tuple(key for key in known if key not in kept)


def understood(question: str, items: Sequence[Understood]) -> None:
    """A chip for everything understood; a click takes it away or puts it back."""
    known = st.session_state.setdefault("understood", {}).setdefault(question, {})
    chips = _chips_key(question)
    chosen = list(st.session_state.get(chips, known))
    for item in items:
        if item.key not in known:
            known[item.key] = _CHIP[item.effect].format(item.label)
            chosen.append(item.key)
    if known:
        st.session_state[chips] = chosen
        st.pills(
            "Understood · click to take away or put back",
            list(known),
            key=chips,
            selection_mode="multi",
            format_func=lambda key: literal(known[key]),
        )


def _chips_key(question: str) -> str:
    return f"chips-{hashlib.sha256(question.encode()).hexdigest()[:16]}"


def _about(index: Index) -> None:
    manifest = index.manifest
    years = index.year[index.year != UNKNOWN_YEAR]
    span = f"{int(years.min())} to {int(years.max())}" if len(years) else "years unknown"
    st.divider()
    if "starter" in manifest.sources:
        st.caption(
            "The starter corpus holds summaries written for Wayfinder, not the authors' own abstracts."
        )
    st.caption(
        f"**{literal(_index_name(index))}** · {manifest.n_papers:,} papers, {span}  \n"
        f"As of {manifest.as_of} · {literal(manifest.encoder)} · snapshot {manifest.snapshot[:8]}"
    )


def _index_name(index: Index) -> str:
    return "Starter corpus" if index.manifest.sources == ("starter",) else index.path.name


class GrowingAnswer:
    """The answer while it is being written."""

    def __init__(self) -> None:
        self.papers: Sequence[Hit] = ()
        self._sentences: list[Sentence] = []
        self._shown = 0.0  # when words were last drawn
        self._place = st.empty()

    def add(self, sentence: Sentence) -> None:
        """Show one more sentence."""
        self._sentences.append(sentence)
        self._place.html(paragraphs(self._sentences, self.papers, by_paper=False))

    def writing(self, words: str) -> None:
        """Show, greyed, what there is of the next sentence; at most ten times a second."""
        now = time.monotonic()
        if now - self._shown >= SECONDS_BETWEEN_WORDS:
            self._shown = now
            checked = paragraphs(self._sentences, self.papers, by_paper=False)
            self._place.html(f"{checked}{_unchecked(words)}")


def _unchecked(words: str) -> str:
    return f'<p class="wf-answer wf-unchecked">{escape(words)}<small>being checked</small></p>'


def statement(question: str, answer: Answer) -> None:
    """What a verdict is on, in a box where the reader can correct it."""
    if answer.statement and level_in(answer.sentences):
        key = _statement_key(question)
        st.session_state.setdefault(key, answer.statement)
        st.text_input("Statement judged · correct it and press Enter", key=key, max_chars=300)


def corrected_statement(question: str) -> str | None:
    """The statement as its reader left it, or None for the one made of the question."""
    written = str(st.session_state.get(_statement_key(question), "")).strip()
    made: Answer | None = st.session_state.get("answer")
    unchanged = made is not None and made.question == question and made.statement == written
    if not written or (made is not None and unchanged and made.statement_by != "user"):
        return None
    return written


def _statement_key(question: str) -> str:
    return f"statement-{hashlib.sha256(question.encode()).hexdigest()[:16]}"


def answer(answer: Answer) -> None:
    """The finished answer, how it was made, and what was not done."""
    for note in answer.degraded:
        st.warning(literal(note))
    if answer.refused:
        st.info(literal(answer.reason))
        _basis(answer)
        return
    if answer.presumed is not None:
        st.info(literal(answer.presumed.told))
    text = paragraphs(answer.sentences, answer.papers, by_paper=answer.mode == "extractive")
    st.html(f'<p class="wf-kind">{escape(_kind(answer))}</p>{text}')
    for table in answer.tables:
        _table(table)
    _basis(answer)


def _table(table: Table) -> None:
    """A computed table, its plot, and the same question at ADS."""
    st.subheader(literal(table.title), anchor=False)
    columns = {name: [row[i] for row in table.rows] for i, name in enumerate(table.columns)}
    if table.plot and table.errors and len(table.rows) > 1:
        st.vega_lite_chart(points_chart(table))
    elif table.plot and len(table.rows) > 1:
        x, y = table.plot
        st.bar_chart({x: [str(v) for v in columns[x]], y: columns[y]}, x=x, y=y)
    st.dataframe(columns, hide_index=True)
    if table.url:
        st.html(
            f'<p class="wf-facts"><a href="{escape(table.url)}" target="_blank" rel="noopener">The same at ADS</a></p>'
        )


def points_chart(table: Table) -> dict[str, Any]:
    """A Vega-Lite chart of a table's values as points with their errors; unknown ones have none."""
    rows: list[dict[str, Any]] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    (x, y), (down, up) = table.plot or ("", ""), table.errors or ("", "")
    values = [
        row | {"low": row[y] - (row[down] or 0), "high": row[y] + (row[up] or 0)}
        for row in rows
        if row[x] is not None
    ]
    across = {"field": x, "type": "quantitative", "scale": {"zero": False}, "axis": {"format": "d"}}
    scale = {"zero": False}
    return {
        "data": {"values": values},
        "height": 260,
        "encoding": {"x": across},
        "layer": [
            {
                "mark": "rule",
                "encoding": {
                    "y": {"field": "low", "type": "quantitative", "scale": scale, "title": y},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60},
                "encoding": {
                    "y": {"field": y, "type": "quantitative", "scale": scale},
                    "tooltip": [{"field": name} for name in table.columns],
                },
            },
        ],
    }


def _basis(answer: Answer) -> None:
    """From what the answer was made, what was not searched, and where to go on."""
    found = basis(answer)
    link = f'<a href="{escape(found.ads_url)}" target="_blank" rel="noopener">Search ADS for the same words</a>'
    st.html(f'<p class="wf-facts">{escape(found.text)} {link}.</p>')


def moved(result: SearchResult) -> None:
    """What the weights of recency and citations moved, and why; nothing where they moved nothing."""
    if not (result.settings.recency or result.settings.impact):
        return
    lines = [_move(hit, hit.rank) for hit in result.hits if hit.rank != hit.plain_rank]
    lines += [_move(hit, None) for hit in result.displaced]
    if lines:
        with st.expander("What your preferences moved"):
            st.html('<ul class="wf-moved">' + "".join(lines) + "</ul>")


def _move(hit: Hit, rank: int | None) -> str:
    now = "left the list" if rank is None else f"now {rank}"
    why = f"recent {hit.parts.recency:.2f}, cited {hit.parts.impact:.2f}"
    return f"<li>{escape(hit.paper.plain_title)} <small>was {hit.plain_rank}, {now} · {why}</small></li>"


def papers(answer: Answer, *, tools: Tools | None = None) -> None:
    """A card per paper, in the answer's order, with what is quoted from it."""
    heading = "Nearest papers" if answer.refused else "Papers"
    paper_cards(heading, answer.papers, answer.sentences, answer.search.settings, tools=tools)


def paper_cards(
    heading: str,
    hits: Sequence[Hit],
    sentences: Sequence[Sentence],
    settings: SearchSettings,
    *,
    tools: Tools | None = None,
) -> None:
    """A card per paper with what `sentences` quote from it; hit i is cited as i + 1. `tools` draws below each card."""
    if not hits:
        return
    st.subheader(heading, anchor=False)
    quotes: dict[int, list[Evidence]] = {}
    for sentence in sentences:
        for item in sentence.evidence:
            if item.found and item not in quotes.setdefault(item.n, []):
                quotes[item.n].append(item)
    for n, hit in enumerate(hits, 1):
        with st.container(border=True):
            st.html(_card(n, hit, quotes.get(n, []), settings))
            if hit.paper.abstract:
                with st.expander("Abstract"):
                    st.html(f'<div class="wf-paper">{escape(hit.paper.plain_abstract)}</div>')
            if passages_of(hit.paper):
                with st.expander("What was read of its full text"):
                    st.html("".join(map(_passage, passages_of(hit.paper))))
            if tools is not None:
                tools(n, hit)


def _passage(passage: Passage) -> str:
    name = f"<strong>{escape(passage.section)}</strong><br>" if passage.section else ""
    return f'<p class="wf-paper">{name}{escape(passage.text)}</p>'


def _quoted(item: Evidence) -> str:
    """A quotation, and whether it stands in the abstract or in which section of the full text."""
    where = f"{item.source}, {item.section}" if item.section else item.source
    return f'<div class="wf-quote">{escape(item.quote)} <small class="wf-where">{escape(where)}</small></div>'


def set_aside(answer: Answer) -> None:
    """The papers that were found and not read, so that others were; nothing where there are none."""
    if not answer.set_aside or answer.refused:
        return
    lines = [
        f"<li>{escape(hit.paper.plain_title)} <small>{escape(f'{hit.paper.author_label}, {because}')}</small></li>"
        for hit, because in answer.set_aside
    ]
    with st.expander(f"Set aside, so that others are heard ({len(lines)})"):
        st.html('<ul class="wf-moved">' + "".join(lines) + "</ul>")


def _kind(answer: Answer) -> str:
    n_cited = len({n for sentence in answer.sentences for n in sentence.citations})
    papers_cited = f"{n_cited} paper{'' if n_cited == 1 else 's'}"
    if answer.mode == "extractive":
        return (
            f"Quoted word for word from {papers_cited}, chosen from {answer.search.n_candidates:,}"
        )
    if answer.mode == "computed":
        return (
            f"Counted in this index of {answer.search.n_papers:,} papers, without a language model"
        )
    checked = sum(sentence.supported for sentence in answer.sentences)
    return f"Written by {answer.usage.text} from {papers_cited} · {checked} of {len(answer.sentences)} sentences passed their checks · read as a question of kind “{answer.kind}”"


def paragraphs(sentences: Sequence[Sentence], hits: Sequence[Hit], *, by_paper: bool) -> str:
    """The sentences as HTML, with citation numbers and marks of doubt, each theme under its heading.

    With `by_paper` a new paragraph begins where one paper has been quoted and the next begins.
    """
    body = ""
    for theme, group in groupby(sentences, key=lambda sentence: sentence.theme):
        body += f"<h3>{escape(theme)}</h3>" if theme else ""
        for _, paragraph in groupby(group, key=lambda s: s.citations if by_paper else ()):
            body += f"<p>{' '.join(_sentence(sentence, hits) for sentence in paragraph)}</p>"
    return f'<div class="wf-answer">{body}</div>'


def _sentence(sentence: Sentence, hits: Sequence[Hit]) -> str:
    marks = "".join(_mark(n, hits) for n in sentence.citations)
    if sentence.supported:
        return f"<span>{escape(sentence.text)}{marks}</span>"
    why = escape("Not supported: " + "; ".join(sentence.problems) + ".")
    return f'<span><span class="wf-doubt">{escape(sentence.text)}</span>{marks}<span class="wf-why">{why}</span></span>'


def _mark(n: int, hits: Sequence[Hit]) -> str:
    paper = hits[n - 1].paper
    label = escape(f"{paper.author_label} {paper.year or ''}: {paper.plain_title}")
    return f'<a class="wf-cite" href="#paper-{n}" target="_self" title="{label}" aria-label="Paper {n}, {label}">{n}</a>'


def _card(n: int, hit: Hit, quotes: Sequence[Evidence], settings: SearchSettings) -> str:
    paper = hit.paper
    names = "; ".join(paper.authors[:4]) + (
        f" and {len(paper.authors) - 4} more" if len(paper.authors) > 4 else ""
    )
    citations = (
        "citations unknown"
        if paper.citation_count is None
        else f"{paper.citation_count:,} citations"
    )
    file = "".join(f"{'your file' if f.own else 'full text'} {f.file}" for f in in_full([paper]))
    facts = [
        names or "authors unknown",
        paper.journal or "",
        str(paper.year or "year unknown"),
        citations if hit.row >= 0 else "",
        file,
    ]
    doi = f"https://doi.org/{paper.doi}" if paper.doi else None
    links = [
        f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'
        for name, url in (("ADS", paper.ads_url), ("arXiv", paper.arxiv_url), ("DOI", doi))
        if url
    ]
    shown = "".join(map(_quoted, quotes))
    used = ", ".join(_used(paper))
    with_what = f'<p class="wf-facts">uses {escape(used)}</p>' if used else ""
    return (
        f'<div class="wf-paper" id="paper-{n}"><h3><span class="n">{n}</span>{escape(paper.plain_title)}</h3>'
        f'<p class="wf-facts">{escape(" · ".join(fact for fact in facts if fact))}'
        f"{' · ' if links else ''}{' · '.join(links)}</p>{with_what}{shown}{_why_here(hit, settings)}</div>"
    )


@lru_cache(maxsize=1_000)
def _used(paper: Paper) -> list[str]:
    """The facilities that a paper used."""
    return detect(paper).used


def _why_here(hit: Hit, settings: SearchSettings) -> str:
    """The parts of the score as small bars with their numbers."""
    parts = [
        ("meaning", hit.parts.dense, settings.mode != "lexical"),
        ("words", hit.parts.lexical, settings.mode != "dense"),
    ]
    parts += [
        ("recent", hit.parts.recency, settings.recency > 0),
        ("cited", hit.parts.impact, settings.impact > 0),
    ]
    bars = "".join(
        f'<span>{name} {value:.2f}<span class="wf-bar"><i style="width:{100 * value:.0f}%"></i></span></span>'
        for name, value, shown in parts
        if shown
    )
    return f'<div class="wf-why-here" aria-label="Why this paper is here">{bars}</div>'
