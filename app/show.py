"""What the command line prints for people: result lists and answers as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby

from retrieval.basis import basis
from retrieval.consensus import level_in
from retrieval.passages import in_full
from retrieval.records import Answer, Hit, SearchResult, Table

WIDTH = 100
POINTS_WIDTH = 40


def hits_page(result: SearchResult) -> str:
    """A result list: rank, title, authors, year, citations, identifiers, score."""
    if not result.hits:
        return _nothing_found(result)
    lines = [hit_lines(hit) for hit in result.hits]
    if result.displaced:
        lines.append("Without --recency and --impact these would be here too:")
        lines += [
            f"  {hit.plain_rank:>3}. {textwrap.shorten(hit.paper.plain_title, 70)} (now {hit.rank})"
            for hit in result.displaced
        ]
    return "\n".join(lines)


def answer_page(answer: Answer) -> str:
    """An answer: its sentences, marks where a check failed, and the papers it cites."""
    lines = [*_paragraphs(answer), ""]
    if answer.statement and level_in(answer.sentences):
        lines = [f"Statement judged (--statement corrects it): {answer.statement}", "", *lines]
    if answer.presumed is not None:
        lines = [textwrap.fill(answer.presumed.told, WIDTH), "", *lines]
    for number, sentence in enumerate(answer.sentences, 1):
        if not sentence.supported:
            lines.append(f"  ! sentence {number} is not supported: {'; '.join(sentence.problems)}")
    lines += [line for table in answer.tables for line in table_lines(table)]
    cited = {n for sentence in answer.sentences for n in sentence.citations}
    shown = [(n, hit) for n, hit in enumerate(answer.papers, 1) if n in cited or answer.refused]
    if shown:
        lines.append("Nearest papers" if answer.refused else "Papers")
    lines += [hit_lines(hit, number=n) for n, hit in shown]
    if answer.set_aside and not answer.refused:
        lines.append("Set aside, so that others are heard (--no-balance reads them):")
        lines += [
            f"     {textwrap.shorten(hit.paper.plain_title, 70)}: {because}"
            for hit, because in answer.set_aside
        ]
    found = basis(answer)
    lines += ["", textwrap.fill(found.text, WIDTH)]
    if answer.refused:
        lines.append(f"The same words at ADS: {found.ads_url}")
    return "\n".join(lines)


def _paragraphs(answer: Answer) -> list[str]:
    """The answer's text, each theme under its heading; the reason of a refusal."""
    lines: list[str] = []
    for theme, group in groupby(answer.sentences, key=lambda sentence: sentence.theme):
        lines += [*([""] if lines else []), theme] if theme else []
        lines.append(textwrap.fill(" ".join(s.text_with_citations() for s in group), WIDTH))
    return lines or [textwrap.fill(answer.text, WIDTH)]


def table_lines(table: Table) -> list[str]:
    """A table as text, with a bar for each value of its plot; values with errors as points on one scale."""
    rows = [tuple("" if cell is None else str(cell) for cell in row) for row in table.rows]
    widths = [
        min(60, max(len(row[i]) for row in [table.columns, *rows]))
        for i in range(len(table.columns))
    ]
    marks = _points(table, *table.plot[1:], *table.errors) if table.plot and table.errors else _bars(table)  # fmt: skip
    lines = [table.title, _cells(table.columns, widths)]
    lines += [
        f"{_cells(row, widths)}  {mark}".rstrip() for row, mark in zip(rows, marks, strict=True)
    ]
    return [*lines, *([f"At ADS: {table.url}"] if table.url else []), ""]


def _bars(table: Table) -> list[str]:
    """For each row a bar from 0 to its value; nothing where the table has no plot."""
    values = _column(table, table.plot[1]) if table.plot else [None] * len(table.rows)
    top = max((value for value in values if value is not None), default=0)
    return ["█" * round(20 * value / top) if top and value else "" for value in values]


def _points(table: Table, y: str, minus: str, plus: str) -> list[str]:
    """For each row its value and error bar on the scale of all values, so that rows by date are a timeline."""
    value = _column(table, y)
    known = [v for v in value if v is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def place(at: float) -> int:
        share = (at - low) / (high - low) if high > low else 0.5
        return round((POINTS_WIDTH - 1) * min(1.0, max(0.0, share)))

    marks = []
    for v, down, up in zip(value, _column(table, minus), _column(table, plus), strict=True):
        if v is None:
            marks.append("")
            continue
        begin, end = place(v - (down or 0.0)), place(v + (up or 0.0))
        line = " " * begin + "─" * (end - begin + 1)
        marks.append(line[: place(v)] + "●" + line[place(v) + 1 :])
    return marks


def _column(table: Table, name: str) -> list[float | None]:
    """The numbers of a column, None where there is none."""
    at = table.columns.index(name)
    cells = (row[at] for row in table.rows)
    return [float(cell) if isinstance(cell, int | float) else None for cell in cells]


def _cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = (textwrap.shorten(c, w, placeholder="…") for c, w in zip(cells, widths, strict=True))
    return "  ".join(c.ljust(w) for c, w in zip(shown, widths, strict=True)).rstrip()


def _nothing_found(result: SearchResult) -> str:
    filters = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in result.settings.filters.active.items()
    )
    if filters and not result.n_candidates:
        return f"No paper passes the filters ({filters}): loosen one of them."
    if result.given:
        return "No paper is like these in that way: try --by meaning."
    return "No paper found: try other words, or --mode hybrid."


def hit_lines(hit: Hit, *, number: int | None = None) -> str:
    """One paper: title, authors, year, citations, identifiers, score."""
    paper = hit.paper
    mark = f"[{number}]" if number is not None else f"{hit.rank:>3}."
    citations = (
        "citations unknown"
        if paper.citation_count is None
        else f"{paper.citation_count:,} citations"
    )
    identifiers = " · ".join(filter(None, (paper.bibcode, paper.arxiv_id))) or paper.id
    head = textwrap.fill(
        paper.plain_title, WIDTH - 5, initial_indent=f"{mark:<5}", subsequent_indent=" " * 5
    )
    year = paper.year if paper.year is not None else "year unknown"
    extra = [
        f"{name} {value:.2f}"
        for name, value in (
            ("shared references", hit.parts.shared_references),
            ("citations", hit.parts.citations),
        )
        if value
    ]
    moved = [f"was {hit.plain_rank}"] if number is None and hit.plain_rank != hit.rank else []
    file = [f"{'your file' if f.own else 'full text'} {f.file}" for f in in_full([paper])]
    facts = [
        f"{paper.author_label}, {year}",
        *file,
        *([citations, identifiers] if hit.row >= 0 else []),
        f"score {hit.score:.2f}",
        *extra,
        *moved,
    ]
    return f"{head}\n     {' · '.join(facts)}"
