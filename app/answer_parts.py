"""An answer on a page: its sentences, the evidence behind each citation, its tables, and what it rests on."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import streamlit as st

from app.page_parts import Tools, escape, literal, paper_cards, paper_links, where
from app.typeset import typeset
from indexer.records import Paper
from indexer.store import Index
from retrieval.basis import basis
from retrieval.passages import passages_of
from retrieval.records import Answer, Evidence, Hit, SearchResult, Sentence, Table

SECONDS_BETWEEN_DRAWINGS = 0.1
AROUND = 220  # characters of the paper before and after a quotation


class GrowingAnswer:
    """The answer while it is being written; drawn ten times a second at most."""

    def __init__(self) -> None:
        self.papers: Sequence[Hit] = ()
        self.sentences: list[Sentence] = []
        self._shown = 0.0  # when it was last drawn
        self._grey = False  # with words that are being checked
        self._place = st.empty()

    def add(self, sentence: Sentence) -> None:
        """Show one more sentence."""
        self.sentences.append(sentence)
        self._draw("", at_once=self._grey)

    def writing(self, words: str) -> None:
        """Show, greyed, what there is of the next sentence."""
        self._draw(_unchecked(words))

    def _draw(self, further: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._shown >= SECONDS_BETWEEN_DRAWINGS:
            self._shown, self._grey = now, bool(further)
            self._place.html(f"{self._checked()}{further}")

    def _checked(self) -> str:
        return paragraphs(self.sentences, self.papers, by_paper=False, growing=True)


def _unchecked(words: str) -> str:
    return f'<p class="wf-answer wf-unchecked">{typeset(words)}<small>being checked</small></p>'


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
    st.html(f'<p class="wf-kind" role="status">{_kind(answer)}</p>{text}')
    for table in answer.tables:
        _table(table)
    _basis(answer)


def papers(answer: Answer, *, index: Index | None = None, tools: Tools | None = None) -> None:
    """A card per paper, in the answer's order, with what is quoted from it."""
    heading = "Nearest papers" if answer.refused else "Papers"
    settings = answer.search.settings
    paper_cards(heading, answer.papers, answer.sentences, settings, index=index, tools=tools)


def _kind(answer: Answer) -> str:
    """How the answer was made and how its sentences stood their checks, as HTML."""
    n_cited = len({n for sentence in answer.sentences for n in sentence.citations})
    papers_cited = f"{n_cited} paper{'' if n_cited == 1 else 's'}"
    if answer.mode == "extractive":
        return escape(
            f"Quoted word for word from {papers_cited}, chosen from {answer.search.n_candidates:,}"
        )
    if answer.mode == "computed":
        return escape(
            f"Counted in this index of {answer.search.n_papers:,} papers, without a language model"
        )
    made = f"Written by {answer.usage.text} from {papers_cited} · read as a question of kind “{answer.kind}”"
    return f"{_stood(answer.sentences)} {escape(made)}"


def _stood(sentences: Sequence[Sentence]) -> str:
    """How many sentences agree with what they cite, in words and in a colour."""
    n, failed = len(sentences), sum(not sentence.supported for sentence in sentences)
    if not failed:
        every = "Its sentence agrees" if n == 1 else f"All {n} sentences agree"
        return f'<span class="wf-good">✓ {every} with the papers.</span>'
    are = "is" if failed == 1 else "are"
    return f'<span class="wf-bad">⚠ {failed} of {n} sentences {are} not supported and underlined.</span>'


def paragraphs(
    sentences: Sequence[Sentence], hits: Sequence[Hit], *, by_paper: bool, growing: bool = False
) -> str:
    """The sentences as HTML, each theme under its heading; a citation opens its evidence beside the text.

    With `by_paper` a new paragraph begins where one paper has been quoted and the next begins. A `growing`
    answer has numbers and no evidence yet.
    """
    name = "" if growing else _name(sentences)
    body, number = "", 0
    for theme, group in groupby(sentences, key=lambda sentence: sentence.theme):
        body += f"<h3>{escape(theme)}</h3>" if theme else ""
        for _, paragraph in groupby(group, key=lambda s: s.citations if by_paper else ()):
            shown = []
            for sentence in paragraph:
                number += 1
                shown.append(_sentence(sentence, hits, f"{name}-{number}" if name else ""))
            body += f"<p>{' '.join(shown)}</p>"
    beside = "" if growing else _evidence(sentences, hits, name)
    return f'<div class="wf-answer">{body}</div>{beside}'


def _name(sentences: Sequence[Sentence]) -> str:
    """Tells this answer's evidence from another's on the same page."""
    text = "\n".join(sentence.text for sentence in sentences)
    return f"wf-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _sentence(sentence: Sentence, hits: Sequence[Hit], name: str) -> str:
    first, *further = [_chip(n, hits, name) for n in sentence.citations] or [""]
    chips = f'<span class="wf-tied">{first}</span>{"".join(further)}' if first else ""
    if sentence.supported:
        return f'<span class="wf-s">{typeset(sentence.text)}{chips}</span>'
    why = escape("Not supported: " + "; ".join(sentence.problems) + ".")
    return (
        f'<span class="wf-s"><span class="wf-doubt">{typeset(sentence.text)}</span>{chips}'
        f'<span class="wf-why"><span aria-hidden="true">⚠ </span>{why}</span></span>'
    )


def _chip(n: int, hits: Sequence[Hit], name: str) -> str:
    if not name:
        return f'<span class="wf-cite">{n}</span>'
    label = escape(f"Evidence in paper {n}, {_short(hits[n - 1].paper)}")
    return f'<button type="button" class="wf-cite" popovertarget="{name}-{n}" aria-label="{label}" title="{label}">{n}</button>'


def _short(paper: Paper) -> str:
    return f"{paper.author_label} {paper.year or ''}: {paper.plain_title}"


def _evidence(sentences: Sequence[Sentence], hits: Sequence[Hit], name: str) -> str:
    """What each citation opens; after the text, because a paragraph cannot hold it."""
    return "".join(
        _beside(n, hits[n - 1].paper, [e for e in sentence.evidence if e.n == n], f"{name}-{i}-{n}")
        for i, sentence in enumerate(sentences, 1)
        for n in sentence.citations
    )


def _beside(n: int, paper: Paper, items: Sequence[Evidence], name: str) -> str:
    """The evidence of one sentence in one paper, in the words around it."""
    facts = escape(f"Paper {n} · {paper.author_label} {paper.year or 'year unknown'}")
    links = " · ".join([f'<a href="#paper-{n}" target="_self">Its card</a>', *paper_links(paper)])
    return (
        f'<div popover id="{name}" class="wf-evidence" role="dialog" aria-label="{escape(f"Evidence in paper {n}")}">'
        f'<p class="wf-of"><span>{facts}</span><button type="button" popovertarget="{name}" popovertargetaction="hide">Close</button></p>'
        f'<p class="wf-title">{typeset(paper.plain_title)}</p>'
        f"{''.join(_quotation(item, paper) for item in items) or _NOTHING_QUOTED}"
        f'<p class="wf-facts">{links}</p></div>'
    )


_NOTHING_QUOTED = '<p class="wf-found wf-bad">Nothing was quoted from this paper for this sentence.</p>'  # fmt: skip


def _quotation(item: Evidence, paper: Paper) -> str:
    """A quotation marked in its paper's words, and whether it stands there."""
    if not item.found:
        return f'<blockquote>{typeset(item.quote)}</blockquote><p class="wf-found wf-bad">⚠ These words do not stand in the paper.</p>'
    said = escape(f"These words stand in its {where(item)}.")
    return f'<blockquote>{_in_context(item, paper)}</blockquote><p class="wf-found wf-good">✓ {said}</p>'


def _in_context(item: Evidence, paper: Paper) -> str:
    """The quotation marked among the words before and after it; alone where it cannot be found as it is written."""
    texts = [passage.text for passage in passages_of(paper)] if item.source == "full text" else []
    for text in (*texts, paper.plain_abstract, paper.plain_title):
        start, end = _place(item.quote, text)
        if end > start:
            before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
            if start > AROUND:
                before = "… " + before.partition(" ")[2]
            if end + AROUND < len(text):
                after = after.rpartition(" ")[0] + " …"
            return f"{typeset(before)}<mark>{typeset(text[start:end])}</mark>{typeset(after)}"
    return f"<mark>{typeset(item.quote)}</mark>"


def _place(quote: str, text: str) -> tuple[int, int]:
    """Where a quotation begins and ends in a text, whatever its case and spaces; (0, 0) where it is not."""
    at = text.find(quote)  # mostly as it is written, and then no pattern has to be made of it
    if at >= 0:
        return at, at + len(quote)
    found = re.search(r"\s+".join(map(re.escape, quote.split())), text, re.IGNORECASE)
    return found.span() if found else (0, 0)


def _table(table: Table) -> None:
    """A computed table, its plot, and the same question at ADS."""
    st.subheader(literal(table.title), anchor=False)
    columns = {name: [row[i] for row in table.rows] for i, name in enumerate(table.columns)}
    if table.plot and len(table.rows) > 1:
        x, y = table.plot
        alt = f"{table.title}: {y} against {x}, {len(table.rows)} values, all in the table below."
        spec = points_chart(table) if table.errors else bars_chart(table)
        st.vega_lite_chart(spec, alt=alt)
    st.dataframe(columns, hide_index=True)
    if table.url:
        st.html(
            f'<p class="wf-facts"><a href="{escape(table.url)}" target="_blank" rel="noopener">The same at ADS</a></p>'
        )


def bars_chart(table: Table) -> dict[str, Any]:
    """A Vega-Lite chart of a table's plot as bars."""
    x, y = table.plot or ("", "")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {
        "data": {"values": [{x: str(row[x]), y: row[y]} for row in rows]},
        "height": 240,
        "mark": "bar",
        "encoding": {
            "x": {"field": x, "type": "ordinal", "sort": None},
            "y": {"field": y, "type": "quantitative"},
        },
    }


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
    return f"<li>{typeset(hit.paper.plain_title)} <small>was {hit.plain_rank}, {now} · {why}</small></li>"


def set_aside(answer: Answer) -> None:
    """The papers that were found and not read, so that others were; nothing where there are none."""
    if not answer.set_aside or answer.refused:
        return
    lines = [
        f"<li>{typeset(hit.paper.plain_title)} <small>{escape(f'{hit.paper.author_label}, {because}')}</small></li>"
        for hit, because in answer.set_aside
    ]
    with st.expander(f"Set aside, so that others are heard ({len(lines)})"):
        st.html('<ul class="wf-moved">' + "".join(lines) + "</ul>")
