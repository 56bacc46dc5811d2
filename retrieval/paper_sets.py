"""Sets of papers, drawn on the map or given by a library: what is in one, and what two of them differ in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import QueryError, SourceError
from indexer.labels import TermCounts, distinctive, spellings
from indexer.records import Paper, normalise_arxiv_id, normalise_doi
from indexer.sources_bibtex import bibtex_records
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR

Rows = npt.NDArray[np.int64]

MOST_ENTRIES = 20_000  # of a BibTeX file
MOST_AUTHORS = 60  # kept of an entry that the index lacks
MOST_CHARACTERS = 500  # of a field
COUNTED = 2_000  # papers of a set whose words and facilities are read
DIFFERENT_TERMS = 10
DIFFERENT_FACILITIES = 8
_ENTRY = re.compile(r"@(?!comment|string|preamble)\w+\s*[{(]", re.IGNORECASE)


@dataclass(frozen=True)
class Library:
    """A reader's papers: which rows of the index they are, and which entries it lacks."""

    rows: Rows  # in the file's order
    elsewhere: tuple[Paper, ...]  # what the entries say that are not in the index
    unread: int  # entries that could not be parsed
    repeated: int = 0  # entries that name a paper named before
    beyond: int = 0  # entries after the first MOST_ENTRIES, not read

    @property
    def missing(self) -> tuple[str, ...]:
        """Title or identifier of each entry that is not in the index."""
        return tuple(
            paper.title or next(iter(paper.identifiers), "an entry without a title")
            for paper in self.elsewhere
        )


def library_of(index: Index, bibtex: str) -> Library:
    """Find the entries of a BibTeX file in the index by bibcode, arXiv id or DOI.

    Raises:
        SourceError: there is no entry in it.
    """
    text, beyond = _first_entries(bibtex)
    rows: dict[int, None] = {}
    elsewhere: dict[str, Paper] = {}
    unread = repeated = 0
    for record in bibtex_records(text):
        if isinstance(record, str):
            unread += 1
            continue
        paper = paper_of_entry(record)
        found, _ = index.rows_of(paper.identifiers)
        before = len(rows) + len(elsewhere)
        if len(found):
            rows[int(found[0])] = None
        else:
            elsewhere[paper.id] = paper
        repeated += len(rows) + len(elsewhere) == before
    if not rows and not elsewhere and not unread:
        raise SourceError("There is no BibTeX entry in this file: export it from ADS or your reference manager as .bib.")  # fmt: skip
    found_rows = np.fromiter(rows, np.int64)
    return Library(found_rows, tuple(elsewhere.values()), unread, repeated, beyond)


def paper_of_entry(record: Mapping[str, Any]) -> Paper:
    """What a BibTeX entry says of its paper, without its abstract; an identifier alone is enough."""
    said = {name: _words(record.get(name)) for name in ("title", "bibcode", "arxiv_id", "doi", "journal", "doctype")}  # fmt: skip
    year = re.match(r"\d{4}", _words(record.get("year")))
    return Paper(
        title=said["title"],
        abstract="",
        bibcode=said["bibcode"] or None,
        arxiv_id=normalise_arxiv_id(said["arxiv_id"]) or None,
        doi=normalise_doi(said["doi"]) or None,
        authors=tuple(map(_words, (record.get("authors") or ())[:MOST_AUTHORS])),
        year=int(year.group()) if year else None,
        journal=said["journal"] or None,
        doctype=said["doctype"] or None,
    )


def _words(value: object) -> str:
    """A field on one line, within bounds, without what cannot be printed."""
    text = " ".join(str(value or "")[:MOST_CHARACTERS].split())
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def _first_entries(bibtex: str) -> tuple[str, int]:
    """The text of the first MOST_ENTRIES entries, and how many come after: they are not parsed."""
    starts = [match.start() for match in _ENTRY.finditer(bibtex)]
    if len(starts) <= MOST_ENTRIES:
        return bibtex, 0
    return bibtex[: starts[MOST_ENTRIES]], len(starts) - MOST_ENTRIES


def identifiers_in(path: Path) -> tuple[str, ...]:
    """The bibcodes, arXiv ids or DOIs in a text file, one a line; of each line the first word counts.

    Raises:
        SourceError: the file cannot be read.
        QueryError: it has none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as UTF-8 text: {error}") from error
    found = [
        line.split(",")[0].split()[0].strip('"') for line in lines if line.split(",")[0].strip()
    ]
    if not found:
        raise QueryError(f"{path} has no identifier: write one bibcode, arXiv id or DOI a line.")
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Difference:
    """What the first of two sets has more of than the second, and the other way round."""

    terms: tuple[tuple[str, ...], tuple[str, ...]]  # most distinctive first
    years: tuple[dict[int, int], dict[int, int]]  # papers by year; unknown years left out
    facilities: tuple[
        tuple[tuple[str, float, float], ...], ...
    ]  # name, share of one and of the other
    n_papers: tuple[int, int]
    n_both: int


def compare(index: Index, first: Rows, second: Rows) -> Difference:
    """Compare two sets of papers by their words, years and facilities; papers in both count in both.

    Raises:
        QueryError: a set is empty.
    """
    if not len(first) or not len(second):
        raise QueryError("A set is empty: draw around some papers, then compare.")
    sets = [_spread(rows) for rows in (first, second)]
    return Difference(
        terms=_terms(index, sets),
        years=(_years(index, first), _years(index, second)),
        facilities=_facilities(index, sets),
        n_papers=(len(first), len(second)),
        n_both=len(np.intersect1d(first, second)),
    )


def _spread(rows: Rows) -> Rows:
    """At most COUNTED of the rows, spread over them."""
    if len(rows) <= COUNTED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, COUNTED).astype(np.int64)]


def _years(index: Index, rows: Rows) -> dict[int, int]:
    years = Counter(int(year) for year in index.year[rows] if year != UNKNOWN_YEAR)
    return dict(sorted(years.items()))


def _terms(index: Index, sets: Sequence[Rows]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    counts = TermCounts(index.lexical, np.concatenate(sets))
    labels = np.repeat(np.arange(2, dtype=np.int32), [len(rows) for rows in sets])
    chosen = distinctive(counts, labels, 2, [set(), set()], most=DIFFERENT_TERMS)
    texts = [index.papers[int(row)].text() for rows in sets for row in rows[:: max(1, len(rows) // 300)]]  # fmt: skip
    written = spellings(counts, [term for terms in chosen for term in terms], texts)
    first, second = (tuple(written[t] for t in terms if t in written) for terms in chosen)
    return first, second


def facilities_used(index: Index, rows: Rows | None = None) -> dict[str, Rows]:
    """The rows, among `rows`, of the papers that used each facility; none where the index lacks facilities."""
    if index.uses is None:
        return {}
    table = index.uses.facilities
    found = {name: table.rows(name, used=True) for name in table.counts(used=True)}
    if rows is not None:
        found = {name: np.intersect1d(held, rows) for name, held in found.items()}
    return {name: held for name, held in found.items() if len(held)}


def _facilities(
    index: Index, sets: Sequence[Rows]
) -> tuple[tuple[tuple[str, float, float], ...], ...]:
    """Of each set, the facilities that it used more often than the other: name, share here, share there."""
    shares = [
        {name: len(held) / len(rows) for name, held in facilities_used(index, rows).items()}
        for rows in sets
    ]
    names = {*shares[0], *shares[1]}
    found = []
    for here, there in (shares, shares[::-1]):
        more = [(n, here.get(n, 0.0), there.get(n, 0.0)) for n in names]
        more = sorted((m for m in more if m[1] > m[2]), key=lambda m: (m[2] - m[1], m[0]))
        found.append(tuple(more[:DIFFERENT_FACILITIES]))
    return tuple(found)
