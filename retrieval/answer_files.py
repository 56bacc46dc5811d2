"""An answer, or what a search found, to take away: as Markdown, as one HTML page and as JSON, with its papers and its basis.

Everything in them is text: no markup of a paper, a model or a visitor is kept. The page loads nothing and runs nothing.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from retrieval.ads_link import ads_papers_urls
from retrieval.basis import basis
from retrieval.markdown import cited, paper_line, plain, sentence_lines, table_lines
from retrieval.records import Answer, Hit, SearchResult, Sentence, Table
from retrieval.rows import answer_row, result_row

_STYLE = """
body { font: 11pt/1.5 Georgia, serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 1.8rem; } a { color: #174ea6; }
.small { font-size: .88rem; color: #444; } .doubt { color: #9a3412; } li { margin-bottom: .5rem; } blockquote { margin: .2rem 0 .2rem 1rem; color: #333; }
table { border-collapse: collapse; font-size: .9rem; } th, td { text-align: left; padding: .15rem .7rem .15rem 0; border-bottom: 1px solid #ccc; vertical-align: top; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_LINKED = re.compile(r"https?://", re.IGNORECASE)


def file_name(words: str, ending: str) -> str:
    """A file's name of plain letters, digits and dashes, made of what it holds: no path, no surprise."""
    letters = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:60].strip("-")
    return f"wayfinder-{name or 'papers'}.{ending}"


def answer_json(answer: Answer) -> str:
    """The answer as one JSON object: that of `ask --json`, with the search settings that made it."""
    row = {**answer_row(answer), "settings": asdict(answer.search.settings)}
    return json.dumps(row, ensure_ascii=False, indent=1) + "\n"


def answer_markdown(answer: Answer) -> str:
    """The answer as Markdown."""
    lines = [f"# {plain(answer.question)}", "", *(f"> {plain(note)}" for note in _notes(answer)), ""]  # fmt: skip
    for theme, group in groupby(answer.sentences, key=lambda s: s.theme):
        lines += [*([f"## {plain(theme)}", ""] if theme else []), " ".join(map(cited, group)), ""]
    for table in answer.tables:
        lines += table_lines(table)
    if answer.sentences:
        lines += ["## Evidence", "", *sentence_lines(answer.sentences)]
    if answer.papers:
        lines += [f"## {_papers_heading(answer)}", ""]
    return _markdown_file([*lines, *_paper_lines(answer.papers), "", *map(plain, _foot(answer))])


def answer_html(answer: Answer) -> str:
    """The answer as one HTML page that needs nothing else."""
    title = _e(answer.question)
    body = [f"<h1>{title}</h1>"]
    body += [f'<p class="doubt">{_e(note)}</p>' for note in _notes(answer)]
    for theme, group in groupby(answer.sentences, key=lambda s: s.theme):
        body += [f"<h2>{_e(theme)}</h2>"] if theme else []
        body.append(f"<p>{' '.join(_sentence(sentence) for sentence in group)}</p>")
    body += map(_table, answer.tables)
    if answer.sentences:
        evidence = "".join(map(_evidence, answer.sentences))
        body.append(f"<h2>Evidence</h2><ol>{evidence}</ol>")
    if answer.papers:
        body.append(f"<h2>{_papers_heading(answer)}</h2>")
    body += [*_paper_items(answer.papers), *(f'<p class="small">{_e(line)}</p>' for line in _foot(answer))]  # fmt: skip
    return _html_file(title, body)


def search_json(result: SearchResult) -> str:
    """What a search found as one JSON object, with the settings that made it."""
    row = {**result_row(result), "settings": asdict(result.settings)}
    return json.dumps(row, ensure_ascii=False, indent=1) + "\n"


def search_markdown(result: SearchResult) -> str:
    """What a search found as Markdown."""
    lines = [f"# {plain(_sought(result))}", "", *(f"> {plain(note)}" for note in _search_notes(result)), ""]  # fmt: skip
    return _markdown_file([*lines, *_paper_lines(result.hits), "", plain(_search_foot(result))])


def search_html(result: SearchResult) -> str:
    """What a search found as one HTML page that needs nothing else."""
    title = _e(_sought(result))
    body = [f"<h1>{title}</h1>"]
    body += [f'<p class="doubt">{_e(note)}</p>' for note in _search_notes(result)]
    body += [*_paper_items(result.hits), f'<p class="small">{_e(_search_foot(result))}</p>']
    return _html_file(title, body)


def _markdown_file(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _html_file(title: str, body: list[str]) -> str:
    """A page of a title and a body that are HTML already."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _sought(result: SearchResult) -> str:
    """What was searched for; of a search for similar papers, the papers that were given."""
    given = "; ".join(f"{p.author_label} ({p.year or 'year unknown'})" for p in result.given)
    return f"Papers like {given}" if given else result.query


def _search_notes(result: SearchResult) -> Iterator[str]:
    """What a reader must know before the papers: what was not done, and where the index covers the question thinly."""
    yield from result.degraded
    if result.coverage is not None and result.coverage.level != "well":
        yield result.coverage.reason


def _search_foot(result: SearchResult) -> str:
    understood = "; ".join(f"{item.label} ({item.effect})" for item in result.understood)
    return (
        f"The {len(result.hits):,} best of {result.n_candidates:,} papers"
        + (f"; understood: {understood}" if understood else "")
        + f". Found by Wayfinder with index snapshot {result.snapshot}, as of {result.as_of}."
    )


def _paper_lines(hits: Sequence[Hit]) -> list[str]:
    """Papers with their numbers, and links that find them at ADS."""
    links = ads_papers_urls(hit.paper for hit in hits)
    return [
        *(f"{n}. {paper_line(hit)}" for n, hit in enumerate(hits, 1)), "",
        *(f"These papers at ADS: <{link}>" for link in links),
    ]  # fmt: skip


def _paper_items(hits: Sequence[Hit]) -> list[str]:
    """The same as HTML."""
    listed = "".join(_paper(n, hit) for n, hit in enumerate(hits, 1))
    links = ads_papers_urls(hit.paper for hit in hits)
    return [
        *([f"<ol>{listed}</ol>"] if hits else []),
        *(f"<p>{_link(link, 'These papers at ADS')}</p>" for link in links),
    ]


def _notes(answer: Answer) -> Iterator[str]:
    """What a reader must know before the answer: what was not done, why there is none, what is presumed."""
    yield from answer.degraded
    if answer.refused:
        yield answer.reason
    if answer.presumed is not None:
        yield answer.presumed.told


def _foot(answer: Answer) -> Iterator[str]:
    """From what it was made, and how to make it again."""
    yield basis(answer).text
    if answer.mode == "synthesised":
        passed = sum(sentence.supported for sentence in answer.sentences)
        yield f"Written by {answer.usage.text}; {passed} of {len(answer.sentences)} sentences passed their checks."
    elif answer.mode == "extractive":
        yield "Quoted word for word from the papers, without a language model."
    yield f"Made by Wayfinder with index snapshot {answer.search.snapshot}, as of {answer.search.as_of}."


def _papers_heading(answer: Answer) -> str:
    return "Nearest papers" if answer.refused else "Papers"


def _sentence(sentence: Sentence) -> str:
    marks = "".join(f' <a href="#paper-{n}">[{n}]</a>' for n in sentence.citations)
    doubt = f"(not supported: {_e('; '.join(sentence.problems))})"
    return f"{_e(sentence.text)}{marks}" + (
        "" if sentence.supported else f' <span class="doubt">{doubt}</span>'
    )


def _evidence(sentence: Sentence) -> str:
    quotes = "".join(
        f"<blockquote>[{item.n}] “{_e(item.quote)}”</blockquote>"
        for item in sentence.evidence
        if item.found
    )
    return f"<li>{_sentence(sentence)}{quotes}</li>"


def _paper(n: int, hit: Hit) -> str:
    paper = hit.paper
    doi = f"https://doi.org/{paper.doi}" if paper.doi else None
    links = [
        _link(url, name)
        for name, url in (("ADS", paper.ads_url), ("arXiv", paper.arxiv_url), ("DOI", doi))
        if url
    ]
    facts = (paper.author_label, str(paper.year or "year unknown"), paper.journal, paper.id)
    said = " · ".join([*(_e(fact) for fact in facts if fact), *links])
    return f'<li id="paper-{n}">{_e(paper.plain_title)}<br><span class="small">{said}</span></li>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{_e(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_e('' if c is None else str(c))}</td>" for c in row) + "</tr>"
        for row in table.rows
    )
    url = f"<p>{_link(table.url, 'The same at ADS')}</p>" if table.url else ""
    return f"<h2>{_e(table.title)}</h2><table><tr>{head}</tr>{rows}</table>{url}"


def _link(url: str, name: str) -> str:
    """A link to a page; what is no address of the web is no link."""
    if not _LINKED.match(url):
        return _e(name)
    return f'<a href="{_e(url)}" rel="noopener noreferrer">{_e(name)}</a>'


def _e(text: str) -> str:
    return html.escape(text, quote=True)
