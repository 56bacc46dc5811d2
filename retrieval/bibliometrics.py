"""Questions about the literature itself, counted in the index: papers a year, most cited, who works on it.

A paper is on a subject when its title or abstract holds all words of it, objects by any of their names.
No model is asked. The counts are of this index, which is a part of the literature, and say so.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from indexer.authors import author_key
from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR
from retrieval.ads_link import ads_search_url
from retrieval.conditions import conditions, passing
from retrieval.records import Hit, ScoreParts, SearchResult, Sentence, Table

Wanted = Literal["years", "most cited", "authors"]
Rows = npt.NDArray[np.int64]

MOST_ROWS = 20  # of a table of papers or people
MOST_PAPERS_READ = 10_000  # whose authors are counted, the newest first

_WANTED: tuple[tuple[Wanted, str], ...] = (
    (
        "most cited",
        r"\bmost[- ](?:highly[- ])?cited(?: papers| articles| works)?\b|\bhighly[- ]cited(?: papers)?\b",
    ),
    (
        "authors",
        r"\bwho (?:works?|worked|publish\w*|writes?|studies|are the (?:experts|leading|main)(?: authors| people| researchers)?)\b"
        r"|\b(?:leading|top|most active|most prolific) (?:authors?|researchers?|people|groups|experts)\b",
    ),
    (
        "years",
        r"\bhow many (?:papers|articles|publications|studies)\b|\b(?:number|count) of (?:papers|articles|publications)\b"
        r"|\bpublication (?:rate|trend|history)\b|\bpapers per year\b",
    ),
)
_FILLER = re.compile(
    r"\b(?:per|each|every|a|by) year\b|\b(?:is|are|were|was|have been|been|there|published|written|exist|appeared?|what|which|show|list|give|me"
    r"|the|of|on|about|in|for|with|papers?|articles?|and|do|does|did|have|how|this field|field|topic|subject)\b|[?!.,;:]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Counted:
    """What was counted: a sentence or two, a table, and the papers it names."""

    sentences: tuple[Sentence, ...]
    table: Table
    papers: tuple[Hit, ...]


def count(index: Index, question: str, found: SearchResult) -> Counted:
    """Count what a bibliometric question asks; `found` is its search, whose conditions hold here too."""
    wanted, topic = _wanted(question, found)
    rows = _rows_on(index, topic, found)
    link = _ads_link(topic, found, wanted)
    made = {"years": _years, "most cited": _most_cited, "authors": _authors}[wanted]
    return made(index, topic or "any subject", rows, link)


def _wanted(question: str, found: SearchResult) -> tuple[Wanted, str]:
    """What is to be counted, and the words of its subject."""
    wanted: Wanted = "years"
    topic = question
    for name, pattern in reversed(_WANTED):
        if re.search(pattern, question, re.IGNORECASE):
            wanted = name
            topic = re.sub(pattern, " ", topic, flags=re.IGNORECASE)
    for item in found.understood:
        if item.effect == "narrows":
            topic = topic.replace(item.words, " ")
    return wanted, " ".join(_FILLER.sub(" ", topic).split())


def _rows_on(index: Index, topic: str, found: SearchResult) -> Rows:
    """The rows of the papers on the topic that pass the question's conditions, ascending."""
    rows: Rows = np.arange(len(index.papers))
    words = topic
    for item in found.understood:
        if item.kind in ("object", "facility") and item.words in words:
            named = [index.lexical.rows_with_all(name) for name in {item.words, *item.names}]
            rows = np.intersect1d(rows, np.concatenate(named))
            words = words.replace(item.words, " ")
    if words.strip():
        rows = np.intersect1d(rows, index.lexical.rows_with_all(words))
    allowed = passing(conditions(index, found.settings.filters, found.understood))
    return rows if allowed is None else rows[allowed[rows]]


def _ads_link(topic: str, found: SearchResult, wanted: Wanted) -> str:
    meant = found.understood
    since = [y for y in (found.settings.filters.since, *(i.since for i in meant)) if y is not None]
    until = [y for y in (found.settings.filters.until, *(i.until for i in meant)) if y is not None]
    return ads_search_url(
        topic,
        since=max(since, default=None),
        until=min(until, default=None),
        sort="citation_count desc" if wanted == "most cited" else "date desc",
    )


def _said(text: str) -> Sentence:
    """A sentence that code made from counts: there is nothing to quote."""
    return Sentence(text=text, citations=(), evidence=(), supported=True)


def _how_many(index: Index, topic: str, rows: Rows) -> str:
    n = len(rows)
    return f"{n:,} of the {len(index.papers):,} papers in this index name “{topic}” in title or abstract"


def _years(index: Index, topic: str, rows: Rows, link: str) -> Counted:
    years = Counter(int(year) for year in index.year[rows])
    unknown = years.pop(UNKNOWN_YEAR, 0)
    span = range(min(years), max(years) + 1) if years else range(0)
    text = _how_many(index, topic, rows) + "."
    if years:
        best = max(years, key=lambda year: (years[year], year))
        text += f" Most are of {best}: {years[best]:,}."
    if unknown:
        text += f" Of {unknown:,} the year is unknown."
    totals = Counter(int(year) for year in index.year)
    table = Table(
        title=f"Papers a year on “{topic}”",
        columns=("year", "papers", "share of the index's papers of the year"),
        rows=tuple((y, years[y], round(years[y] / max(totals[y], 1), 4)) for y in span),
        plot=("year", "papers"),
        url=link,
    )
    return Counted((_said(text), *_caveat(index)), table, ())


def _most_cited(index: Index, topic: str, rows: Rows, link: str) -> Counted:
    known = rows[index.citations[rows] != UNKNOWN_CITATIONS]
    order = known[np.argsort(-index.citations[known].astype(np.int64), kind="stable")][:MOST_ROWS]
    hits = tuple(_hit(index, int(row), rank) for rank, row in enumerate(order, 1))
    text = f"{_how_many(index, topic, rows)}; the citations of {len(known):,} are known."
    sentences = [_said(text)]
    if hits:
        best = hits[0].paper
        said = f"The most cited is {best.author_label} ({best.year or 'year unknown'}), “{best.plain_title}”, with {best.citation_count:,} citations."
        sentences.append(replace(_said(said), citations=(1,)))
    table = Table(
        title=f"Most cited papers on “{topic}”",
        columns=("n", "paper", "year", "citations", "identifier"),
        rows=tuple(
            (n, f"{h.paper.author_label}: {h.paper.plain_title}", h.paper.year, h.paper.citation_count, h.paper.id)
            for n, h in enumerate(hits, 1)
        ),
        plot=("n", "citations"),
        url=link,
    )  # fmt: skip
    return Counted((*sentences, *_caveat(index)), table, hits)


def _authors(index: Index, topic: str, rows: Rows, link: str) -> Counted:
    newest = rows[np.argsort(-index.year[rows].astype(np.int64), kind="stable")][:MOST_PAPERS_READ]
    papers: Counter[str] = Counter()
    first: Counter[str] = Counter()
    last_year: dict[str, int] = {}
    names: dict[str, Counter[str]] = {}
    for row in newest:
        paper = index.papers[int(row)]
        for place, author in enumerate(dict.fromkeys(paper.authors)):
            key = author_key(author)
            papers[key] += 1
            first[key] += place == 0
            names.setdefault(key, Counter())[author] += 1
            last_year[key] = max(last_year.get(key, 0), paper.year or 0)
    people = sorted(papers, key=lambda key: (-papers[key], -first[key], key))[:MOST_ROWS]
    text = f"{_how_many(index, topic, rows)}, by {len(papers):,} authors."
    if len(newest) < len(rows):
        text += f" The authors of the newest {len(newest):,} were counted."
    if people:
        top = names[people[0]].most_common(1)[0][0]
        text += f" {top} is an author of most: {papers[people[0]]:,}."
    table = Table(
        title=f"Who publishes on “{topic}”",
        columns=("author", "papers", "as first author", "latest year"),
        rows=tuple(
            (names[k].most_common(1)[0][0], papers[k], first[k], last_year[k] or None)
            for k in people
        ),
        plot=("author", "papers"),
        url=link,
    )
    note = _said(
        "Authors are told apart by family name and first initial, so that namesakes are one."
    )
    return Counted((_said(text), note, *_caveat(index)), table, ())


def _caveat(index: Index) -> tuple[Sentence, ...]:
    return (
        _said(
            f"These are counts of this index as of {index.manifest.as_of}, not of the whole literature."
        ),
    )


def _hit(index: Index, row: int, rank: int) -> Hit:
    impact = float(index.impact[row])
    parts = ScoreParts(dense=0.0, lexical=1.0, relevance=1.0, recency=0.0, impact=impact)
    return Hit(index.papers[row], row, rank, rank, 1.0, parts)
